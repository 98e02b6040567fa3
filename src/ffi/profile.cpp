// libtorch's profiler (Kineto), its CUDA allocator's statistics and its build configuration. References no symbols of
// libtorch's CUDA library.
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

// Profiles all threads; otherwise the profiler would occupy the one per-thread slot that a memory meter may already be
// using.
ProfilerConfig config() {
  ExperimentalConfig experimental;
  experimental.profile_all_threads = true;
  return ProfilerConfig(ProfilerState::KINETO, /*report_input_shapes=*/true, /*profile_memory=*/false,
                        /*with_stack=*/false, /*with_flops=*/false, /*with_modules=*/false, experimental);
}

// Hides this thread's memory meter while the profiler starts: the profiler would mistake it for another profiler and
// refuse to start.
class NoMeter {
public:
  NoMeter() { c10::ThreadLocalDebugInfo::_forceCurrentDebugInfo(nullptr); }
  ~NoMeter() { c10::ThreadLocalDebugInfo::_forceCurrentDebugInfo(before_); }
  NoMeter(const NoMeter &) = delete;

private:
  std::shared_ptr<c10::ThreadLocalDebugInfo> before_ = c10::ThreadLocalDebugInfo::current();
};

// Synchronizes the devices in use; others stay untouched.
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

// Stops the profiler that geolearn_profile_begin started; writes a trace if `path` is not null.
char *geolearn_profile_end(bool cuda, const char *path) {
  return guarded([&] {
    std::exception_ptr failed;
    try {
      // Kernels still running would be missing from the trace.
      if (cuda) wait_for_cuda();
    } catch (...) {
      failed = std::current_exception();
    }
    auto result = profiler::disableProfiler();
    if (failed) std::rethrow_exception(failed);
    if (path) result->save(path);
  });
}

// Writes the current and peak bytes of tensors on a CUDA device, then those that the allocator has reserved for them.
// All are zero for an unused device.
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

// Passes libtorch's description of its build to `take`, along with `context`.
char *geolearn_libtorch_config(void *context, void (*take)(void *, const void *, size_t)) {
  return guarded([&] {
    auto text = at::show_config();
    take(context, text.data(), text.size());
  });
}
}
