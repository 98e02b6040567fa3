// libtorch's profiler (Kineto), what its CUDA allocator has counted, and how it was built. Names no symbol of its CUDA half.
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <memory>
#include <set>
#include <string>

#include "guarded.h"

namespace {

namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;
using torch::profiler::impl::ExperimentalConfig;
using torch::profiler::impl::ProfilerConfig;
using torch::profiler::impl::ProfilerState;

std::set<ActivityType> activities(bool cuda) {
  std::set<ActivityType> wanted{ActivityType::CPU};
  if (cuda) wanted.insert(ActivityType::CUDA);
  return wanted;
}

// All threads: else the profiler would be the one state of this thread that a memory meter may be already.
ProfilerConfig config() {
  ExperimentalConfig experimental;
  experimental.profile_all_threads = true;
  return ProfilerConfig(ProfilerState::KINETO, /*report_input_shapes=*/true, /*profile_memory=*/false,
                        /*with_stack=*/false, /*with_flops=*/false, /*with_modules=*/false, experimental);
}

// The profiler takes a memory meter on this thread for another profiler, and does not begin.
class NoMeter {
public:
  NoMeter() { c10::ThreadLocalDebugInfo::_forceCurrentDebugInfo(nullptr); }
  ~NoMeter() { c10::ThreadLocalDebugInfo::_forceCurrentDebugInfo(before_); }
  NoMeter(const NoMeter &) = delete;

private:
  std::shared_ptr<c10::ThreadLocalDebugInfo> before_ = c10::ThreadLocalDebugInfo::current();
};

// Devices that nothing was computed on stay untouched.
void wait_for_cuda() {
  c10::impl::VirtualGuardImpl devices(c10::DeviceType::CUDA);
  for (c10::DeviceIndex i = 0; i < devices.deviceCount(); i++)
    if (at::detail::getCUDAHooks().hasPrimaryContext(i)) devices.synchronizeDevice(i);
}

} // namespace

extern "C" {

char *geolearn_profile_begin(bool cuda) {
  return guarded([&] {
    NoMeter none;
    profiler::prepareProfiler(config(), activities(cuda));
    profiler::enableProfiler(config(), activities(cuda));
  });
}

// Ends what geolearn_profile_begin began; writes a trace where `path` is not null.
char *geolearn_profile_end(bool cuda, const char *path) {
  return guarded([&] {
    std::exception_ptr failed;
    try {
      // Kernels that are still running would be missing.
      if (cuda) wait_for_cuda();
    } catch (...) {
      failed = std::current_exception();
    }
    auto result = profiler::disableProfiler();
    if (failed) std::rethrow_exception(failed);
    if (path) result->save(path);
  });
}

// Bytes of tensors on a CUDA device, and of what the allocator holds for them: now and at most. An empty device has none.
char *geolearn_cuda_memory(int index, int64_t *numbers) {
  return guarded([&] {
    auto stats = c10::getDeviceAllocator(c10::DeviceType::CUDA)->getDeviceStats(static_cast<c10::DeviceIndex>(index));
    constexpr auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    numbers[0] = stats.allocated_bytes[all].current;
    numbers[1] = stats.allocated_bytes[all].peak;
    numbers[2] = stats.reserved_bytes[all].current;
    numbers[3] = stats.reserved_bytes[all].peak;
  });
}

char *geolearn_cuda_memory_reset(int index) {
  return guarded([&] {
    c10::getDeviceAllocator(c10::DeviceType::CUDA)->resetPeakStats(static_cast<c10::DeviceIndex>(index));
  });
}

// Gives the text with which libtorch describes itself to `take`, with `context`.
char *geolearn_libtorch_config(void *context, void (*take)(void *, const void *, size_t)) {
  return guarded([&] {
    auto text = at::show_config();
    take(context, text.data(), text.size());
  });
}
}
