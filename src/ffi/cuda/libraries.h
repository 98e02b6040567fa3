// Functions of NVRTC and the CUDA driver, looked up by name, so that nothing links against CUDA.
#pragma once
#include <ATen/Context.h>
#include <c10/util/Exception.h>
#include <dlfcn.h>

#include <cstddef>
#include <string>
#include <type_traits>

namespace geolearn::cuda {

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
  Status (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
  Status (*set_function_attribute)(void *, int, int);
  Status (*attribute)(int *, int, int);
  Status (*compiler_version)(int *, int *);
  Status (*driver_version)(int *);
  Status (*free)(void *);

  static const Libraries &get() {
    static const Libraries found = find();
    return found;
  }

private:
  // libcaffe2_nvrtc, next to libtorch's own libraries, depends on both and finds the CUDA libraries that libtorch uses.
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
    take(made.launch, "cuLaunchKernel");
    take(made.set_function_attribute, "cuFuncSetAttribute");
    take(made.attribute, "cuDeviceGetAttribute");
    take(made.compiler_version, "nvrtcVersion");
    take(made.driver_version, "cuDriverGetVersion");
    // From the CUDA runtime, which libtorch loads into the process.
    made.free = reinterpret_cast<Status (*)(void *)>(dlsym(RTLD_DEFAULT, "cudaFree"));
    TORCH_CHECK(made.free, "CUDA's runtime has no cudaFree");
    return made;
  }
};

inline void must(int status, const char *what) { TORCH_CHECK(status == 0, what, " failed with status ", status); }

} // namespace geolearn::cuda
