// Instance norm that reads its maps once: a thread block keeps all pixels of a few channels in shared memory while it
// sums them. Only for images that fit there. Follows layers.cu in the same source text.

// Memory that the launch reserves for a block, aligned to a vector. The CPU emulation has its own.
#ifdef __CUDACC__
__device__ inline unsigned char *dynamic_shared() {
  extern __shared__ uint4 reserved[];
  return reinterpret_cast<unsigned char *>(reserved);
}
#endif

// Vectors of channels per pixel that a block keeps, at most.
constexpr int MOST_LANES = 2;
constexpr int MOST_ACROSS = MOST_LANES * VECTOR;

// The channels of a block: `blockDim.x` vectors, of which each column of threads works on one.
struct Channels {
  int first, all;

  __device__ explicit Channels(int all) : first(blockIdx.x * blockDim.x * VECTOR), all(all) {}
  __device__ int own() const { return first + threadIdx.x * VECTOR; }
  __device__ bool has_own() const { return own() < all; }
  // Returns whether this thread finishes the sums of a channel, `first + thread`.
  __device__ bool finishes(unsigned thread) const {
    return thread < blockDim.x * VECTOR && first + static_cast<int>(thread) < all;
  }
};

// Adds up both values over the threads of each column, in a fixed order. Thread `i` of the block gets the totals of its
// channel `i`. `blockDim.x` and `VECTOR` are powers of two.
__device__ inline Totals totals_of_block(const Sums<VECTOR> &own) {
  __shared__ Sum parts[2 * VECTOR * THREADS];
  __shared__ double sums[THREADS];
  const unsigned lanes = blockDim.x, across = lanes * VECTOR, thread = threadIdx.y * lanes + threadIdx.x;
#pragma unroll
  for (int i = 0; i < VECTOR; ++i) {
    parts[i * THREADS + thread] = own.first.at[i];
    parts[(VECTOR + i) * THREADS + thread] = own.second.at[i];
  }
  __syncthreads();
  // As many threads as possible share each total: thread `k` of them takes every row whose remainder is `k`.
  const unsigned sharers = THREADS / (2 * across), value = thread / sharers, k = thread % sharers;
  const unsigned which = value / across, lane = value % across / VECTOR, i = value % VECTOR;
  double sum = 0;
  for (unsigned row = k; row < blockDim.y; row += sharers)
    sum += parts[(which * VECTOR + i) * THREADS + row * lanes + lane];
  sums[thread] = sum;
  __syncthreads();
  Totals total = {0, 0};
  for (unsigned j = 0; thread < across && j < sharers; ++j) {
    total.first += sums[thread * sharers + j];
    total.second += sums[(across + thread) * sharers + j];
  }
  return total;
}

// Computes moments, activation(norm(x)) and the sum with `residual`, with a border.
GEOLEARN_KERNEL void __launch_bounds__(THREADS)
    geolearn_norm_on_chip(const Element *__restrict__ x, double epsilon, const Element *__restrict__ residual,
                          int residual_border, double slope, int height, int width, int channels, int border,
                          Sum *__restrict__ moments, Element *__restrict__ y) {
  __shared__ Sum statistics[2][MOST_ACROSS];
  Vector *kept = reinterpret_cast<Vector *>(dynamic_shared());
  const Channels block(channels);
  const unsigned pixels = height * width, thread = threadIdx.y * blockDim.x + threadIdx.x;
  const Element *images = x + start(blockIdx.y, pixels, channels, block.first);
  Sums<VECTOR> own = {};
  if (block.has_own()) {
    const Element *image = images + threadIdx.x * VECTOR;
    const Values<VECTOR> shift = widened(loaded<VECTOR>(image));
    auto read = [&](const Place &place) { return loaded<VECTOR>(image + offset(place.pixel, channels)); };
    auto use = [&](unsigned pixel, const Vector &found) {
      kept[pixel * blockDim.x + threadIdx.x] = found;
      own.add_moments(widened(found), shift);
    };
    walk<8>(threadIdx.y, pixels, Step(blockDim.y, 1), read, use);
  }
  const Totals total = totals_of_block(own);
  if (block.finishes(thread)) {
    const Moments made = moments_from(total, widened(images[thread]).at[0], pixels, epsilon);
    Sum *to = moments + start(blockIdx.y, 2, channels, block.first + thread);
    to[0] = statistics[0][thread] = made.mean;
    to[channels] = statistics[1][thread] = made.scale;
  }
  __syncthreads();
  if (!block.has_own()) return;
  const Values<VECTOR> mean = sums_at<VECTOR>(statistics[0] + threadIdx.x * VECTOR);
  const Values<VECTOR> scale = sums_at<VECTOR>(statistics[1] + threadIdx.x * VECTOR);
  const Frame frame = {height, width, border}, other = {height, width, residual_border}, bare = {height, width, 0};
  const Element *added = residual + (residual ? start(blockIdx.y, other.pixels(), channels, block.own()) : 0);
  Element *to = y + start(blockIdx.y, frame.pixels(), channels, block.own());
  struct Found {
    Vector x, residual;
  };
  auto read = [&](const Place &place) {
    int row = reflected(place.row - border, height), column = reflected(place.column - border, width);
    Found found;
    found.x = kept[bare.inside(row, column) * blockDim.x + threadIdx.x];
    if (residual) found.residual = loaded<VECTOR>(added + offset(other.inside(row, column), channels));
    return found;
  };
  auto use = [&](unsigned pixel, const Found &found) {
    Values<VECTOR> v = activated<VECTOR>(widened(found.x), mean, scale, static_cast<Sum>(slope));
    if (residual) v = plus(v, widened(found.residual));
    store<VECTOR>(v, to + offset(pixel, channels));
  };
  walk<4>(threadIdx.y, frame.pixels(), Step(blockDim.y, width + 2 * border), read, use);
}

