// What tch does not offer, as a C interface. Each function catches everything: it gives null for
// success or a message that the caller frees with geolearn_free.
#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/mul.h>
#include <c10/core/GradMode.h>

#include "guarded.h"

#include <vector>

namespace {

std::vector<at::Tensor> gather(at::Tensor **tensors, size_t count) {
  std::vector<at::Tensor> list;
  list.reserve(count);
  for (size_t i = 0; i < count; i++) list.push_back(*tensors[i]);
  return list;
}

} // namespace

extern "C" {

void geolearn_free(char *message) {
  if (message != geolearn_no_message) free(message);
}

char *geolearn_leaky_relu(at::Tensor *input, double slope, at::Tensor **output) {
  return guarded([&] { *output = new at::Tensor(at::leaky_relu(*input, slope)); });
}

char *geolearn_scale(at::Tensor *input, double factor, at::Tensor **output) {
  return guarded([&] { *output = new at::Tensor(at::mul(*input, factor)); });
}

char *geolearn_fused_adamw(at::Tensor **params, at::Tensor **grads, at::Tensor **first, at::Tensor **second,
                           at::Tensor **steps, size_t count, double lr, double beta1, double beta2,
                           double weight_decay, double eps) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    auto p = gather(params, count), g = gather(grads, count), m = gather(first, count), v = gather(second, count),
         s = gather(steps, count);
    at::_fused_adamw_(p, g, m, v, {}, s, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false);
  });
}

// Casts to bfloat16 on this thread where that is safe; gives what was set before, as geolearn_autocast_end takes it.
char *geolearn_autocast_begin(bool cuda, bool *was_on, int *old_dtype) {
  return guarded([&] {
    auto device = cuda ? at::kCUDA : at::kCPU;
    *was_on = at::autocast::is_autocast_enabled(device);
    *old_dtype = static_cast<int>(at::autocast::get_autocast_dtype(device));
    at::autocast::increment_nesting();
    at::autocast::set_autocast_dtype(device, at::kBFloat16);
    at::autocast::set_autocast_enabled(device, true);
  });
}

char *geolearn_autocast_end(bool cuda, bool was_on, int old_dtype) {
  return guarded([&] {
    auto device = cuda ? at::kCUDA : at::kCPU;
    at::autocast::set_autocast_enabled(device, was_on);
    at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(old_dtype));
    // Weights that were cast are stale after the next update.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  });
}

// Three switches of the process, in one number: TF32 in cuBLAS (1) and cuDNN (2), deterministic algorithms (4) and
// deterministic cuDNN (8).
char *geolearn_arithmetic_get(int *bits) {
  return guarded([&] {
    auto &context = at::globalContext();
    *bits = context.allowTF32CuBLAS() | context.allowTF32CuDNN() << 1 | context.deterministicAlgorithms() << 2 |
            context.deterministicCuDNN() << 3;
  });
}

char *geolearn_arithmetic_set(int bits) {
  return guarded([&] {
    auto &context = at::globalContext();
    context.setAllowTF32CuBLAS(bits & 1);
    context.setAllowTF32CuDNN(bits & 2);
    context.setDeterministicAlgorithms(bits & 4, /*warn_only=*/false);
    context.setDeterministicCuDNN(bits & 8);
  });
}
}
