// Communication between CUDA devices of several processes: libtorch's process group over NCCL.
//
// The class is in libtorch_cuda, whose symbols a program linked against a CPU-only libtorch cannot reference. So its
// constructors and destructor are looked up by their mangled names (Itanium C++ ABI, GCC and Clang), and the object is
// placed in a buffer larger than it needs (1,112 bytes in libtorch 2.11). Everything else is called through the vtable
// of its base class, whose header every libtorch includes.
#include "group.h"

#if defined(__linux__)
#include <dlfcn.h>

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>

#include <cstddef>
#include <new>
#include <thread>
#include <vector>

namespace geolearn {
namespace {

using Options = c10::intrusive_ptr<c10d::Backend::Options>;

template <class F> void find(F *&pointer, const char *name) {
  pointer = reinterpret_cast<F *>(dlsym(RTLD_DEFAULT, name));
  TORCH_CHECK(pointer, "this libtorch has no NCCL: ", name, " is missing");
}

// c10d::ProcessGroupNCCL's functions.
struct Functions {
  void (*construct)(void *, Store, int, int, Options);
  void (*destruct)(void *);
  void (*construct_options)(void *, bool);

  Functions() {
    find(construct, "_ZN4c10d16ProcessGroupNCCLC1EN3c1013intrusive_ptrINS_5StoreENS1_6detail34intrusive_target_default_null_typeIS3_EEEEi"
                    "iNS2_INS0_7OptionsENS5_IS8_EEEE");
    find(destruct, "_ZN4c10d16ProcessGroupNCCLD1Ev");
    find(construct_options, "_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb");
  }
};

const Functions &functions() {
  static const Functions found;
  return found;
}

// libtorch would free the options by a size that is not known here, so they are deliberately leaked, once per group.
Options options(Milliseconds timeout) {
  constexpr size_t ENOUGH = 4096;
  void *memory = ::operator new(ENOUGH);
  functions().construct_options(memory, /*is_high_priority_stream=*/false);
  auto options = Options::unsafe_steal_from_new(static_cast<c10d::Backend::Options *>(memory));
  c10::raw::intrusive_ptr::incref(options.get());
  options->timeout = timeout;
  return options;
}

class Nccl final : public Group {
public:
  Nccl(const Store &store, int rank, int size, Milliseconds timeout) {
    functions().construct(object_, store, rank, size, options(timeout));
  }
  ~Nccl() override {
    try {
      backend().shutdown();
    } catch (...) {
    }
    functions().destruct(object_);
  }
  Nccl(const Nccl &) = delete;

  c10d::Backend &backend() override { return *std::launder(reinterpret_cast<c10d::Backend *>(object_)); }

  // Polls instead of calling NCCL's own wait, which aborts the work when it times out.
  bool waited(c10d::Work &work, Milliseconds most) const override {
    constexpr std::chrono::microseconds LOOK(20);
    auto end = std::chrono::steady_clock::now() + most;
    while (!work.isCompleted()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      std::this_thread::sleep_for(LOOK);
    }
    return true;
  }

private:
  alignas(64) std::byte object_[8192];
};

} // namespace

void check_nccl() { functions(); }

std::unique_ptr<Group> nccl_group(const Store &store, int rank, int size, int device, Milliseconds timeout) {
  c10::Device cuda(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(device));
  c10::DeviceGuard guard(cuda);
  auto group = std::make_unique<Nccl>(store, rank, size, timeout);
  // NCCL connects lazily, at the first collective.
  std::vector<at::Tensor> count{at::ones({1}, at::TensorOptions().device(cuda).dtype(at::kFloat))};
  auto work = group->backend().allreduce(count);
  TORCH_CHECK(group->waited(*work, timeout), "NCCL does not connect the processes");
  work->wait();
  auto found = count[0].item<float>();
  TORCH_CHECK(found == static_cast<float>(size), "NCCL counted ", found, " processes in place of ", size);
  return group;
}

} // namespace geolearn
#endif
