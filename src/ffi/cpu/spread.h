// Transposed convolutions, and the gradients of a convolution's input: scatters a small map to a large one through a
// strided kernel. Computed as matrix products, since the rounding of libtorch's own kernels depends on the number of
// threads.
//
// The rows and columns of the large map are divided into as many phases as the stride. All those in a phase meet the
// same lines of the kernel, so nothing is multiplied by zero: for a 3x3 kernel with a stride of 2, that is one line or
// two.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <vector>

#include "columns.h"

namespace geolearn {

// One phase of one side of the large map: line `first` and every `stride`-th line after it.
struct Phase {
  // Number of kernel lines that the phase meets: `phase` and every `stride`-th line after it.
  int64_t taps;
  int64_t first, count;
  // The line of the small map that the first line of the phase meets with the first line of the kernel.
  int64_t origin;

  Phase(int64_t phase, int64_t length, Stencil stencil)
      : taps((stencil.side - phase + stencil.stride - 1) / stencil.stride) {
    int64_t stride = stencil.stride;
    first = ((phase - stencil.padding) % stride + stride) % stride;
    count = std::max<int64_t>(0, (length - first + stride - 1) / stride);
    origin = (first + stencil.padding) / stride;
  }
};

template <class T> class Spread {
public:
  // `weight` is (small channels, large channels, side, side).
  Spread(const T *small, Map small_map, Map large_map, const at::Tensor &weight, Stencil stencil)
      : small_(small), small_map_(small_map), large_map_(large_map), stencil_(stencil),
        options_(weight.options().memory_format(std::nullopt)) {
    int64_t side = stencil.side, stride = stencil.stride;
    auto kernel = at::empty({side * side, small_map.channels, large_map.channels}, options_);
    std::vector<int64_t> places(side * side);
    int64_t placed = 0;
    for (int64_t y = 0; y < stride; y++) {
      for (int64_t x = 0; x < stride; x++) {
        Phase rows(y, large_map.height, stencil), columns(x, large_map.width, stencil);
        auto lines = kernel.narrow(0, placed, rows.taps * columns.taps).view({-1, large_map.channels});
        phases_.push_back({rows, columns, lines});
        // Columns run backward, so that a line of the kernel meets pixels in memory order.
        for (int64_t i = y; i < side; i += stride) {
          for (int64_t j = x + (columns.taps - 1) * stride; j >= 0; j -= stride) places[i * side + j] = placed++;
        }
      }
    }
    arrange(weight.contiguous(), places, kernel.template mutable_data_ptr<T>());
  }

  // Writes every pixel of the large map; `bias` may be null. Work items do not depend on the number of threads.
  void write(const T *bias, T *large) const {
    int64_t rows = phases_[0].y.count, columns = phases_[0].x.count;
    for (auto &phase : phases_) rows = std::max(rows, phase.y.count), columns = std::max(columns, phase.x.count);
    int64_t each = std::clamp<int64_t>(PIXELS_OF_A_SHARE / columns, 1, rows), blocks = (rows + each - 1) / each;
    // Phases are interleaved because those that meet more of the kernel take longer.
    int64_t count = phases_.size();
    at::parallel_for(0, small_map_.images * blocks * count, 1, [&](int64_t begin, int64_t end) {
      OneThread alone;
      for (int64_t share = begin; share < end; share++) {
        int64_t image = share / count / blocks, first = share / count % blocks * each;
        write_rows(phases_[share % count], image, first, first + each, bias, large);
      }
    });
  }

private:
  // Enough for an efficient product, and few enough that small maps still give each thread a work item.
  static constexpr int64_t PIXELS_OF_A_SHARE = 128;

  struct Phases {
    Phase y, x;
    // (taps * taps * small channels, large channels): the lines of the kernel that the phase meets.
    at::Tensor kernel;
  };

  const T *small_;
  Map small_map_, large_map_;
  Stencil stencil_;
  at::TensorOptions options_;
  std::vector<Phases> phases_;

  // Writes the weights of each kernel position as a (small channels, large channels) matrix at its place. The matrices
  // are a power of two apart and so compete for few cache lines; a row of each is therefore assembled first.
  void arrange(const at::Tensor &weight, const std::vector<int64_t> &places, T *made) const {
    int64_t count = places.size(), channels = large_map_.channels, rows = small_map_.channels;
    const T *from = weight.template const_data_ptr<T>();
    at::parallel_for(0, rows, 16, [&](int64_t begin, int64_t end) {
      std::vector<T> lines(count * channels);
      for (int64_t row = begin; row < end; row++) {
        const T *numbers = from + row * channels * count;
        for (int64_t c = 0; c < channels; c++) {
          for (int64_t i = 0; i < count; i++) lines[places[i] * channels + c] = *numbers++;
        }
        for (int64_t i = 0; i < count; i++) {
          std::memcpy(made + (i * rows + row) * channels, &lines[i * channels], channels * sizeof(T));
        }
      }
    });
  }

  void write_rows(const Phases &phases, int64_t image, int64_t first, int64_t last, const T *bias, T *large) const {
    auto &[y, x, kernel] = phases;
    last = std::min(last, y.count);
    if (first >= last || x.count == 0) return;
    auto products = multiply(image, first, last, y, x, kernel);
    const T *from = products.template const_data_ptr<T>();
    for (int64_t row = first; row < last; row++, from += x.count * large_map_.channels) {
      place(from, image, y.first + row * stencil_.stride, x, bias, large);
    }
  }

  at::Tensor multiply(int64_t image, int64_t first, int64_t last, Phase y, Phase x, const at::Tensor &kernel) const {
    int64_t wide = kernel.size(0);
    auto columns = at::empty({(last - first) * x.count, wide}, options_);
    T *to = columns.template mutable_data_ptr<T>();
    for (int64_t row = first; row < last; row++, to += x.count * wide) fill(image, y.origin + row, y.taps, x, to);
    return at::mm(columns, kernel);
  }

  // Writes the patches that the pixels of a row meet, pixel by pixel; zeros outside the small map.
  void fill(int64_t image, int64_t row, int64_t taps, Phase x, T *to) const {
    int64_t channels = small_map_.channels, line = x.taps * channels;
    for (int64_t column = 0; column < x.count; column++) {
      int64_t small_x = x.origin + column - (x.taps - 1);
      int64_t before = std::clamp<int64_t>(-small_x, 0, x.taps);
      int64_t inside = std::clamp<int64_t>(small_map_.width - small_x, before, x.taps) - before;
      for (int64_t i = 0; i < taps; i++, to += line) {
        int64_t small_y = row - i;
        bool exists = small_y >= 0 && small_y < small_map_.height && inside > 0;
        int64_t first = exists ? before * channels : line, count = exists ? inside * channels : 0;
        std::fill(to, to + first, T(0));
        const T *from = small_ + ((image * small_map_.height + small_y) * small_map_.width + small_x + before) * channels;
        if (count > 0) std::memcpy(to + first, from, count * sizeof(T));
        std::fill(to + first + count, to + line, T(0));
      }
    }
  }

  void place(const T *from, int64_t image, int64_t row, Phase x, const T *bias, T *large) const {
    int64_t channels = large_map_.channels;
    T *line = large + (image * large_map_.height + row) * large_map_.width * channels;
    for (int64_t column = 0; column < x.count; column++, from += channels) {
      T *to = line + (x.first + column * stencil_.stride) * channels;
      if (bias) {
        for (int64_t c = 0; c < channels; c++) to[c] = from[c] + bias[c];
      } else {
        std::memcpy(to, from, channels * sizeof(T));
      }
    }
  }
};

} // namespace geolearn
