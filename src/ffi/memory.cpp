// Measures the memory that libtorch's allocators hand out, and asks CUDA how much is left.
#include <c10/core/Allocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/util/Logging.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "graph_memory.h"
#include "guarded.h"

namespace {

// Tracks blocks that were allocated while it was active. Freeing an older block is not counted: the CPU allocator does
// not know its size, or reports the size of an earlier block at the same address.
class Count : public c10::MemoryReportingInfoBase {
public:
  void reportMemoryUsage(void *block, int64_t size, size_t, size_t, c10::Device) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (size > 0) {
      auto &known = blocks_[block];
      live_ += size - known;
      known = size;
      peak_ = std::max(peak_, live_);
    } else if (auto found = blocks_.find(block); found != blocks_.end()) {
      live_ -= found->second;
      blocks_.erase(found);
    }
  }

  bool memoryProfilingEnabled() const override { return true; }

  void read(int64_t *live, int64_t *peak) const {
    std::lock_guard<std::mutex> lock(mutex_);
    *live = live_;
    *peak = peak_;
  }

private:
  mutable std::mutex mutex_;
  std::unordered_map<void *, int64_t> blocks_;
  int64_t live_ = 0, peak_ = 0;
};

// Silences the allocator's warnings about blocks it does not know, which are expected while anyone is measuring.
class Quiet {
public:
  Quiet() {
    std::lock_guard<std::mutex> lock(mutex);
    if (users++ == 0) before = std::exchange(FLAGS_caffe2_log_level, std::max(FLAGS_caffe2_log_level, ERRORS));
  }
  ~Quiet() {
    std::lock_guard<std::mutex> lock(mutex);
    if (--users == 0) FLAGS_caffe2_log_level = before;
  }
  Quiet(const Quiet &) = delete;

private:
  static constexpr int ERRORS = 2;
  static inline std::mutex mutex;
  static inline int users = 0, before = 0;
};

struct Meter {
  explicit Meter(bool is_quiet) {
    if (is_quiet) quiet.emplace();
  }

  std::optional<Quiet> quiet;
  std::shared_ptr<Count> count = std::make_shared<Count>();
  c10::DebugInfoGuard guard{c10::DebugInfoKind::PROFILER_STATE, count};
};

} // namespace

extern "C" {

// Measures on this thread, and on the threads that autograd starts for it, until geolearn_meter_end. A quiet meter
// suppresses libtorch's warnings in the whole process meanwhile.
char *geolearn_meter_begin(bool is_quiet, Meter **meter) {
  return guarded([&] { *meter = new Meter(is_quiet); });
}

char *geolearn_meter_read(const Meter *meter, int64_t *live, int64_t *peak) {
  return guarded([&] { meter->count->read(live, peak); });
}

char *geolearn_meter_end(Meter *meter) {
  return guarded([&] { delete meter; });
}

// Writes the bytes that CUDA device `index` has left for this process: those that are free on the device and those that
// libtorch caches but does not use.
char *geolearn_cuda_free(int index, int64_t *free) {
  return guarded([&] {
    auto *allocator = c10::getDeviceAllocator(c10::DeviceType::CUDA);
    auto device = static_cast<c10::DeviceIndex>(index);
    auto stats = allocator->getDeviceStats(device);
    constexpr auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    auto unused = stats.reserved_bytes[all].current - stats.allocated_bytes[all].current;
    *free = static_cast<int64_t>(allocator->getMemoryInfo(device).first) + unused - geolearn_held_by_graphs(index);
  });
}
}
