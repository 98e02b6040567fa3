#include "kernels.h"

#include <ATen/Context.h>

#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#ifndef _WIN32
#include <dlfcn.h>
#include <unistd.h>
#endif

#include "../guarded.h"

namespace geolearn::cuda {
namespace {

using Emulator = void (*)(const char *kernel, int element, const unsigned *grid, const unsigned *block, void **arguments);

// Stands in for a device in tests: kernels then run on the processor. Set once, before any layer.
Emulator emulator = nullptr;
std::string source;
// Where compiled kernels are kept from one process to the next; empty where there is no such folder.
std::string kept_in;

// The number by which layers.cu knows a dtype, or -1.
int element_of(at::ScalarType kind) {
  switch (kind) {
  case at::kBFloat16: return 0;
  case at::kFloat: return 1;
  case at::kDouble: return 2;
  default: return -1;
  }
}

#ifndef _WIN32

// What is called of NVRTC and of CUDA's driver. Their own headers are not needed to build this crate.
struct Libraries {
  using Status = int;
  Status (*create)(void **, const char *, const char *, int, const char *const *, const char *const *);
  Status (*compile)(void *, int, const char *const *);
  Status (*destroy)(void **);
  Status (*log_size)(void *, size_t *);
  Status (*log)(void *, char *);
  Status (*code_size)(void *, size_t *);
  Status (*code)(void *, char *);
  Status (*load)(void **, const void *);
  Status (*function)(void **, void *, const char *);
  Status (*start)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
  Status (*attribute)(int *, int, int);
  Status (*compiler_version)(int *, int *);
  Status (*driver_version)(int *);

  static const Libraries &get() {
    static const Libraries found = find();
    return found;
  }

private:
  // libtorch has a small library beside it that needs both, and knows where its own CUDA lies.
  static void *open_both() {
    Dl_info here;
    if (dladdr(reinterpret_cast<void *>(&at::globalContext), &here) && here.dli_fname) {
      std::string path = here.dli_fname;
      path = path.substr(0, path.rfind('/') + 1) + "libcaffe2_nvrtc.so";
      return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    }
    return nullptr;
  }

  static Libraries find() {
    void *both = open_both();
    TORCH_CHECK(both, "libcaffe2_nvrtc.so cannot be loaded from libtorch's folder: ", dlerror());
    Libraries made;
    auto take = [&](auto &function, const char *name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(both, name));
      TORCH_CHECK(function, "CUDA's libraries have no ", name);
    };
    take(made.create, "nvrtcCreateProgram");
    take(made.compile, "nvrtcCompileProgram");
    take(made.destroy, "nvrtcDestroyProgram");
    take(made.log_size, "nvrtcGetProgramLogSize");
    take(made.log, "nvrtcGetProgramLog");
    take(made.code_size, "nvrtcGetCUBINSize");
    take(made.code, "nvrtcGetCUBIN");
    take(made.load, "cuModuleLoadData");
    take(made.function, "cuModuleGetFunction");
    take(made.start, "cuLaunchKernel");
    take(made.attribute, "cuDeviceGetAttribute");
    take(made.compiler_version, "nvrtcVersion");
    take(made.driver_version, "cuDriverGetVersion");
    return made;
  }
};

void must(int status, const char *what) { TORCH_CHECK(status == 0, what, " failed with status ", status); }

std::string architecture_of(int device) {
  constexpr int major = 75, minor = 76;
  int numbers[2];
  must(Libraries::get().attribute(&numbers[0], major, device), "cuDeviceGetAttribute");
  must(Libraries::get().attribute(&numbers[1], minor, device), "cuDeviceGetAttribute");
  return "--gpu-architecture=sm_" + std::to_string(10 * numbers[0] + numbers[1]);
}

using Code = std::vector<char>;

// FNV-1a: tells files apart, and a whole one from a broken one.
uint64_t hash_of(const char *bytes, size_t count, uint64_t hash = 0xcbf29ce484222325) {
  for (size_t i = 0; i < count; i++) hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3;
  return hash;
}

// The kernels compiled before by the same compiler for the same device and driver; its name says so, its first bytes whether it
// is whole.
struct Kept {
  std::string path;

  explicit Kept(const std::vector<std::string> &options) {
    if (kept_in.empty()) return;
    int numbers[3] = {};
    Libraries::get().compiler_version(&numbers[0], &numbers[1]);
    Libraries::get().driver_version(&numbers[2]);
    auto hash = hash_of(source.data(), source.size());
    for (auto &option : options) hash = hash_of(option.data(), option.size() + 1, hash);
    hash = hash_of(reinterpret_cast<const char *>(numbers), sizeof(numbers), hash);
    path = kept_in + "/layers-" + std::to_string(hash) + ".cubin";
  }

