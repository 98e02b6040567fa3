// Gradients of a convolution's weights as matrix products: the patches of one map that the kernel saw (im2col), times
// the other map.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cstring>

#include "threads.h"
#include "tiles.h"

namespace geolearn {

// A kernel that slides over a large map and produces one pixel of a small map per step.
struct Stencil {
  int64_t side, stride, padding;
};

// Pixels of the small map whose columns are built at once: enough for an efficient product, few enough for a core's own
// cache.
constexpr int64_t COLUMNS_AT_ONCE = 256;

// Kernels larger than this many bytes have their gradient summed in fewer parts.
constexpr int64_t PARTED_KERNEL = 1 << 20;

template <class T> class WeightGradient {
public:
  WeightGradient(const T *large, Map large_map, const T *small, Map small_map, Stencil stencil, at::TensorOptions options)
      : large_(large), small_(small), large_map_(large_map), small_map_(small_map), stencil_(stencil), options_(options) {}

  // Returns (small channels, large channels, side, side): the sums of products of each small pixel with what the kernel
  // saw there. A work item is one line of the kernel and one part of the rows, whatever the number of threads, so the
  // sums do not depend on it either.
  at::Tensor sum() const {
    int64_t rows = small_map_.images * small_map_.height, side = stencil_.side;
    int64_t each = std::clamp<int64_t>(COLUMNS_AT_ONCE / small_map_.width, 1, rows), blocks = (rows + each - 1) / each;
    int64_t parts = std::min(parts_of_rows(), blocks);
    auto sums = at::zeros({parts, side, line(), small_map_.channels}, options_);
    at::parallel_for(0, parts * side, 1, [&](int64_t begin, int64_t end) {
      OneThread alone;
      for (int64_t share = begin; share < end; share++) {
        int64_t part = share / side;
        auto sum = sums[part][share % side], columns = at::empty({each * small_map_.width, line()}, options_);
        for (int64_t block = blocks * part / parts; block < blocks * (part + 1) / parts; block++) {
          add(block * each, std::min(rows, (block + 1) * each), share % side, columns, sum);
        }
      }
    });
    auto sum = parts == 1 ? sums[0] : sums.sum(0);
    return sum.view({side, side, large_map_.channels, small_map_.channels}).permute({3, 2, 0, 1}).contiguous();
  }

private:
  const T *large_, *small_;
  Map large_map_, small_map_;
  Stencil stencil_;
  at::TensorOptions options_;

  // Number of values that one line of the kernel sees.
  int64_t line() const { return stencil_.side * large_map_.channels; }

  // Each part needs a sum of its own, which is written and read once more, so large kernels get fewer parts.
  int64_t parts_of_rows() const {
    int64_t bytes = stencil_.side * line() * small_map_.channels * int64_t(sizeof(T));
    return bytes > PARTED_KERNEL ? 2 : 4;
  }

  void add(int64_t first_row, int64_t last_row, int64_t kernel_line, const at::Tensor &columns, at::Tensor &sum) const {
    T *to = columns.mutable_data_ptr<T>();
    for (int64_t row = first_row; row < last_row; row++, to += small_map_.width * line()) fill(row, kernel_line, to);
    int64_t pixels = (last_row - first_row) * small_map_.width, channels = small_map_.channels;
    auto *from = const_cast<T *>(small_ + first_row * small_map_.width * channels);
    auto small = at::from_blob(from, {pixels, channels}, options_);
    at::addmm_out(sum, sum, columns.narrow(0, 0, pixels).t(), small);
  }

  // Writes what a line of the kernel sees at each pixel of a row of the small map; zeros outside the large map.
  void fill(int64_t small_row, int64_t kernel_line, T *to) const {
    int64_t image = small_row / small_map_.height, row = small_row % small_map_.height;
    int64_t channels = large_map_.channels, y = row * stencil_.stride - stencil_.padding + kernel_line;
    bool exists = y >= 0 && y < large_map_.height;
    for (int64_t column = 0; column < small_map_.width; column++, to += line()) {
      int64_t x = column * stencil_.stride - stencil_.padding;
      int64_t before = std::clamp<int64_t>(-x, 0, stencil_.side);
      int64_t inside = std::clamp<int64_t>(large_map_.width - x, before, stencil_.side) - before;
      int64_t first = exists && inside > 0 ? before : stencil_.side, count = exists ? inside : 0;
      std::fill(to, to + first * channels, T(0));
      const T *from = large_ + ((image * large_map_.height + y) * large_map_.width + x + first) * channels;
      if (count > 0) std::memcpy(to + first * channels, from, count * channels * sizeof(T));
      std::fill(to + (first + count) * channels, to + line(), T(0));
    }
  }
};

} // namespace geolearn
