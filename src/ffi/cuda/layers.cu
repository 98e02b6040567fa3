// Instance norm in NHWC on a GPU, fused with its surroundings: the activation, the reflected border that the next
// convolution reads, the sum of a residual block, and the gradients of all of these. Compiled at run time, once for
// each element type.
//
// A padded map with a border of b is (N, H + 2b, W + 2b, C); the border is the reflection of the interior, without
// repeating the edge itself; b < H and b < W. Folding the gradient of a padded map means summing, for each pixel, over
// all places where it appears. All sums have a fixed order, so results are bit-for-bit reproducible. An image of a map
// has fewer than 2^31 pixels.

#if GEOLEARN_ELEMENT == 0
typedef unsigned short Element; // bfloat16
typedef float Sum;
typedef uint4 Vector;
#elif GEOLEARN_ELEMENT == 1
typedef float Element;
typedef float Sum;
typedef float4 Vector;
#else
typedef double Element;
typedef double Sum;
typedef double2 Vector;
#endif

// The CPU emulation of these kernels defines this differently.
#ifndef GEOLEARN_KERNEL
#define GEOLEARN_KERNEL extern "C" __global__
#endif

constexpr int VECTOR = sizeof(Vector) / sizeof(Element);
constexpr int THREADS = 256;

// The unit of memory access: a vector of channels, or a single channel.
template <int WIDTH> struct Stored {
  typedef Vector Type;
};
template <> struct Stored<1> {
  typedef Element Type;
};
template <int WIDTH> using Packed = typename Stored<WIDTH>::Type;

template <int WIDTH> struct Values {
  Sum at[WIDTH];
};

#if GEOLEARN_ELEMENT == 0
__device__ inline float low_half(unsigned word) { return __uint_as_float(word << 16); }
__device__ inline float high_half(unsigned word) { return __uint_as_float(word & 0xffff0000u); }

// Packs two values, rounded to nearest with ties to even; `high` goes into the upper half.
__device__ inline unsigned both_halves(float low, float high) {
#ifdef __CUDA_ARCH__
  unsigned word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
#else
  return rounded_to_bf16(low) | static_cast<unsigned>(rounded_to_bf16(high)) << 16;
#endif
}

__device__ inline Values<1> widened(Element x) { return {{low_half(x)}}; }
__device__ inline Values<8> widened(uint4 x) {
  return {{low_half(x.x), high_half(x.x), low_half(x.y), high_half(x.y), low_half(x.z), high_half(x.z), low_half(x.w),
           high_half(x.w)}};
}

__device__ inline Element narrowed(const Values<1> &v) { return static_cast<Element>(both_halves(v.at[0], 0)); }
__device__ inline uint4 narrowed(const Values<8> &v) {
  return {both_halves(v.at[0], v.at[1]), both_halves(v.at[2], v.at[3]), both_halves(v.at[4], v.at[5]),
          both_halves(v.at[6], v.at[7])};
}
#else
__device__ inline Values<1> widened(Element x) { return {{x}}; }
__device__ inline Element narrowed(const Values<1> &v) { return v.at[0]; }
#if GEOLEARN_ELEMENT == 1
__device__ inline Values<4> widened(float4 x) { return {{x.x, x.y, x.z, x.w}}; }
__device__ inline float4 narrowed(const Values<4> &v) { return {v.at[0], v.at[1], v.at[2], v.at[3]}; }
#else
__device__ inline Values<2> widened(double2 x) { return {{x.x, x.y}}; }
__device__ inline double2 narrowed(const Values<2> &v) { return {v.at[0], v.at[1]}; }
#endif
#endif

template <int WIDTH> __device__ inline Packed<WIDTH> loaded(const Element *from) {
  return *reinterpret_cast<const Packed<WIDTH> *>(from);
}

template <int WIDTH> __device__ inline void store(const Values<WIDTH> &values, Element *to) {
  *reinterpret_cast<Packed<WIDTH> *>(to) = narrowed(values);
}

template <int WIDTH> __device__ inline Values<WIDTH> sums_at(const Sum *from) {
  Values<WIDTH> values;
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) values.at[i] = from[i];
  return values;
}

template <int WIDTH> __device__ inline Values<WIDTH> plus(Values<WIDTH> v, const Values<WIDTH> &more) {
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) v.at[i] += more.at[i];
  return v;
}

__device__ inline long long offset(unsigned pixel, int channels) { return static_cast<long long>(pixel) * channels; }

