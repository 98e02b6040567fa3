// Instance norm that reads its maps once: a thread block keeps all pixels of a few channels in shared memory while it
// sums them. Only for images that fit there. Follows layers.cu in the same source text.

// Returns the dynamic shared memory of a block, aligned to a vector. The CPU emulation defines its own.
#ifdef __CUDACC__
__device__ inline unsigned char *dynamic_shared() {
  extern __shared__ uint4 memory[];
  return reinterpret_cast<unsigned char *>(memory);
}
#endif

// Vectors of channels per pixel that a block keeps, at most.
constexpr int MOST_LANES = 2;
constexpr int MOST_ACROSS = MOST_LANES * VECTOR;
// The gradient keeps two maps, so often only one block fits on a multiprocessor: it has more threads.
constexpr int GRADIENT_THREADS = 512;
// Threads whose sums are in shared memory at once.
constexpr int SUMMED_TOGETHER = 128;

// Shared memory of a block besides its maps.
struct Scratch {
  Sum parts[2 * VECTOR * SUMMED_TOGETHER];
  double sums[SUMMED_TOGETHER];
  Sum statistics[2][MOST_ACROSS];
};
static_assert(sizeof(Scratch) <= 10 << 10, "norm.h counts on 10 KB");

// What a block works on: an image, and `blockDim.x` vectors of channels, each by a column of threads. Images start with
// the last, which was written last and is still in the GPU's cache.
struct Part {
  unsigned image, thread;
  int first_channel, channels;

  __device__ explicit Part(int channels)
      : image(gridDim.y - 1 - blockIdx.y), thread(threadIdx.y * blockDim.x + threadIdx.x),
        first_channel(blockIdx.x * blockDim.x * VECTOR), channels(channels) {}
  __device__ int channel() const { return first_channel + threadIdx.x * VECTOR; }
  __device__ bool has_channel() const { return channel() < channels; }
  // Returns whether this thread finishes the sums of a channel, `first_channel + thread`.
  __device__ bool finishes() const {
    return thread < blockDim.x * VECTOR && first_channel + static_cast<int>(thread) < channels;
  }
  // Returns the index at which this thread keeps its vector of a pixel.
  __device__ unsigned kept(unsigned pixel) const { return pixel * blockDim.x + threadIdx.x; }
};

// Adds up both values over the threads of each column, in a fixed order. Thread `i` of the block gets the totals of its
// channel `i`. All numbers of threads, and `VECTOR`, are powers of two.
__device__ inline Totals totals_of_block(Sums<VECTOR> own, const Part &part, Scratch &scratch) {
  const unsigned lanes = blockDim.x, across = lanes * VECTOR, thread = part.thread;
  auto write = [&](unsigned at) {
#pragma unroll
    for (int i = 0; i < VECTOR; ++i) {
      scratch.parts[i * SUMMED_TOGETHER + at] = own.first.at[i];
      scratch.parts[(VECTOR + i) * SUMMED_TOGETHER + at] = own.second.at[i];
    }
  };
  // The first threads take over from the others, as many at a time as fit.
  for (unsigned other = SUMMED_TOGETHER; other < lanes * blockDim.y; other += SUMMED_TOGETHER) {
    if (thread / SUMMED_TOGETHER == other / SUMMED_TOGETHER) write(thread % SUMMED_TOGETHER);
    __syncthreads();
    if (thread < SUMMED_TOGETHER) {
#pragma unroll
      for (int i = 0; i < VECTOR; ++i) {
        own.first.at[i] += scratch.parts[i * SUMMED_TOGETHER + thread];
        own.second.at[i] += scratch.parts[(VECTOR + i) * SUMMED_TOGETHER + thread];
      }
    }
    __syncthreads();
  }
  if (thread < SUMMED_TOGETHER) write(thread);
  __syncthreads();
  // As many threads as possible share each total: thread `k` of them takes every row whose remainder is `k`.
  const unsigned sharers = SUMMED_TOGETHER / (2 * across);
  if (thread < SUMMED_TOGETHER) {
    const unsigned value = thread / sharers, k = thread % sharers;
    const unsigned which = value / across, lane = value % across / VECTOR, i = value % VECTOR;
    double sum = 0;
    for (unsigned row = k; row < SUMMED_TOGETHER / lanes; row += sharers)
      sum += scratch.parts[(which * VECTOR + i) * SUMMED_TOGETHER + row * lanes + lane];
    scratch.sums[thread] = sum;
  }
  __syncthreads();
  Totals total = {0, 0};
  for (unsigned j = 0; thread < across && j < sharers; ++j) {
    total.first += scratch.sums[thread * sharers + j];
    total.second += scratch.sums[(across + thread) * sharers + j];
  }
  return total;
}

