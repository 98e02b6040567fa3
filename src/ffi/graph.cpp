// Captures work on a CUDA device as a CUDA graph and replays it.
//
// libtorch's CUDAGraph class does the capture. A program linked against a CPU-only libtorch cannot reference that
// class, so its functions are looked up by their mangled names (Itanium C++ ABI, GCC and Clang), and the object is
// placed in a buffer larger than it needs (104 bytes in libtorch 2.11).
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__linux__)
#include <dlfcn.h>
#endif

#include "graph_memory.h"
#include "guarded.h"

namespace {

constexpr int MOST_DEVICES = 64;
std::atomic<int64_t> held_by_graphs[MOST_DEVICES];

// A memory pool ID, equivalent to c10::MempoolId_t.
using Pool = std::pair<unsigned long long, unsigned long long>;

// Restricts unsafe calls during a capture on the capturing thread only: cudaStreamCaptureModeThreadLocal.
constexpr int THIS_THREAD = 1;

void *function(const char *name) {
#if defined(__linux__)
  void *found = dlsym(RTLD_DEFAULT, name);
#else
  void *found = nullptr;
#endif
  TORCH_CHECK(found, "this libtorch has no CUDA graphs: ", name, " is missing");
  return found;
}

template <class F> void find(F *&pointer, const char *name) { pointer = reinterpret_cast<F *>(function(name)); }

// Functions of at::cuda::CUDAGraph, and one of the CUDA runtime.
struct Functions {
  void (*construct)(void *, bool);
  void (*destruct)(void *);
  void (*begin)(void *, Pool, int);
  void (*end)(void *);
  void (*replay)(void *);
  Pool (*pool)(void *);
  int (*begin_on_stream)(void *, int);

  Functions() {
    find(construct, "_ZN2at4cuda9CUDAGraphC1Eb");
    find(destruct, "_ZN2at4cuda9CUDAGraphD1Ev");
    find(begin, "_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode");
    find(end, "_ZN2at4cuda9CUDAGraph11capture_endEv");
    find(replay, "_ZN2at4cuda9CUDAGraph6replayEv");
    find(pool, "_ZN2at4cuda9CUDAGraph4poolEv");
    find(begin_on_stream, "cudaStreamBeginCapture");
  }
};

const Functions &functions() {
  static const Functions found;
  return found;
}

c10::Device device_of(int index) { return {c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index)}; }

class Graph {
public:
  explicit Graph(int index) : device_(device_of(index)) {
    c10::DeviceGuard guard(device_);
    functions().construct(object_, /*keep_graph=*/false);
  }
  ~Graph() {
    hold(-held_);
    functions().destruct(object_);
  }
  Graph(const Graph &) = delete;

  Pool pool() { return functions().pool(object_); }

  void begin(Pool pool) {
    c10::DeviceGuard guard(device_);
    unused_before_ = unused();
    functions().begin(object_, pool, THIS_THREAD);
  }

  void end() {
    c10::DeviceGuard guard(device_);
    try {
      functions().end(object_);
    } catch (...) {
      settle();
      throw;
    }
    held_ = unused() - unused_before_;
    hold(held_);
  }

  void replay() {
    c10::DeviceGuard guard(device_);
    functions().replay(object_);
  }

private:
  // Returns the bytes that libtorch has reserved and no tensor uses.
  int64_t unused() const {
    auto stats = c10::getDeviceAllocator(device_.type())->getDeviceStats(device_.index());
    constexpr auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    return stats.reserved_bytes[all].current - stats.allocated_bytes[all].current;
  }

  void hold(int64_t bytes) {
    if (device_.index() < MOST_DEVICES) held_by_graphs[device_.index()] += bytes;
  }

  // If CUDA invalidates a capture, libtorch throws before it tells its allocator and random number generator that the
  // capture is over. An empty capture in its place ends cleanly and resets both.
  void settle() noexcept {
    try {
      c10::impl::VirtualGuardImpl device(device_.type());
      void *stream = device.getStreamNativeHandle(device.getStream(device_));
      if (functions().begin_on_stream(stream, THIS_THREAD) == 0) functions().end(object_);
    } catch (...) {
    }
  }

  alignas(64) std::byte object_[1024];
  c10::Device device_;
  // Memory that this graph added to what only graphs can use; negative if it uses another graph's pool.
  int64_t held_ = 0, unused_before_ = 0;
};

// Makes `later` wait for everything queued on `earlier` so far.
void wait(const c10::Stream &later, const c10::Stream &earlier) {
  c10::Event reached(earlier.device_type());
  reached.record(earlier);
  reached.block(later);
}

} // namespace

int64_t geolearn_held_by_graphs(int device) {
  return device >= 0 && device < MOST_DEVICES ? held_by_graphs[device].load() : 0;
}

extern "C" {

// Writes the ID of a stream from libtorch's pool to `number`.
char *geolearn_stream_new(int device, int64_t *number) {
  return guarded([&] {
    c10::impl::VirtualGuardImpl cuda(c10::DeviceType::CUDA);
    *number = cuda.getStreamFromGlobalPool(device_of(device)).id();
  });
}

// Makes a stream current on this thread; it waits for the previous one, whose ID is written to `before`.
char *geolearn_stream_enter(int device, int64_t number, int64_t *before) {
  return guarded([&] {
    c10::impl::VirtualGuardImpl cuda(c10::DeviceType::CUDA);
    c10::Stream stream(c10::Stream::UNSAFE, device_of(device), number);
    auto current = cuda.getStream(device_of(device));
    wait(stream, current);
    cuda.exchangeStream(stream);
    *before = current.id();
  });
}

// Makes the previous stream current again, and has it wait for the one being left. If this fails, the wait may be
// missing, but the stream is current all the same.
char *geolearn_stream_leave(int device, int64_t before) {
  return guarded([&] {
    c10::impl::VirtualGuardImpl cuda(c10::DeviceType::CUDA);
    c10::Stream stream(c10::Stream::UNSAFE, device_of(device), before);
    wait(stream, cuda.exchangeStream(stream));
  });
}

// Returns memory that libtorch caches but does not use to the device; libtorch returns none during a capture.
char *geolearn_cuda_release() {
  return guarded([&] { c10::getDeviceAllocator(c10::DeviceType::CUDA)->emptyCache(); });
}

char *geolearn_graph_new(int device, Graph **graph) {
  return guarded([&] { *graph = new Graph(device); });
}

// Captures work on the current stream, which must not be the default stream, until geolearn_graph_end. New tensors are
// allocated in the graph's own memory pool, or in that of `beside`.
char *geolearn_graph_begin(Graph *graph, Graph *beside) {
  return guarded([&] { graph->begin(beside ? beside->pool() : Pool(0, 0)); });
}

char *geolearn_graph_end(Graph *graph) {
  return guarded([&] { graph->end(); });
}

// Replays the captured work on the current stream.
char *geolearn_graph_replay(Graph *graph) {
  return guarded([&] { graph->replay(); });
}

char *geolearn_graph_free(Graph *graph) {
  return guarded([&] { delete graph; });
}
}