// Returns the offset of image `image`, at channel `channel`, in a map with `pixels` pixels per image.
__device__ inline long long start(unsigned image, unsigned pixels, int channels, int channel) {
  return static_cast<long long>(image) * pixels * channels + channel;
}

// A stride through the pixels, in memory order, of a map `width` wide; advances a `Place` without divisions.
struct Step {
  unsigned pixels;
  int rows, columns, width;

  __device__ Step(unsigned pixels, int width)
      : pixels(pixels), rows(pixels / static_cast<unsigned>(width)), columns(pixels % static_cast<unsigned>(width)),
        width(width) {}
};

struct Place {
  unsigned pixel;
  int row, column;

  __device__ Place(unsigned pixel, int width)
      : pixel(pixel), row(pixel / static_cast<unsigned>(width)), column(pixel % static_cast<unsigned>(width)) {}

  __device__ void advance(const Step &step) {
    pixel += step.pixels;
    row += step.rows;
    column += step.columns;
    if (column >= step.width) {
      column -= step.width;
      ++row;
    }
  }
};

// Visits pixels at equal steps; reads several before it uses the first, to hide memory latency.
template <int AT_ONCE, class Read, class Use>
__device__ inline void walk(unsigned first, unsigned end, const Step &step, Read read, Use use) {
  Place next(first, step.width);
  while (next.pixel < end) {
    decltype(read(next)) found[AT_ONCE];
    unsigned pixel = next.pixel;
#pragma unroll
    for (int k = 0; k < AT_ONCE; ++k, next.advance(step)) {
      if (next.pixel < end) found[k] = read(next);
    }
#pragma unroll
    for (int k = 0; k < AT_ONCE; ++k, pixel += step.pixels) {
      if (pixel < end) use(pixel, found[k]);
    }
  }
}

// The interior's size, and the border around it.
struct Frame {
  int height, width, border;

  __device__ unsigned pixels() const { return static_cast<unsigned>(height + 2 * border) * (width + 2 * border); }
  __device__ unsigned at(int padded_row, int padded_column) const {
    return static_cast<unsigned>(padded_row) * (width + 2 * border) + padded_column;
  }
  __device__ unsigned inside(int row, int column) const { return at(row + border, column + border); }
};

__device__ inline int reflected(int i, int size) { return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i; }

// Returns whether row (or column) `i` of `size` also appears in a border.
__device__ inline bool is_shown_again(int i, int size, int border) {
  unsigned reach = border;
  return static_cast<unsigned>(i - 1) < reach || static_cast<unsigned>(size - 2 - i) < reach;
}

// Returns the padded row in which row `i` appears: in the interior (`which` = 0), before it (1) or after it (2);
// negative if there is none.
__device__ inline int shown_at(int which, int i, int size, int border) {
  if (which == 0) return i + border;
  if (which == 1) return i >= 1 && i <= border ? border - i : -1;
  return i <= size - 2 && i >= size - 1 - border ? border + 2 * (size - 1) - i : -1;
}

__device__ inline bool is_in_border(const Frame &frame, const Place &place) {
  return is_shown_again(place.row, frame.height, frame.border) ||
         is_shown_again(place.column, frame.width, frame.border);
}

// The interior's part of a pixel of a folded gradient, and whether the pixel also appears in the border.
template <int WIDTH> struct Fold {
  Packed<WIDTH> inside;
  bool is_more;
};

template <int WIDTH>
__device__ inline Fold<WIDTH> begin_fold(const Element *gradient, const Frame &frame, int channels, const Place &place) {
  return {loaded<WIDTH>(gradient + offset(frame.inside(place.row, place.column), channels)),
          is_in_border(frame, place)};
}

// Adds the border's part. Few pixels have one, so dividing again is cheaper than keeping their positions.
template <int WIDTH>
__device__ inline Values<WIDTH> end_fold(const Fold<WIDTH> &fold, const Element *gradient, const Frame &frame,
                                         int channels, unsigned pixel) {
  Values<WIDTH> sum = widened(fold.inside);
  if (!fold.is_more) return sum;
  const Place place(pixel, frame.width);
#pragma unroll 1
  for (int which = 1; which < 9; ++which) {
    int row = shown_at(which / 3, place.row, frame.height, frame.border);
    int column = shown_at(which % 3, place.column, frame.width, frame.border);
    if (row < 0 || column < 0) continue;
    sum = plus(sum, widened(loaded<WIDTH>(gradient + offset(frame.at(row, column), channels))));
  }
  return sum;
}