// Computes the gradient of x. Keeps x and the interior of the gradient; the border is read twice.
GEOLEARN_KERNEL void __launch_bounds__(THREADS)
    geolearn_norm_gradient_on_chip(const Element *__restrict__ gradient, const Element *__restrict__ x,
                                   const Sum *__restrict__ moments, double slope, int height, int width, int channels,
                                   int border, Element *__restrict__ made) {
  __shared__ Sum statistics[2][MOST_ACROSS];
  const Channels block(channels);
  const unsigned pixels = height * width, thread = threadIdx.y * blockDim.x + threadIdx.x;
  Vector *kept_x = reinterpret_cast<Vector *>(dynamic_shared()), *kept_gradient = kept_x + pixels * blockDim.x;
  const Frame frame = {height, width, border};
  const Step step(blockDim.y, width);
  const long long image = start(blockIdx.y, pixels, channels, block.own());
  const Element *padded = gradient + start(blockIdx.y, frame.pixels(), channels, block.own());
  const Sum *moment = moments + start(blockIdx.y, 2, channels, block.own());
  Sums<VECTOR> own = {};
  Terms<VECTOR> terms = {};
  if (block.has_own()) {
    terms.mean = sums_at<VECTOR>(moment), terms.scale = sums_at<VECTOR>(moment + channels);
    auto read = [&](const Place &place) { return read_pair<VECTOR>(x + image, padded, frame, channels, place); };
    auto use = [&](unsigned pixel, const Pair<VECTOR> &found) {
      kept_x[pixel * blockDim.x + threadIdx.x] = found.x;
      kept_gradient[pixel * blockDim.x + threadIdx.x] = found.fold.inside;
      const Values<VECTOR> g = end_fold<VECTOR>(found.fold, padded, frame, channels, pixel);
      own.add_gradient(widened(found.x), g, terms.mean, static_cast<Sum>(slope));
    };
    walk<4>(threadIdx.y, pixels, step, read, use);
  }
  const Totals total = totals_of_block(own);
  if (block.finishes(thread)) {
    const double scale = moments[start(blockIdx.y, 2, channels, channels + block.first + thread)];
    statistics[0][thread] = static_cast<Sum>(total.first / pixels);
    statistics[1][thread] = static_cast<Sum>(total.second / pixels * scale * scale);
  }
  __syncthreads();
  if (!block.has_own()) return;
  terms.level = sums_at<VECTOR>(statistics[0] + threadIdx.x * VECTOR);
  terms.tilt = sums_at<VECTOR>(statistics[1] + threadIdx.x * VECTOR);
  auto read = [&](const Place &place) {
    const unsigned at = place.pixel * blockDim.x + threadIdx.x;
    return Pair<VECTOR>{kept_x[at], {kept_gradient[at], is_in_border(frame, place)}};
  };
  auto use = [&](unsigned pixel, const Pair<VECTOR> &found) {
    const Values<VECTOR> g = end_fold<VECTOR>(found.fold, padded, frame, channels, pixel);
    store<VECTOR>(before_norm<VECTOR>(widened(found.x), g, terms, static_cast<Sum>(slope)), made + image + offset(pixel, channels));
  };
  walk<4>(threadIdx.y, pixels, step, read, use);
}
