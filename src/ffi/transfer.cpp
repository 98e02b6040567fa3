// Copies of a device's tensors to main memory that are under way while both sides go on.
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

// Begins to copy a tensor of a device; what was begun on the same device afterwards does not hold the copy up.
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

// The memory of a copy that is still under way stays until it is complete: libtorch's allocator sees to that.
char *geolearn_transfer_end(Transfer *transfer) {
  return guarded([&] { delete transfer; });
}
}