// The inputs of a pixel's gradient.
template <int WIDTH> struct Pair {
  Packed<WIDTH> x;
  Fold<WIDTH> fold;
};

template <int WIDTH>
__device__ inline Pair<WIDTH> read_pair(const Element *image, const Element *padded, const Frame &frame, int channels,
                                        const Place &place) {
  return {loaded<WIDTH>(image + offset(place.pixel, channels)), begin_fold<WIDTH>(padded, frame, channels, place)};
}

// Returns the gradient before the activation; a deviation from the mean has the sign of xhat.
__device__ inline Sum before_activation(Sum gradient, Sum deviation, Sum slope) {
  return deviation > 0 ? gradient : slope * gradient;
}

// The range of pixels of a split.
struct Split {
  unsigned begin, end;

  __device__ Split(int pixels, int splits, unsigned split) {
    unsigned each = (pixels - 1) / splits + 1, all = pixels;
    begin = min(split * each, all);
    end = min(begin + each, all);
  }
};

// Sums start with the last image, which was written last and is still in the GPU's cache; the kernels that then read
// the maps again start with the first.
__device__ inline unsigned summed_image() { return gridDim.z - 1 - blockIdx.z; }

// Two sums for each channel of a thread.
template <int WIDTH> struct Sums {
  Values<WIDTH> first, second;

  // Adds x and x^2 after subtracting `shift`.
  __device__ void add_moments(const Values<WIDTH> &v, const Values<WIDTH> &shift) {
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) {
      Sum d = v.at[i] - shift.at[i];
      first.at[i] += d;
      second.at[i] += d * d;
    }
  }

  // Adds the gradient before the activation, g, and g times the deviation from the mean.
  __device__ void add_gradient(const Values<WIDTH> &v, const Values<WIDTH> &g, const Values<WIDTH> &mean, Sum slope) {
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) {
      Sum d = v.at[i] - mean.at[i], felt = before_activation(g.at[i], d, slope);
      first.at[i] += felt;
      second.at[i] += felt * d;
    }
  }
};

// Sums both values over the rows of threads of a block, in row order, and writes the results.
template <int WIDTH>
__device__ inline void write_sums(const Sums<WIDTH> &own, int channels, int splits, Sum *sums) {
  __shared__ Sum parts[THREADS * 2 * WIDTH];
  const unsigned across = blockDim.x * WIDTH; // Channels of a block: a row of threads has this many of each sum.
  Sum *part = parts + threadIdx.y * 2 * across + threadIdx.x * WIDTH;
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) part[i] = own.first.at[i], part[across + i] = own.second.at[i];
  __syncthreads();
  Sum *to = sums + start(summed_image(), 2 * splits, channels, 0) + offset(2 * blockIdx.y, channels);
  for (unsigned i = threadIdx.y * blockDim.x + threadIdx.x; i < 2 * across; i += THREADS) {
    unsigned which = i / across, channel = blockIdx.x * across + i % across;
    Sum sum = 0;
#pragma unroll 8
    for (unsigned row = 0; row < blockDim.y; ++row) sum += parts[row * 2 * across + i];
    if (channel < static_cast<unsigned>(channels)) to[which * channels + channel] = sum;
  }
}

// Sums x and x^2 after subtracting the image's first pixel, so that a large mean does not cost the variance precision.
template <int WIDTH>
__device__ inline void moments_sums(const Element *__restrict__ x, int pixels, int channels, int splits,
                                    Sum *__restrict__ sums) {
  int channel = (blockIdx.x * blockDim.x + threadIdx.x) * WIDTH;
  Sums<WIDTH> own = {};
  if (channel < channels) {
    const Element *image = x + start(summed_image(), pixels, channels, channel);
    const Values<WIDTH> shift = widened(loaded<WIDTH>(image));
    const Split split(pixels, splits, blockIdx.y);
    auto read = [&](const Place &place) { return loaded<WIDTH>(image + offset(place.pixel, channels)); };
    auto use = [&](unsigned, const Packed<WIDTH> &found) { own.add_moments(widened(found), shift); };
    walk<8>(split.begin + threadIdx.y, split.end, Step(blockDim.y, 1), read, use);
  }
  write_sums<WIDTH>(own, channels, splits, sums);
}

