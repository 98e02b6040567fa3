// Asynchronous copies of a device's tensors to main memory.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "guarded.h"

namespace {

struct Transfer {
  at::Tensor host;
  c10::Event arrived;
};

} // namespace

extern "C" {

// Starts copying a device's tensor; work queued on the device afterwards does not delay the copy.
char *geolearn_transfer_begin(const at::Tensor *tensor, Transfer **transfer) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    auto from = tensor->contiguous();
    auto host = at::empty(from.sizes(), from.options().device(at::kCPU).pinned_memory(true));
    host.copy_(from, /*non_blocking=*/true);
    c10::impl::VirtualGuardImpl device(from.device().type());
    c10::Event arrived(from.device().type());
    arrived.record(device.getStream(from.device()));
    *transfer = new Transfer{std::move(host), std::move(arrived)};
  });
}

// Waits until the copy is complete.
char *geolearn_transfer_wait(const Transfer *transfer, at::Tensor **output) {
  return guarded([&] {
    transfer->arrived.synchronize();
    *output = new at::Tensor(transfer->host);
  });
}

// Frees a transfer. libtorch's allocator keeps the memory of a copy in progress until it completes.
char *geolearn_transfer_end(Transfer *transfer) {
  return guarded([&] { delete transfer; });
}
}
