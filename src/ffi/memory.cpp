// Counts the memory that libtorch's allocators give out, and asks CUDA how much is left.
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

// Sums up blocks that were given out under it. A block that is older is not counted when it is freed: the processor's
// allocator does not know its size, or remembers that of another block that was once at this address.
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

// The allocator warns of each block that it does not know; while anybody counts, that is nothing to warn of.
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

// Counts on this thread, and in the threads that autograd starts for it, until geolearn_meter_end. A quiet one keeps
// libtorch's warnings back meanwhile, in the whole process.
char *geolearn_meter_begin(bool is_quiet, Meter **meter) {
  return guarded([&] { *meter = new Meter(is_quiet); });
}

char *geolearn_meter_read(const Meter *meter, int64_t *live, int64_t *peak) {
  return guarded([&] { meter->count->read(live, peak); });
}

char *geolearn_meter_end(Meter *meter) {
  return guarded([&] { delete meter; });
}

// Bytes that CUDA device `index` has left for this process: what nobody holds, and what libtorch holds and does not use.
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