// Sums the gradient before the activation, g, and g * xhat.
template <int WIDTH>
__device__ inline void gradient_sums(const Element *__restrict__ gradient, const Element *__restrict__ x,
                                     const Sum *__restrict__ moments, Sum slope, int height, int width, int channels,
                                     int border, int splits, Sum *__restrict__ sums) {
  int channel = (blockIdx.x * blockDim.x + threadIdx.x) * WIDTH;
  Sums<WIDTH> own = {};
  if (channel < channels) {
    const Frame frame = {height, width, border};
    const Element *image = x + start(summed_image(), height * width, channels, channel);
    const Element *padded = gradient + start(summed_image(), frame.pixels(), channels, channel);
    const Values<WIDTH> mean = sums_at<WIDTH>(moments + start(summed_image(), 2, channels, channel));
    const Split split(height * width, splits, blockIdx.y);
    auto read = [&](const Place &place) { return read_pair<WIDTH>(image, padded, frame, channels, place); };
    auto use = [&](unsigned pixel, const Pair<WIDTH> &found) {
      const Values<WIDTH> g = end_fold<WIDTH>(found.fold, padded, frame, channels, pixel);
      own.add_gradient(widened(found.x), g, mean, slope);
    };
    walk<2>(split.begin + threadIdx.y, split.end, Step(blockDim.y, width), read, use);
    const Values<WIDTH> scale = sums_at<WIDTH>(moments + start(summed_image(), 2, channels, channels + channel));
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) own.second.at[i] *= scale.at[i];
  }
  write_sums<WIDTH>(own, channels, splits, sums);
}

// The sums over all splits of an image and a channel, in f64, which costs no time here: the kernel is memory-bound.
struct Totals {
  double first, second;
};

// Divides the splits among the rows of threads and adds up their sums in row order; the first row gets the totals.
__device__ inline Totals totals(const Sum *sums, int channels, int channel, int splits) {
  __shared__ double parts[2][THREADS];
  const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x;
  Totals total = {0, 0};
  if (channel < channels) {
    const Sum *from = sums + start(blockIdx.z, 2 * splits, channels, channel);
#pragma unroll 8
    for (int split = threadIdx.y; split < splits; split += blockDim.y) {
      total.first += from[offset(2 * split, channels)];
      total.second += from[offset(2 * split + 1, channels)];
    }
  }
  parts[0][thread] = total.first, parts[1][thread] = total.second;
  __syncthreads();
  for (unsigned row = 1; threadIdx.y == 0 && row < blockDim.y; ++row) {
    total.first += parts[0][row * blockDim.x + threadIdx.x];
    total.second += parts[1][row * blockDim.x + threadIdx.x];
  }
  return total;
}

// The mean of a channel, and 1 / sqrt(variance + epsilon).
struct Moments {
  Sum mean, scale;
};

// Returns the moments, given the sums of x and x^2 after subtracting `shift`.
__device__ inline Moments moments_from(const Totals &total, double shift, double pixels, double epsilon) {
  double beyond = total.first / pixels, variance = total.second / pixels - beyond * beyond;
  if (variance < 0) variance = 0; // A rounding error; NaN stays.
  return {static_cast<Sum>(shift + beyond), static_cast<Sum>(1 / sqrt(variance + epsilon))};
}

GEOLEARN_KERNEL void __launch_bounds__(THREADS)
    geolearn_moments(const Element *__restrict__ x, const Sum *__restrict__ sums, int pixels, int channels, int splits,
                     double epsilon, Sum *__restrict__ moments) {
  int channel = blockIdx.x * blockDim.x + threadIdx.x;
  const Totals total = totals(sums, channels, channel, splits);
  if (threadIdx.y > 0 || channel >= channels) return;
  double shift = widened(x[start(blockIdx.z, pixels, channels, channel)]).at[0];
  const Moments made = moments_from(total, shift, pixels, epsilon);
  Sum *to = moments + start(blockIdx.z, 2, channels, channel);
  to[0] = made.mean, to[channels] = made.scale;
}

GEOLEARN_KERNEL void __launch_bounds__(THREADS)
    geolearn_gradient_means(const Sum *__restrict__ sums, int pixels, int channels, int splits,
                            Sum *__restrict__ means) {
  int channel = blockIdx.x * blockDim.x + threadIdx.x;
  const Totals total = totals(sums, channels, channel, splits);
  if (threadIdx.y > 0 || channel >= channels) return;
  Sum *to = means + start(blockIdx.z, 2, channels, channel);
  to[0] = static_cast<Sum>(total.first / pixels);
  to[channels] = static_cast<Sum>(total.second / pixels);
}

