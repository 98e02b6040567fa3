// Instance norm of NHWC maps: its statistics and the means that its gradient needs.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include "threads.h"
#include "tiles.h"

namespace geolearn {

// Pixels that a thread sums at a time. Sums are f64, so they are as accurate for a large map as for a small one and do
// not depend on the number of threads.
constexpr int64_t PIXELS_AT_ONCE = 256;

// The same lanes as f64, in one or two registers.
template <class T> struct Wide {
  typedef double type __attribute__((vector_size(sizeof(double) * Lanes<T>::count)));
  typedef double loose __attribute__((vector_size(sizeof(double) * Lanes<T>::count), aligned(8), may_alias));
};

// Adds up `COUNT` values per channel over a part of an image's pixels.
template <class T, int COUNT, class F>
GEOLEARN_KERNEL void sum_part(const Map &map, int64_t image, int64_t part, const F &values, double *sum) {
  int64_t last = std::min(map.pixels(), (part + 1) * PIXELS_AT_ONCE);
  for (int64_t pixel = part * PIXELS_AT_ONCE; pixel < last; pixel++) {
    int64_t offset = (image * map.pixels() + pixel) * map.channels;
    for (int64_t c = 0; c < map.channels; c += Lanes<T>::count) {
      typename Lanes<T>::type value[COUNT];
      values(image * map.channels + c, offset + c, value);
      for (int i = 0; i < COUNT; i++) {
        auto *to = reinterpret_cast<typename Wide<T>::loose *>(sum + i * map.channels + c);
        *to += __builtin_convertvector(value[i], typename Wide<T>::type);
      }
    }
  }
}

// Returns the means over each image's pixels of `COUNT` values per channel, which `values(statistics, offset, V *)`
// writes: f64, (COUNT, images, channels).
template <class T, int COUNT, class F> at::Tensor means(const Map &map, at::TensorOptions options, const F &values) {
  int64_t parts = (map.pixels() + PIXELS_AT_ONCE - 1) / PIXELS_AT_ONCE, wide = COUNT * map.channels;
  auto sums = at::zeros({map.images, parts, COUNT, map.channels}, options.dtype(at::kDouble));
  double *sum = sums.template mutable_data_ptr<double>();
  at::parallel_for(0, map.images * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) sum_part<T, COUNT>(map, i / parts, i % parts, values, sum + i * wide);
  });
  OneThread alone;
  return sums.sum(1).div_(map.pixels()).transpose(0, 1).contiguous();
}

template <class T> struct SquaredDeviation {
  const T *map, *mean;

  GEOLEARN_INLINE void operator()(int64_t statistics, int64_t offset, typename Lanes<T>::type *value) const {
    auto deviation = load(map + offset) - load(mean + statistics);
    *value = deviation * deviation;
  }
};

template <class T> struct Value {
  const T *map;

  GEOLEARN_INLINE void operator()(int64_t, int64_t offset, typename Lanes<T>::type *value) const {
    *value = load(map + offset);
  }
};

template <class T> struct GradientAndProduct {
  Returned<T> returned;

  GEOLEARN_INLINE void operator()(int64_t statistics, int64_t offset, typename Lanes<T>::type *value) const {
    typename Lanes<T>::type z;
    returned.at(statistics, offset, value, &z);
    value[1] = value[0] * z;
  }
};

// Returns the statistics of a map, (2, images, channels): the means and the reciprocal standard deviations, with
// `epsilon` added to the variances.
template <class T> at::Tensor moments_of(const T *map, const Map &shape, double epsilon, at::TensorOptions options) {
  auto mean = means<T, 1>(shape, options, Value<T>{map});
  auto rounded = mean.to(options.dtype());
  auto variance = means<T, 1>(shape, options, SquaredDeviation<T>{map, rounded.template const_data_ptr<T>()});
  return at::cat({rounded, variance.add_(epsilon).rsqrt_().to(options.dtype())}, 0);
}

template <class T> Moments<T> view(const at::Tensor &moments) {
  const T *mean = moments.template const_data_ptr<T>();
  return {mean, mean + moments.stride(0)};
}

// Owns the means that an `Unnormalised` reads.
template <class T> class NormGradient {
public:
  NormGradient(const Returned<T> &returned, const Map &map, at::TensorOptions options)
      : returned_(returned), means_(means<T, 2>(map, options, GradientAndProduct<T>{returned}).to(options.dtype())) {}

  Unnormalised<T> source() const {
    Moments<T> means = view<T>(means_);
    return {returned_, means.mean, means.scale};
  }

private:
  Returned<T> returned_;
  at::Tensor means_;
};

// Writes `source` for every pixel and channel, added to `base` unless that is null.
template <class T, class Source>
GEOLEARN_KERNEL void write_part(const Map &map, int64_t image, int64_t begin, int64_t end, const Source &source,
                                const T *base, T *made) {
  for (int64_t pixel = begin; pixel < end; pixel++) {
    int64_t offset = (image * map.pixels() + pixel) * map.channels;
    for (int64_t c = 0; c < map.channels; c += Lanes<T>::count) {
      auto value = source.at(image * map.channels + c, offset + c);
      if (base) value += load(base + offset + c);
      store(made + offset + c, value);
    }
  }
}

template <class T, class Source> void write(const Map &map, const Source &source, const T *base, T *made) {
  for (int64_t image = 0; image < map.images; image++) {
    at::parallel_for(0, map.pixels(), PIXELS_AT_ONCE, [&](int64_t begin, int64_t end) {
      write_part<T>(map, image, begin, end, source, base, made);
    });
  }
}

} // namespace geolearn
