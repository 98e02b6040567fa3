// Instance norm of NHWC maps with the kernels of layers.cu and on_chip.cu, including the border that the next convolution needs.
//
// A map with a border of b is (N, C, H + 2b, W + 2b) in NHWC memory; the border is a reflection of the interior. The
// gradient of such a map is "folded": each pixel also receives the gradients of its reflections.
#pragma once
#include <ATen/ops/empty.h>

#include <algorithm>
#include <optional>

#include "kernels.h"

namespace geolearn::cuda {

// The size of a map without its border.
struct Map {
  int64_t images, height, width, channels;

  static Map of(const at::Tensor &x, int64_t border = 0) {
    return {x.size(0), x.size(2) - 2 * border, x.size(3) - 2 * border, x.size(1)};
  }
  int64_t pixels() const { return height * width; }
};

// How a kernel traverses a map: several channels at once if they fill 16 bytes.
struct Walk {
  Map map;
  int64_t vector;
  const char *suffix;

  Walk(const Map &map, std::initializer_list<at::Tensor> tensors) : map(map), vector(1), suffix("_single") {
    auto first = *tensors.begin();
    int64_t wide = 16 / first.element_size();
    bool aligned = map.channels % wide == 0;
    for (auto &tensor : tensors)
      aligned = aligned && (!tensor.defined() || reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 16 == 0);
    if (aligned) vector = wide, suffix = "_wide";
  }

  // Returns the grid for an image of `pixels` pixels. Each thread handles several vectors, because it may first have to
  // read its channels' moments.
  Extent each(int64_t pixels, int64_t vectors_a_thread = 8) const {
    int64_t groups = map.channels / vector, vectors = pixels * groups;
    int64_t threads = std::max<int64_t>(vectors / vectors_a_thread, groups);
    return {unsigned((threads + 255) / 256), unsigned(map.images), 1};
  }

  // Returns the block of a summing kernel: lanes of channels by rows of pixels.
  Extent summing_block() const {
    unsigned lanes = 1;
    while (lanes < 32 && lanes * vector < map.channels) lanes *= 2;
    return {lanes, 256 / lanes, 1};
  }

  // Returns a grid of as many blocks as a large GPU runs at once, three on each of 132 multiprocessors, with several
  // pixels for every thread. More blocks would only start late and leave more to add up.
  Extent summing_grid() const {
    auto block = summing_block();
    int64_t chunks = (map.channels + block[0] * vector - 1) / (block[0] * vector);
    int64_t wanted = std::max<int64_t>(396 / (chunks * map.images), 1), most = map.pixels() / (4 * block[1]) + 1;
    return {unsigned(chunks), unsigned(std::min<int64_t>({wanted, most, 512})), unsigned(map.images)};
  }

  // Few channels per block, with its rows of threads working on the splits in parallel; one after another they would
  // take long.
  static constexpr Extent FINISHING_BLOCK = {8, 32, 1};
  Extent finishing_grid() const { return {unsigned((map.channels + 7) / 8), 1, unsigned(map.images)}; }
};

// How norms keep maps in shared memory: each block all pixels of a few channels.
struct OnChip {
  Launch launch;