// Divides the pixels and channels of an image over a grid. A thread keeps its channels as long as it can, so that
// `work` reads their statistics only once. `work` receives the first channel, the first pixel and the step to the next.
template <int WIDTH, class Work> __device__ inline void share_out(int channels, int width, Work work) {
  unsigned thread = blockIdx.x * blockDim.x + threadIdx.x, threads = gridDim.x * blockDim.x;
  unsigned groups = channels / WIDTH, together = max(threads / groups, 1u), first = thread / groups;
  if (first >= together) return;
  const Step step(together, width);
  for (unsigned group = thread % groups; group < groups; group += threads) work(group * WIDTH, first, step);
}

// Returns activation((v - mean) * scale).
template <int WIDTH>
__device__ inline Values<WIDTH> activated(Values<WIDTH> v, const Values<WIDTH> &mean, const Values<WIDTH> &scale,
                                          Sum slope) {
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) {
    Sum xhat = (v.at[i] - mean.at[i]) * scale.at[i];
    v.at[i] = xhat > 0 ? xhat : slope * xhat;
  }
  return v;
}

template <int WIDTH>
__device__ inline void normalise(const Element *__restrict__ x, const Sum *__restrict__ moments,
                                 const Element *__restrict__ residual, int residual_border, Sum slope, int height,
                                 int width, int channels, int border, Element *__restrict__ y) {
  const Frame frame = {height, width, border}, other = {height, width, residual_border}, bare = {height, width, 0};
  share_out<WIDTH>(channels, width + 2 * border, [&](int channel, unsigned first, const Step &step) {
    const Element *image = x + start(blockIdx.y, bare.pixels(), channels, channel);
    const Element *added = residual + (residual ? start(blockIdx.y, other.pixels(), channels, channel) : 0);
    Element *to = y + start(blockIdx.y, frame.pixels(), channels, channel);
    const Sum *moment = moments + start(blockIdx.y, 2, channels, channel);
    const Values<WIDTH> mean = sums_at<WIDTH>(moment), scale = sums_at<WIDTH>(moment + channels);
    struct Found {
      Packed<WIDTH> x, residual;
    };
    auto read = [&](const Place &place) {
      int row = reflected(place.row - border, height), column = reflected(place.column - border, width);
      Found found;
      found.x = loaded<WIDTH>(image + offset(bare.inside(row, column), channels));
      if (residual) found.residual = loaded<WIDTH>(added + offset(other.inside(row, column), channels));
      return found;
    };
    auto use = [&](unsigned pixel, const Found &found) {
      Values<WIDTH> v = activated<WIDTH>(widened(found.x), mean, scale, slope);
      if (residual) v = plus(v, widened(found.residual));
      store<WIDTH>(v, to + offset(pixel, channels));
    };
    walk<2>(first, frame.pixels(), step, read, use);
  });
}

// What the gradient of a norm needs to know of its channels: the mean and scale of x, the mean of the gradient before
// the activation, and the mean of this gradient times xhat, times the scale.
template <int WIDTH> struct Terms {
  Values<WIDTH> mean, scale, level, tilt;
};

// Returns the gradient of x, given x and the gradient of the activation's output.
template <int WIDTH>
__device__ inline Values<WIDTH> before_norm(Values<WIDTH> v, const Values<WIDTH> &g, const Terms<WIDTH> &terms,
                                            Sum slope) {
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) {
    Sum d = v.at[i] - terms.mean.at[i], felt = before_activation(g.at[i], d, slope);
    v.at[i] = terms.scale.at[i] * (felt - terms.level.at[i] - d * terms.tilt.at[i]);
  }
  return v;
}