  Code read() const {
    std::ifstream file(path, std::ios::binary);
    Code bytes((std::istreambuf_iterator<char>(file)), {});
    uint64_t hash;
    if (bytes.size() <= sizeof(hash)) return {};
    std::memcpy(&hash, bytes.data(), sizeof(hash));
    Code code(bytes.begin() + sizeof(hash), bytes.end());
    return hash_of(code.data(), code.size()) == hash ? code : Code();
  }

  // A cache: where it cannot be written, the next process compiles again.
  void write(const Code &code) const {
    if (path.empty()) return;
    std::error_code failed;
    std::filesystem::create_directories(kept_in, failed);
    auto hash = hash_of(code.data(), code.size());
    auto part = path + "." + std::to_string(getpid());
    {
      std::ofstream file(part, std::ios::binary);
      file.write(reinterpret_cast<const char *>(&hash), sizeof(hash));
      file.write(code.data(), code.size());
      if (!file.flush()) failed = std::make_error_code(std::errc::io_error);
    }
    if (!failed) std::filesystem::rename(part, path, failed);
    if (failed) std::filesystem::remove(part, failed);
  }
};

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
  std::string trouble;
  std::map<std::string, void *> functions;

  Module(int device, int element) {
    try {
      std::vector<std::string> options = {architecture_of(device), "--std=c++17",
                                          "-DGEOLEARN_ELEMENT=" + std::to_string(element)};
      Kept kept(options);
      auto code = kept.read();
      if (!code.empty() && Libraries::get().load(&handle, code.data()) == 0) return;
      code = compiled(options);
      must(Libraries::get().load(&handle, code.data()), "cuModuleLoadData");
      kept.write(code);
    } catch (const c10::Error &error) {
      trouble = error.what_without_backtrace();
      TORCH_WARN("layers of this crate's own cannot run on CUDA, so libtorch's do the work: ", trouble);
    }
  }

  void *function(const std::string &name) {
    auto [place, is_new] = functions.try_emplace(name, nullptr);
    if (is_new) must(Libraries::get().function(&place->second, handle, name.c_str()), name.c_str());
    return place->second;
  }
};

// Modules live as long as the process: its end takes the context away before C++ would unload them.
Module &module_of(int device, int element) {
  static auto &modules = *new std::map<std::pair<int, int>, Module>();
  return modules.try_emplace({device, element}, device, element).first->second;
}

std::mutex &modules_mutex() {
  static auto &mutex = *new std::mutex();
  return mutex;
}

bool can_launch_on_device(at::Device device, int element) {
  c10::impl::VirtualGuardImpl cuda(at::kCUDA);
  auto before = cuda.exchangeDevice(device);
  std::lock_guard<std::mutex> one(modules_mutex());
  bool can = module_of(device.index(), element).trouble.empty();
  cuda.setDevice(before);
  return can;
}

void launch_on_device(const at::Tensor &x, int element, const std::string &kernel, Extent grid, Extent block,
                      void **arguments) {
  c10::impl::VirtualGuardImpl cuda(at::kCUDA);
  void *stream = cuda.getStreamNativeHandle(cuda.getStream(x.device()));
  void *function;
  {
    std::lock_guard<std::mutex> one(modules_mutex());
    function = module_of(x.device().index(), element).function(kernel);
  }
  auto before = cuda.exchangeDevice(x.device());
  int status = Libraries::get().start(function, grid[0], grid[1], grid[2], block[0], block[1], block[2], 0, stream,
                                      arguments, nullptr);
  cuda.setDevice(before);
  must(status, kernel.c_str());
}

#else

bool can_launch_on_device(at::Device, int) { return false; }

void launch_on_device(const at::Tensor &, int, const std::string &, Extent, Extent, void **) {
  TORCH_CHECK(false, "layers of this crate's own do not run on CUDA on this system");
}

#endif

} // namespace

bool can_launch(at::Device device, at::ScalarType kind) {
  int element = element_of(kind);
  if (element < 0) return false;
  if (device.is_cpu()) return emulator != nullptr;
  return device.is_cuda() && !source.empty() && can_launch_on_device(device, element);
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

// What is to be compiled where a CUDA device is asked for, and the folder to keep it in, which may be empty; without it there are
// no kernels. Called once.
char *geolearn_cuda_kernels_source(const char *text, size_t length, const char *folder, size_t folder_length) {
  return guarded([&] {
    geolearn::cuda::source.assign(text, length);
    geolearn::cuda::kept_in.assign(folder, folder_length);
  });
}

// Lets kernels run on the processor, by a library made of layers.cu; for tests.
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