  // Returns nothing if it is switched off, or `maps` maps of this size do not fit. Blocks have so many threads.
  static std::optional<OnChip> of(const at::Tensor &x, const Walk &walk, int64_t maps, unsigned threads) {
    if (!options_for(x).norms_on_chip || walk.vector == 1) return std::nullopt;
    auto chip = chip_of(x);
    int64_t vectors = walk.map.channels / walk.vector, each = maps * walk.map.pixels() * 16;
    auto blocks = [&](int64_t lanes) { return (vectors + lanes - 1) / lanes; };
    auto fit_at_once = [&](int64_t count, int64_t lanes) { return count * (lanes * each + SCRATCH) <= chip.shared; };
    if (!fit_at_once(1, 1)) return std::nullopt;
    // Two lanes fill the 32 bytes of a memory sector. But blocks must be enough for all multiprocessors, and two for
    // each, so that one reads while another writes.
    bool is_enough = blocks(2) * walk.map.images >= chip.multiprocessors;
    unsigned lanes = is_enough && fit_at_once(2, 2) ? 2 : 1;
    Extent grid = {unsigned(blocks(lanes)), unsigned(walk.map.images), 1};
    return OnChip{{grid, {lanes, threads / lanes, 1}, unsigned(lanes * each)}};
  }

private:
  // Bytes that a block needs besides its maps, and the system for it.
  static constexpr int64_t SCRATCH = 11 << 10;
};

inline at::Tensor empty_sums(const at::Tensor &x, at::IntArrayRef sizes) {
  auto kind = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::empty(sizes, x.options().dtype(kind).memory_format(std::nullopt));
}

inline at::Tensor empty_map(const at::Tensor &like, const Map &map, int64_t border) {
  return at::empty({map.images, map.channels, map.height + 2 * border, map.width + 2 * border},
                   like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

// Returns the mean and 1 / sqrt(variance + epsilon) of each image's channels: (N, 2, C).
inline at::Tensor moments_of(const at::Tensor &x, double epsilon) {
  Walk walk(Map::of(x), {x});
  auto grid = walk.summing_grid();
  int pixels = int(walk.map.pixels()), channels = int(walk.map.channels), splits = int(grid[1]);
  auto sums = empty_sums(x, {walk.map.images, splits, 2, channels}), made = empty_sums(x, {walk.map.images, 2, channels});
  launch_with(x, std::string("geolearn_moments_sums") + walk.suffix, {grid, walk.summing_block()}, x.const_data_ptr(), pixels,
              channels, splits, sums.mutable_data_ptr());
  launch_with(x, "geolearn_moments", {walk.finishing_grid(), Walk::FINISHING_BLOCK}, x.const_data_ptr(), sums.const_data_ptr(),
              pixels, channels, splits, epsilon, made.mutable_data_ptr());
  return made;
}

// A map to add to another, without its own border.
struct Beside {
  at::Tensor map;
  int64_t border = 0;
};

// Returns activation(norm(x)) + `beside`, with a border.
inline at::Tensor normalised(const at::Tensor &x, const at::Tensor &moments, const Beside &beside, double slope,
                             int64_t border) {
  auto map = Map::of(x);
  auto made = empty_map(x, map, border);
  Walk walk(map, {x, beside.map, made});
  const void *added = beside.map.defined() ? beside.map.const_data_ptr() : nullptr;
  auto grid = walk.each((map.height + 2 * border) * (map.width + 2 * border));
  launch_with(x, std::string("geolearn_normalise") + walk.suffix, {grid, {256, 1, 1}}, x.const_data_ptr(), moments.const_data_ptr(), added, int(beside.border), slope, int(map.height),
              int(map.width), int(map.channels), int(border), made.mutable_data_ptr());
  return made;
}

// A normalized map, and the moments that its gradient needs.
struct Normalised {
  at::Tensor map, moments;
};

// Returns activation(norm(x)) + `beside`, with a border.
inline Normalised norm_of(const at::Tensor &x, double epsilon, const Beside &beside, double slope, int64_t border) {
  auto map = Map::of(x);
  Walk walk(map, {x, beside.map});
  auto on_chip = OnChip::of(x, walk, 1, 256);
  if (!on_chip) {
    auto moments = moments_of(x, epsilon);
    return {normalised(x, moments, beside, slope, border), moments};
  }
  Normalised made{empty_map(x, map, border), empty_sums(x, {map.images, 2, map.channels})};
  const void *added = beside.map.defined() ? beside.map.const_data_ptr() : nullptr;
  launch_with(x, "geolearn_norm_on_chip", on_chip->launch, x.const_data_ptr(), epsilon, added, int(beside.border), slope,
              int(map.height), int(map.width), int(map.channels), int(border), made.moments.mutable_data_ptr(),
              made.map.mutable_data_ptr());
  return made;
}

// Returns the gradient of x, given the gradient of `norm_of` with this border.
inline at::Tensor normalised_gradient(const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &moments,
                                      double slope, int64_t border) {
  auto map = Map::of(x);
  auto made = empty_map(x, map, 0);
  Walk walk(map, {x, gradient, made});
  if (auto on_chip = OnChip::of(x, walk, 2, 512)) {
    launch_with(x, "geolearn_norm_gradient_on_chip", on_chip->launch, gradient.const_data_ptr(), x.const_data_ptr(),
                moments.const_data_ptr(), slope, int(map.height), int(map.width), int(map.channels), int(border),
                made.mutable_data_ptr());
    return made;
  }
  auto grid = walk.summing_grid();
  int height = int(map.height), width = int(map.width), channels = int(map.channels), splits = int(grid[1]);
  auto sums = empty_sums(x, {map.images, splits, 2, channels}), means = empty_sums(x, {map.images, 2, channels});
  launch_with(x, std::string("geolearn_gradient_sums") + walk.suffix, {grid, walk.summing_block()}, gradient.const_data_ptr(),
              x.const_data_ptr(), moments.const_data_ptr(), slope, height, width, channels, int(border), splits,
              sums.mutable_data_ptr());
  launch_with(x, "geolearn_gradient_means", {walk.finishing_grid(), Walk::FINISHING_BLOCK}, sums.const_data_ptr(), int(map.pixels()),
              channels, splits, means.mutable_data_ptr());
  launch_with(x, std::string("geolearn_gradient") + walk.suffix, {walk.each(map.pixels()), {256, 1, 1}},
              gradient.const_data_ptr(), x.const_data_ptr(), moments.const_data_ptr(), means.const_data_ptr(), slope, height,
              width, channels, int(border), made.mutable_data_ptr());
  return made;
}

// Folds a gradient and adds it to the interior of another.
inline void add_folded(const at::Tensor &gradient, int64_t border, const at::Tensor &into, int64_t into_border) {
  auto map = Map::of(gradient, border);
  Walk walk(map, {gradient, into});
  launch_with(into, std::string("geolearn_add_folded") + walk.suffix, {walk.each(map.pixels(), 4), {256, 1, 1}},
              gradient.const_data_ptr(), int(border), int(map.height), int(map.width), int(map.channels),
              into.mutable_data_ptr(), int(into_border));
}

} // namespace geolearn::cuda