template <int WIDTH>
__device__ inline void gradient(const Element *__restrict__ gradient, const Element *__restrict__ x,
                                const Sum *__restrict__ moments, const Sum *__restrict__ means, Sum slope, int height,
                                int width, int channels, int border, Element *__restrict__ made) {
  const Frame frame = {height, width, border};
  const unsigned pixels = height * width;
  share_out<WIDTH>(channels, width, [&](int channel, unsigned first, const Step &step) {
    const Element *image = x + start(blockIdx.y, pixels, channels, channel);
    const Element *padded = gradient + start(blockIdx.y, frame.pixels(), channels, channel);
    Element *to = made + start(blockIdx.y, pixels, channels, channel);
    const Sum *moment = moments + start(blockIdx.y, 2, channels, channel);
    const Sum *less = means + start(blockIdx.y, 2, channels, channel);
    Terms<WIDTH> terms = {sums_at<WIDTH>(moment), sums_at<WIDTH>(moment + channels), sums_at<WIDTH>(less),
                          sums_at<WIDTH>(less + channels)};
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) terms.tilt.at[i] *= terms.scale.at[i];
    auto read = [&](const Place &place) { return read_pair<WIDTH>(image, padded, frame, channels, place); };
    auto use = [&](unsigned pixel, const Pair<WIDTH> &found) {
      const Values<WIDTH> g = end_fold<WIDTH>(found.fold, padded, frame, channels, pixel);
      store<WIDTH>(before_norm<WIDTH>(widened(found.x), g, terms, slope), to + offset(pixel, channels));
    };
    walk<4>(first, pixels, step, read, use);
  });
}

// Adds the folded gradient of a residual block's output to that of its input. The border of `into` stays unchanged.
template <int WIDTH>
__device__ inline void add_folded(const Element *__restrict__ gradient, int border, int height, int width, int channels,
                                  Element *__restrict__ into, int into_border) {
  const Frame frame = {height, width, border}, other = {height, width, into_border};
  share_out<WIDTH>(channels, width, [&](int channel, unsigned first, const Step &step) {
    const Element *padded = gradient + start(blockIdx.y, frame.pixels(), channels, channel);
    Element *image = into + start(blockIdx.y, other.pixels(), channels, channel);
    struct Found {
      Element *to;
      Pair<WIDTH> pair;
    };
    auto read = [&](const Place &place) {
      Element *to = image + offset(other.inside(place.row, place.column), channels);
      return Found{to, {loaded<WIDTH>(to), begin_fold<WIDTH>(padded, frame, channels, place)}};
    };
    auto use = [&](unsigned pixel, const Found &found) {
      const Values<WIDTH> g = end_fold<WIDTH>(found.pair.fold, padded, frame, channels, pixel);
      store<WIDTH>(plus(widened(found.pair.x), g), found.to);
    };
    walk<2>(first, height * width, step, read, use);
  });
}

#define GEOLEARN_KERNELS(FORM, WIDTH)                                                                                  \
  GEOLEARN_KERNEL void __launch_bounds__(THREADS) geolearn_moments_sums_##FORM(                                        \
      const Element *x, int pixels, int channels, int splits, Sum *sums) {                                             \
    moments_sums<WIDTH>(x, pixels, channels, splits, sums);                                                            \
  }                                                                                                                    \
  GEOLEARN_KERNEL void __launch_bounds__(THREADS) geolearn_normalise_##FORM(                                           \
      const Element *x, const Sum *moments, const Element *residual, int residual_border, double slope, int height,    \
      int width, int channels, int border, Element *y) {                                                               \
    normalise<WIDTH>(x, moments, residual, residual_border, static_cast<Sum>(slope), height, width, channels, border,  \
                     y);                                                                                               \
  }                                                                                                                    \
  GEOLEARN_KERNEL void __launch_bounds__(THREADS, 3) geolearn_gradient_sums_##FORM(                                       \
      const Element *gradient, const Element *x, const Sum *moments, double slope, int height, int width,              \
      int channels, int border, int splits, Sum *sums) {                                                               \
    gradient_sums<WIDTH>(gradient, x, moments, static_cast<Sum>(slope), height, width, channels, border, splits,       \
                         sums);                                                                                        \
  }                                                                                                                    \
  GEOLEARN_KERNEL void __launch_bounds__(THREADS, 2) geolearn_gradient_##FORM(                                            \
      const Element *gradient_of_y, const Element *x, const Sum *moments, const Sum *means, double slope, int height,  \
      int width, int channels, int border, Element *made) {                                                            \
    gradient<WIDTH>(gradient_of_y, x, moments, means, static_cast<Sum>(slope), height, width, channels, border, made); \
  }                                                                                                                    \
  GEOLEARN_KERNEL void __launch_bounds__(THREADS) geolearn_add_folded_##FORM(                                          \
      const Element *gradient, int border, int height, int width, int channels, Element *into, int into_border) {      \
    add_folded<WIDTH>(gradient, border, height, width, channels, into, into_border);                                   \
  }

GEOLEARN_KERNELS(wide, VECTOR)
GEOLEARN_KERNELS(single, 1)
