// Compiles the kernels of layers.cu with NVRTC, loads them and launches them.
#include "kernels.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

#include <exception>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#ifndef _WIN32
#include "cached_code.h"
#include "libraries.h"
#endif

#include "../guarded.h"

namespace geolearn::cuda {
namespace {

using Emulator = void (*)(const char *kernel, int element, const unsigned *grid, const unsigned *block, void **arguments);

// Replaces the GPU in tests: kernels then run on the CPU. Set once, before any layer runs.
Emulator emulator = nullptr;
std::string source;
// Folder that caches compiled kernels between processes; empty if there is none.
std::string folder;

// Returns layers.cu's number for a dtype, or -1.
int element_of(at::ScalarType kind) {
  switch (kind) {
  case at::kBFloat16: return 0;
  case at::kFloat: return 1;
  case at::kDouble: return 2;
  default: return -1;
  }
}

#ifndef _WIN32

std::string architecture_of(int device) {
  constexpr int major = 75, minor = 76;
  int numbers[2];
  must(Libraries::get().attribute(&numbers[0], major, device), "cuDeviceGetAttribute");
  must(Libraries::get().attribute(&numbers[1], minor, device), "cuDeviceGetAttribute");
  return "--gpu-architecture=sm_" + std::to_string(10 * numbers[0] + numbers[1]);
}

Code compiled(const std::vector<std::string> &words) {
  auto &cuda = Libraries::get();
  void *program = nullptr;
  must(cuda.create(&program, source.c_str(), "layers.cu", 0, nullptr, nullptr), "nvrtcCreateProgram");
  std::vector<const char *> options;
  for (auto &word : words) options.push_back(word.c_str());
  int status = cuda.compile(program, int(options.size()), options.data());
  size_t size = 0;
  if (status != 0) {
    cuda.log_size(program, &size);
    std::string log(size, ' ');
    cuda.log(program, log.data());
    cuda.destroy(&program);
    TORCH_CHECK(false, "NVRTC refuses layers.cu with ", words[0], ": ", log);
  }
  must(cuda.code_size(program, &size), "nvrtcGetCUBINSize");
  Code code(size);
  must(cuda.code(program, code.data()), "nvrtcGetCUBIN");
  cuda.destroy(&program);
  return code;
}

// The kernels for one dtype on one device.
struct Module {
  void *handle = nullptr;
  // Why the kernels are not available; empty if they are.
  std::string trouble;
  std::map<std::string, void *> functions;

  // Loads the kernels and returns whether the outcome is final: a device that is out of memory may have some later.
  bool load(int device, int element) try {
    constexpr int OUT_OF_MEMORY = 2;
    auto &cuda = Libraries::get();
    // Makes the device's context current on this thread.
    must(cuda.free(nullptr), "cudaFree");
    std::vector<std::string> options = {architecture_of(device), "--std=c++17",
                                        "-DGEOLEARN_ELEMENT=" + std::to_string(element)};
    CachedCode cached(folder, source, options);
    auto code = cached.read();
    if (!code.empty() && cuda.load(&handle, code.data()) == 0) return true;
    code = compiled(options);
    cached.write(code);
    int status = cuda.load(&handle, code.data());
    if (status == OUT_OF_MEMORY) return false;
    must(status, "cuModuleLoadData");
    return true;
  } catch (const c10::Error &error) {
    trouble = error.what_without_backtrace();
    return true;
  } catch (const std::exception &error) {
    trouble = error.what();
    return true;
  }

  void *function(const std::string &name) {
    auto [place, is_new] = functions.try_emplace(name, nullptr);
    if (is_new) must(Libraries::get().function(&place->second, handle, name.c_str()), name.c_str());
    return place->second;
  }
};

// Modules are never unloaded: at exit, the context is gone before C++ destructors would unload them.
std::map<std::pair<int, int>, Module> &modules() {
  static auto &all = *new std::map<std::pair<int, int>, Module>();
  return all;
}

std::mutex &modules_mutex() {
  static auto &mutex = *new std::mutex();
  return mutex;
}

bool can_launch_on_device(at::Device device, int element, std::string *trouble) {
  c10::DeviceGuard guard(device);
  std::lock_guard<std::mutex> one(modules_mutex());
  std::pair<int, int> key{device.index(), element};
  auto found = modules().find(key);
  if (found != modules().end()) return found->second.trouble.empty();
  Module module;
  if (!module.load(device.index(), element)) return false;
  *trouble = module.trouble;
  return modules().emplace(key, std::move(module)).first->second.trouble.empty();
}

void launch_on_device(const at::Tensor &x, int element, const std::string &kernel, Extent grid, Extent block,
                      void **arguments) {
  c10::DeviceGuard guard(x.device());
  c10::impl::VirtualGuardImpl cuda(at::kCUDA);
  void *stream = cuda.getStreamNativeHandle(cuda.getStream(x.device()));
  void *function;
  {
    std::lock_guard<std::mutex> one(modules_mutex());
    function = modules().at({x.device().index(), element}).function(kernel);
  }
  must(Libraries::get().launch(function, grid[0], grid[1], grid[2], block[0], block[1], block[2], 0, stream, arguments,
                               nullptr),
       kernel.c_str());
}

#else

bool can_launch_on_device(at::Device, int, std::string *) { return false; }

void launch_on_device(const at::Tensor &, int, const std::string &, Extent, Extent, void **) {
  TORCH_CHECK(false, "layers of this crate's own do not run on CUDA on this system");
}

#endif

} // namespace

bool can_launch(at::Device device, at::ScalarType kind, std::string *trouble) {
  int element = element_of(kind);
  if (element < 0) return false;
  if (device.is_cpu()) return emulator != nullptr;
  return device.is_cuda() && !source.empty() && can_launch_on_device(device, element, trouble);
}

void launch(const at::Tensor &x, const std::string &kernel, Extent grid, Extent block, void **arguments) {
  int element = element_of(x.scalar_type());
  if (x.is_cpu()) {
    TORCH_CHECK(emulator, "there is no emulator of CUDA kernels");
    return emulator(kernel.c_str(), element, grid.data(), block.data(), arguments);
  }
  launch_on_device(x, element, kernel, grid, block, arguments);
}

} // namespace geolearn::cuda

extern "C" {

// Sets the source to compile for CUDA devices and the folder to cache the result in, which may be empty. Without a
// source there are no kernels. Called once.
char *geolearn_cuda_kernels_source(const char *text, size_t length, const char *folder, size_t folder_length) {
  return guarded([&] {
    geolearn::cuda::source.assign(text, length);
    geolearn::cuda::folder.assign(folder, folder_length);
  });
}

// Runs kernels on the CPU through a library built from layers.cu; for tests.
char *geolearn_cuda_kernels_emulate(const char *library) {
  return guarded([&] {
#ifndef _WIN32
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    TORCH_CHECK(handle, dlerror());
    void *function = dlsym(handle, "geolearn_emulated_launch");
    TORCH_CHECK(function, library, " has no geolearn_emulated_launch");
    geolearn::cuda::emulator = reinterpret_cast<geolearn::cuda::Emulator>(function);
#else
    (void)library;
    TORCH_CHECK(false, "there is no emulator on this system");
#endif
  });
}
}
