// Runs the kernels of layers.cu and on_chip.cu on the CPU, to test them without a GPU. The threads of a block run one after another
// from barrier to barrier, in order in one block and in reverse in the next, so that a missing barrier changes the
// results.
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace {

struct Index {
  unsigned x, y, z;
};
Index threadIdx, blockIdx, blockDim, gridDim;

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};

using std::max;
using std::min;
using std::sqrt;

float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

unsigned short rounded_to_bf16(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (std::isnan(value)) return 0x7fff;
  return static_cast<unsigned short>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

[[noreturn]] void stop(const char *why, const char *what) {
  std::fprintf(stderr, "emulated kernels: %s %s\n", why, what);
  std::abort();
}

// The threads of one block, as coroutines that switch at barriers.
class Threads {
public:
  void run(unsigned count, bool is_backwards, const std::function<void()> &work) {
    fibers.resize(std::max<size_t>(fibers.size(), count));
    this->count = count, this->is_backwards = is_backwards, this->work = &work;
    for (unsigned i = 0; i < count; ++i) begin(fibers[i]);
    current = 0;
    enter(home);
  }

  void wait() {
    Fiber &own = fibers[current];
    ++own.barriers;
    current = (current + 1) % count;
    enter(own.context);
  }

private:
  static constexpr size_t STACK = 64 << 10;
  struct Fiber {
    ucontext_t context;
    std::vector<char> stack;
    unsigned barriers;
  };

  static void thread();

  void begin(Fiber &fiber) {
    getcontext(&fiber.context);
    fiber.stack.resize(STACK);
    fiber.barriers = 0;
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, thread, 0);
  }

  void enter(ucontext_t &from) {
    unsigned index = is_backwards ? count - 1 - current : current;
    threadIdx = {index % blockDim.x, index / blockDim.x, 0};
    swapcontext(&from, &fibers[current].context);
  }

  void finish() {
    Fiber &own = fibers[current];
    if (own.barriers != fibers[0].barriers) stop("threads of a block met", "different numbers of barriers");
    if (++current == count) setcontext(&home);
    enter(own.context);
    stop("a thread of a block waits", "for one that has ended");
  }

  std::vector<Fiber> fibers;
  ucontext_t home;
  unsigned count, current;
  bool is_backwards;
  const std::function<void()> *work;
};

Threads threads;

void Threads::thread() {
  (*threads.work)();
  threads.finish();
}

void __syncthreads() { threads.wait(); }

// Dynamic shared memory.
struct DynamicShared {
  std::vector<uint4> memory;

  void resize(unsigned bytes) { memory.resize((bytes + sizeof(uint4) - 1) / sizeof(uint4)); }
  // Fills it with NaN, so that what a block has not written changes the results.
  void forget() { std::fill(memory.begin(), memory.end(), uint4{~0u, ~0u, ~0u, ~0u}); }
};

DynamicShared dynamic;

unsigned char *dynamic_shared() { return reinterpret_cast<unsigned char *>(dynamic.memory.data()); }

struct Kernel {
  const char *name;
  bool has_barriers;
  std::function<void(void **)> call;
};

template <class... T, size_t... I>
Kernel kernel(const char *name, bool has_barriers, void (*function)(T...), std::index_sequence<I...>) {
  return {name, has_barriers, [=](void **arguments) { function(*static_cast<T *>(arguments[I])...); }};
}

template <class... T> Kernel kernel(const char *name, bool has_barriers, void (*function)(T...)) {
  return kernel(name, has_barriers, function, std::index_sequence_for<T...>{});
}

#define __device__
#define __shared__ static
#define __launch_bounds__(...)
#define GEOLEARN_KERNEL inline
#define GEOLEARN_FORM(FORM)                                                                                            \
  kernel("geolearn_moments_sums_" #FORM, true, geolearn_moments_sums_##FORM),                                          \
      kernel("geolearn_normalise_" #FORM, false, geolearn_normalise_##FORM),                                           \
      kernel("geolearn_gradient_sums_" #FORM, true, geolearn_gradient_sums_##FORM),                                    \
      kernel("geolearn_gradient_" #FORM, false, geolearn_gradient_##FORM),                                             \
      kernel("geolearn_add_folded_" #FORM, false, geolearn_add_folded_##FORM)
#define GEOLEARN_ALL                                                                                                   \
  {GEOLEARN_FORM(wide), GEOLEARN_FORM(single), kernel("geolearn_moments", true, geolearn_moments),                    \
   kernel("geolearn_gradient_means", true, geolearn_gradient_means),                                                   \
   kernel("geolearn_norm_on_chip", true, geolearn_norm_on_chip),                                                       \
   kernel("geolearn_norm_gradient_on_chip", true, geolearn_norm_gradient_on_chip)}

namespace bf16 {
#define GEOLEARN_ELEMENT 0
#include "layers.cu"
#include "on_chip.cu"
const std::vector<Kernel> KERNELS = GEOLEARN_ALL;
} // namespace bf16

#undef GEOLEARN_ELEMENT
#undef GEOLEARN_KERNELS

namespace f32 {
#define GEOLEARN_ELEMENT 1
#include "layers.cu"
#include "on_chip.cu"
const std::vector<Kernel> KERNELS = GEOLEARN_ALL;
} // namespace f32

#undef GEOLEARN_ELEMENT
#undef GEOLEARN_KERNELS

namespace f64 {
#define GEOLEARN_ELEMENT 2
#include "layers.cu"
#include "on_chip.cu"
const std::vector<Kernel> KERNELS = GEOLEARN_ALL;
} // namespace f64

const Kernel &named(const char *name, int element) {
  for (const Kernel &kernel : element == 0 ? bf16::KERNELS : element == 1 ? f32::KERNELS : f64::KERNELS) {
    if (std::strcmp(kernel.name, name) == 0) return kernel;
  }
  stop("there is no kernel", name);
}

void run_block(const Kernel &kernel, void **arguments) {
  unsigned count = blockDim.x * blockDim.y;
  if (kernel.has_barriers) return threads.run(count, (blockIdx.x + blockIdx.y) % 2, [&] { kernel.call(arguments); });
  for (unsigned thread = 0; thread < count; ++thread) {
    threadIdx = {thread % blockDim.x, thread / blockDim.x, 0};
    kernel.call(arguments);
  }
}

} // namespace

// Runs a kernel for an element type (0 bf16, 1 f32, 2 f64) with `bytes` of dynamic shared memory. `arguments` holds a pointer to each argument, as in CUDA.
extern "C" void geolearn_emulated_launch(const char *kernel, int element, const unsigned grid[3],
                                         const unsigned block[2], unsigned bytes, void **arguments) {
  static std::mutex one_at_a_time;
  std::lock_guard<std::mutex> lock(one_at_a_time);
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {block[0], block[1], 1};
  const Kernel &found = named(kernel, element);
  dynamic.resize(bytes);
  for (unsigned z = 0; z < grid[2]; ++z) {
    for (unsigned y = 0; y < grid[1]; ++y) {
      for (unsigned x = 0; x < grid[0]; ++x) {
        blockIdx = {x, y, z};
        dynamic.forget();
        run_block(found, arguments);
      }
    }
  }
}