// Computes moments, activation(norm(x)) and the sum with `residual`, with a border.
GEOLEARN_KERNEL void __launch_bounds__(THREADS)
    geolearn_norm_on_chip(const Element *__restrict__ x, double epsilon, const Element *__restrict__ residual,
                          int residual_border, double wide_slope, int height, int width, int channels, int border,
                          Sum *__restrict__ moments, Element *__restrict__ y) {
  __shared__ Scratch scratch;
  Vector *kept = reinterpret_cast<Vector *>(dynamic_shared());
  const Part part(channels);
  const Sum slope = static_cast<Sum>(wide_slope);
  const unsigned pixels = height * width;
  const Element *all = x + start(part.image, pixels, channels, part.first_channel);
  Sums<VECTOR> own = {};
  if (part.has_channel()) {
    const Element *image = all + threadIdx.x * VECTOR;
    const Values<VECTOR> shift = widened(loaded<VECTOR>(image));
    auto read = [&](const Place &place) { return loaded<VECTOR>(image + offset(place.pixel, channels)); };
    auto use = [&](unsigned pixel, const Vector &found) {
      kept[part.kept(pixel)] = found;
      own.add_moments(widened(found), shift);
    };
    walk<8>(threadIdx.y, pixels, Step(blockDim.y, 1), read, use);
  }
  const Totals total = totals_of_block(own, part, scratch);
  if (part.finishes()) {
    const Moments made = moments_from(total, widened(all[part.thread]).at[0], pixels, epsilon);
    Sum *to = moments + start(part.image, 2, channels, part.first_channel + part.thread);
    to[0] = scratch.statistics[0][part.thread] = made.mean;
    to[channels] = scratch.statistics[1][part.thread] = made.scale;
  }
  __syncthreads();
  if (!part.has_channel()) return;
  const Values<VECTOR> mean = sums_at<VECTOR>(scratch.statistics[0] + threadIdx.x * VECTOR);
  const Values<VECTOR> scale = sums_at<VECTOR>(scratch.statistics[1] + threadIdx.x * VECTOR);
  const Frame frame = {height, width, border}, other = {height, width, residual_border}, bare = {height, width, 0};
  const Element *added = residual + (residual ? start(part.image, other.pixels(), channels, part.channel()) : 0);
  Element *to = y + start(part.image, frame.pixels(), channels, part.channel());
  struct Found {
    Vector x, residual;
  };
  auto read = [&](const Place &place) {
    int row = reflected(place.row - border, height), column = reflected(place.column - border, width);
    Found found;
    found.x = kept[part.kept(bare.inside(row, column))];
    if (residual) found.residual = loaded<VECTOR>(added + offset(other.inside(row, column), channels));
    return found;
  };
  auto use = [&](unsigned pixel, const Found &found) {
    Values<VECTOR> v = activated<VECTOR>(widened(found.x), mean, scale, slope);
    if (residual) v = plus(v, widened(found.residual));
    store<VECTOR>(v, to + offset(pixel, channels));
  };
  walk<4>(threadIdx.y, frame.pixels(), Step(blockDim.y, width + 2 * border), read, use);
}

// Visits the pixels that also appear in a border, one by one: in a walk over all pixels nearly every warp would have to
// wait for a few of its threads. Some are visited by several threads.
template <class Work> __device__ inline void walk_shown_again(const Frame &frame, Work work) {
  const int twice = 2 * frame.border;
  auto shown_again = [&](int i, int size) { return i < frame.border ? 1 + i : size - 1 - twice + i; };
  for (int k = threadIdx.y; k < twice * frame.width; k += blockDim.y)
    work(shown_again(k / frame.width, frame.height), k % frame.width);
  for (int k = threadIdx.y; k < twice * frame.height; k += blockDim.y)
    work(k / twice, shown_again(k % twice, frame.width));
}

