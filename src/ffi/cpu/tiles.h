// NHWC maps, their tiles, and the sources they are read from, one vector of channels at a time.
#pragma once
#include <ATen/Parallel.h>

#include <vector>

#include "panels.h"
#include "winograd.h"

namespace geolearn {

struct Map {
  int64_t images, height, width, channels;

  int64_t pixels() const { return height * width; }
  int64_t tile_rows() const { return (height + winograd::OUT - 1) / winograd::OUT; }
  int64_t tile_columns() const { return (width + winograd::OUT - 1) / winograd::OUT; }
};

// A range of rows of tiles, numbered across all images.
struct Band {
  int64_t begin, end;
};

// A map read unchanged.
template <class T> struct Plain {
  const T *map;

  GEOLEARN_INLINE auto at(int64_t, int64_t offset) const { return load(map + offset); }
};

// A map to which ReLU is applied as it is read.
template <class T> struct Rectified {
  const T *map;

  GEOLEARN_INLINE auto at(int64_t, int64_t offset) const {
    auto value = load(map + offset);
    return value > 0 ? value : 0 * value;
  }
};

// What instance norm subtracts from a map and then multiplies it by, for each image and channel.
template <class T> struct Moments {
  const T *mean, *scale;
};

// leaky_relu with this slope below 0; a slope of 0 is ReLU, and a slope of 1 is the identity.
template <class V, class T> GEOLEARN_INLINE V activated(V z, T slope) { return z > 0 ? z : slope * z; }

// A map that is normalized and activated as it is read.
template <class T> struct Normalised {
  const T *map;
  Moments<T> moments;
  T slope;

  GEOLEARN_INLINE auto normal(int64_t statistics, int64_t offset) const {
    return (load(map + offset) - load(moments.mean + statistics)) * load(moments.scale + statistics);
  }

  GEOLEARN_INLINE auto at(int64_t statistics, int64_t offset) const {
    return activated(normal(statistics, offset), slope);
  }
};

// Reads the gradient g before the activation, and z, the output of the norm in the forward pass.
template <class T> struct Returned {
  const T *gradient;
  Normalised<T> forward;

  GEOLEARN_INLINE void at(int64_t statistics, int64_t offset, typename Lanes<T>::type *g,
                          typename Lanes<T>::type *z) const {
    *z = forward.normal(statistics, offset);
    auto back = load(gradient + offset);
    *g = *z > 0 ? back : forward.slope * back;
  }
};

// The gradient of a map before instance norm: scale * (g - mean(g) - z * mean(g * z)).
template <class T> struct Unnormalised {
  Returned<T> returned;
  const T *mean_gradient, *mean_product;

  GEOLEARN_INLINE auto at(int64_t statistics, int64_t offset) const {
    typename Lanes<T>::type g, z;
    returned.at(statistics, offset, &g, &z);
    auto rest = g - load(mean_gradient + statistics) - z * load(mean_product + statistics);
    return load(returned.forward.moments.scale + statistics) * rest;
  }
};

// Returns the position of each line of a tile's input along a side of `length` pixels with one pixel of reflection
// padding at both ends; -1 if no output depends on it.
inline std::vector<int64_t> reflected_lines(int64_t length, int64_t tiles) {
  std::vector<int64_t> lines(tiles * winograd::IN, -1);
  for (int64_t tile = 0; tile < tiles; tile++) {
    for (int64_t i = 0; i < winograd::IN; i++) {
      int64_t at = tile * winograd::OUT + i - 1;
      if (at <= length) lines[tile * winograd::IN + i] = at < 0 ? 1 : at == length ? length - 2 : at;
    }
  }
  return lines;
}

// Calls `work(image, row of tiles in it, index of its first tile in the band)` in parallel for rows of tiles.
template <class F> void for_tile_rows(const Map &map, Band band, int64_t first, int64_t step, F work) {
  int64_t rows = (band.end - band.begin - first + step - 1) / step;
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      int64_t row = band.begin + first + i * step;
      work(row / map.tile_rows(), row % map.tile_rows(), (row - band.begin) * map.tile_columns());
    }
  });
}

} // namespace geolearn
