// Compiles the kernels of layers.cu and on_chip.cu with NVRTC, loads them and launches them.
#include "kernels.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

#include <atomic>
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

using Emulator = void (*)(const char *kernel, int element, const unsigned *grid, const unsigned *block, unsigned shared,
                          void **arguments);

// Replaces the GPU in tests: kernels then run on the CPU. Set once, before any layer runs.
Emulator emulator = nullptr;
std::string source;
// Of layers on devices, and of emulated ones.
Options options;
std::atomic<Options> emulated_options{Options{}};
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

int attribute_of(int device, int which) {
  int number = 0;
  must(Libraries::get().attribute(&number, which, device), "cuDeviceGetAttribute");
  return number;
}

std::string architecture_of(int device) {
  constexpr int MAJOR = 75, MINOR = 76;
  return "--gpu-architecture=sm_" + std::to_string(10 * attribute_of(device, MAJOR) + attribute_of(device, MINOR));
}

Chip chip_of(int device) {
  constexpr int MULTIPROCESSORS = 16, MOST_SHARED = 97;
  return {attribute_of(device, MULTIPROCESSORS), attribute_of(device, MOST_SHARED)};
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

struct Function {
  void *handle = nullptr;
  // Bytes of dynamic shared memory that launches may use. Up to 48 KB, static shared memory included, no kernel has to
  // opt in; opting in to any size is simpler.
  unsigned shared = 0;

  // Opts in to more, if a launch needs it.
  void allow(unsigned bytes) {
    constexpr int MOST_DYNAMIC_SHARED = 8;
    if (bytes <= shared) return;
    must(Libraries::get().set_function_attribute(handle, MOST_DYNAMIC_SHARED, int(bytes)), "cuFuncSetAttribute");
    shared = bytes;
  }
};

// The kernels for one dtype on one device.
struct Module {
  void *handle = nullptr;
  // Why the kernels are not available; empty if they are.
  std::string trouble;
  std::map<std::string, Function> functions;

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

  // Returns a kernel that may use this many bytes of dynamic shared memory.
  void *function(const std::string &name, unsigned shared) {
    auto &function = functions[name];
    if (!function.handle) must(Libraries::get().function(&function.handle, handle, name.c_str()), name.c_str());
    function.allow(shared);
    return function.handle;
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

void launch_on_device(const at::Tensor &x, int element, const std::string &kernel, const Launch &how, void **arguments) {
  c10::DeviceGuard guard(x.device());
  c10::impl::VirtualGuardImpl cuda(at::kCUDA);
  void *stream = cuda.getStreamNativeHandle(cuda.getStream(x.device()));
  void *function;
  {
    std::lock_guard<std::mutex> one(modules_mutex());
    function = modules().at({x.device().index(), element}).function(kernel, how.shared);
  }
  auto [grid, block, shared] = how;
  must(Libraries::get().launch(function, grid[0], grid[1], grid[2], block[0], block[1], block[2], shared, stream, arguments,
                               nullptr),
       kernel.c_str());
}

#else

bool can_launch_on_device(at::Device, int, std::string *) { return false; }

Chip chip_of(int) { return {0, 0}; }

void launch_on_device(const at::Tensor &, int, const std::string &, const Launch &, void **) {
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

Options options_for(const at::Tensor &x) { return x.is_cpu() ? emulated_options.load() : options; }

Chip chip_of(const at::Tensor &x) {
  // Emulated kernels run as on an H100.
  return x.is_cpu() ? Chip{132, 227 << 10} : chip_of(x.device().index());
}

void launch(const at::Tensor &x, const std::string &kernel, const Launch &how, void **arguments) {
  int element = element_of(x.scalar_type());
  if (x.is_cpu()) {
    TORCH_CHECK(emulator, "there is no emulator of CUDA kernels");
    return emulator(kernel.c_str(), element, how.grid.data(), how.block.data(), how.shared, arguments);
  }
  launch_on_device(x, element, kernel, how, arguments);
}

} // namespace geolearn::cuda

extern "C" {

// Sets the source to compile for CUDA devices, the folder to cache the result in, which may be empty, and the options of
// the layers. Without a source there are no kernels. Called once.
char *geolearn_cuda_kernels_source(const char *text, size_t length, const char *folder, size_t folder_length,
                                   bool norms_on_chip, bool recomputes) {
  return guarded([&] {
    geolearn::cuda::options = {norms_on_chip, recomputes};
    geolearn::cuda::source.assign(text, length);
    geolearn::cuda::folder.assign(folder, folder_length);
  });
}

// Sets the options of emulated layers; for tests.
char *geolearn_cuda_emulation_options(bool norms_on_chip, bool recomputes) {
  return guarded([&] { geolearn::cuda::emulated_options = geolearn::cuda::Options{norms_on_chip, recomputes}; });
}

// Runs kernels on the CPU through a library built from emulated.cpp; for tests.
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