// Visits the padded rows and columns of the border itself.
template <class Work> __device__ inline void walk_border(const Frame &frame, Work work) {
  const int twice = 2 * frame.border, across = frame.width + twice;
  auto outside = [&](int i, int size) { return i < frame.border ? i : size + i; };
  for (int k = threadIdx.y; k < twice * across; k += blockDim.y) work(outside(k / across, frame.height), k % across);
  for (int k = threadIdx.y; k < twice * frame.height; k += blockDim.y)
    work(frame.border + k / twice, outside(k % twice, frame.width));
}

// Computes the gradient of x. Keeps x and the interior of the gradient; the border is read twice.
GEOLEARN_KERNEL void __launch_bounds__(GRADIENT_THREADS, 1)
    geolearn_norm_gradient_on_chip(const Element *__restrict__ gradient, const Element *__restrict__ x,
                                   const Sum *__restrict__ moments, double wide_slope, int height, int width, int channels,
                                   int border, Element *__restrict__ made) {
  __shared__ Scratch scratch;
  const Part part(channels);
  const Sum slope = static_cast<Sum>(wide_slope);
  const unsigned pixels = height * width;
  Vector *kept_x = reinterpret_cast<Vector *>(dynamic_shared()), *kept_gradient = kept_x + pixels * blockDim.x;
  const Frame frame = {height, width, border}, bare = {height, width, 0};
  const Step step(blockDim.y, width);
  const Element *image = x + start(part.image, pixels, channels, part.channel());
  const Element *padded = gradient + start(part.image, frame.pixels(), channels, part.channel());
  const Sum *moment = moments + start(part.image, 2, channels, part.channel());
  Sums<VECTOR> own = {};
  Terms<VECTOR> terms = {};
  if (part.has_channel()) {
    terms.mean = sums_at<VECTOR>(moment), terms.scale = sums_at<VECTOR>(moment + channels);
    struct Found {
      Vector x, gradient;
    };
    auto read = [&](const Place &place) {
      return Found{loaded<VECTOR>(image + offset(place.pixel, channels)),
                   loaded<VECTOR>(padded + offset(frame.inside(place.row, place.column), channels))};
    };
    auto use = [&](unsigned pixel, const Found &found) {
      kept_x[part.kept(pixel)] = found.x;
      kept_gradient[part.kept(pixel)] = found.gradient;
      own.add_gradient(widened(found.x), widened(found.gradient), terms.mean, slope);
    };
    walk<4>(threadIdx.y, pixels, step, read, use);
    // A pixel's gradient before the activation is a sum over all places where the pixel appears.
    walk_border(frame, [&](int row, int column) {
      const unsigned pixel = bare.inside(reflected(row - border, height), reflected(column - border, width));
      const Vector v = loaded<VECTOR>(image + offset(pixel, channels));
      own.add_gradient(widened(v), widened(loaded<VECTOR>(padded + offset(frame.at(row, column), channels))), terms.mean,
                       slope);
    });
  }
  const Totals total = totals_of_block(own, part, scratch);
  if (part.finishes()) {
    const double scale = moments[start(part.image, 2, channels, channels + part.first_channel + part.thread)];
    scratch.statistics[0][part.thread] = static_cast<Sum>(total.first / pixels);
    scratch.statistics[1][part.thread] = static_cast<Sum>(total.second / pixels * scale * scale);
  }
  __syncthreads();
  if (!part.has_channel()) return;
  terms.level = sums_at<VECTOR>(scratch.statistics[0] + threadIdx.x * VECTOR);
  terms.tilt = sums_at<VECTOR>(scratch.statistics[1] + threadIdx.x * VECTOR);
  Element *to = made + start(part.image, pixels, channels, part.channel());
  auto write = [&](unsigned pixel, const Values<VECTOR> &g) {
    store<VECTOR>(before_norm<VECTOR>(widened(kept_x[part.kept(pixel)]), g, terms, slope), to + offset(pixel, channels));
  };
  auto in_border = [&](const Place &place) { return is_in_border(frame, place); };
  auto unless_in_border = [&](unsigned pixel, bool is_more) {
    if (!is_more) write(pixel, widened(kept_gradient[part.kept(pixel)]));
  };
  walk<4>(threadIdx.y, pixels, step, in_border, unless_in_border);
  walk_shown_again(frame, [&](int row, int column) {
    const unsigned pixel = bare.inside(row, column);
    const Fold<VECTOR> fold = {kept_gradient[part.kept(pixel)], true};
    write(pixel, end_fold<VECTOR>(fold, padded, frame, channels, pixel));
  });
}
