// A C interface to what tch lacks. Each function catches every exception and returns null on success, or a message that
// the caller frees with geolearn_free.
#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/add.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include "guarded.h"

#include <limits>
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

char *geolearn_add(at::Tensor *input, double number, at::Tensor **output) {
  return guarded([&] { *output = new at::Tensor(at::add(*input, number)); });
}

char *geolearn_at_least(at::Tensor *input, double least, at::Tensor **output) {
  return guarded([&] { *output = new at::Tensor(at::clamp_min(*input, least)); });
}

char *geolearn_channels_last(at::Tensor *input, at::Tensor **output) {
  return guarded([&] { *output = new at::Tensor(input->contiguous(at::MemoryFormat::ChannelsLast)); });
}

char *geolearn_zeros_pinned(const int64_t *sizes, size_t count, at::Tensor **output) {
  return guarded([&] {
    auto options = at::TensorOptions().dtype(at::kFloat).pinned_memory(true);
    *output = new at::Tensor(at::zeros(at::IntArrayRef(sizes, count), options));
  });
}

// Sets `finite` to whether every value is finite, with a handful of kernels and a single device synchronization. The
// tensors are floating-point and on one device.
char *geolearn_all_finite(at::Tensor **tensors, size_t count, bool *finite) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    std::vector<at::Tensor> list;
    for (size_t i = 0; i < count; i++)
      if (tensors[i]->numel() > 0) list.push_back(*tensors[i]);
    if (list.empty()) {
      *finite = true;
      return;
    }
    // The largest magnitude in a tensor is not finite if any of its values is not.
    auto largest = at::_foreach_norm(list, std::numeric_limits<double>::infinity());
    for (auto &value : largest) value = value.to(at::kDouble);
    *finite = at::isfinite(at::stack(largest)).all().item<bool>();
  });
}

char *geolearn_fused_adamw(at::Tensor **params, at::Tensor **grads, at::Tensor **first, at::Tensor **second,
                           at::Tensor **steps, size_t count, double lr, double beta1, double beta2,
                           double weight_decay, double eps) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    auto p = gather(params, count), g = gather(grads, count), m = gather(first, count), v = gather(second, count),
         s = gather(steps, count);
    // The kernel expects the number of the current step, not of the previous one.
    at::_foreach_add_(s, 1);
    at::_fused_adamw_(p, g, m, v, {}, s, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false);
  });
}

// Moves each tensor of the first list by `share` of the way toward its counterpart in the second.
char *geolearn_lerp_all(at::Tensor **from, at::Tensor **to, size_t count, double share) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    at::_foreach_lerp_(gather(from, count), gather(to, count), at::Scalar(share));
  });
}

// Enables or disables autocast to bfloat16 on this thread; writes the previous state, which geolearn_autocast_end
// restores.
char *geolearn_autocast_begin(bool cuda, bool on, bool *was_on, int *old_dtype) {
  return guarded([&] {
    auto device = cuda ? at::kCUDA : at::kCPU;
    *was_on = at::autocast::is_autocast_enabled(device);
    *old_dtype = static_cast<int>(at::autocast::get_autocast_dtype(device));
    at::autocast::increment_nesting();
    at::autocast::set_autocast_dtype(device, at::kBFloat16);
    at::autocast::set_autocast_enabled(device, on);
  });
}

char *geolearn_autocast_end(bool cuda, bool was_on, int old_dtype) {
  return guarded([&] {
    auto device = cuda ? at::kCUDA : at::kCPU;
    at::autocast::set_autocast_enabled(device, was_on);
    at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(old_dtype));
    at::autocast::decrement_nesting();
    // Cached casts of weights are stale after the next update, even if the caller keeps autocast on throughout.
    at::autocast::clear_cache();
  });
}

// Process-wide switches, packed into one number: TF32 in cuBLAS (1) and cuDNN (2), deterministic algorithms (4) and
// deterministic cuDNN (8), cuDNN's search for the fastest algorithm (16), and filling new memory in deterministic mode
// (32).
//
// Precisions are read through the newer interface, which never throws, and written through the older one, which keeps
// the two in sync.
char *geolearn_arithmetic_get(int *bits) {
  return guarded([&] {
    auto &context = at::globalContext();
    auto takes_tf32 = [&](at::Float32Op op) {
      return context.float32Precision(at::Float32Backend::CUDA, op) == at::Float32Precision::TF32;
    };
    *bits = takes_tf32(at::Float32Op::MATMUL) | takes_tf32(at::Float32Op::CONV) << 1 |
            context.deterministicAlgorithms() << 2 | context.deterministicCuDNN() << 3 | context.benchmarkCuDNN() << 4 |
            context.deterministicFillUninitializedMemory() << 5;
  });
}

char *geolearn_arithmetic_set(int bits) {
  return guarded([&] {
    auto &context = at::globalContext();
    context.setAllowTF32CuBLAS(bits & 1);
    context.setAllowTF32CuDNN(bits & 2);
    context.setDeterministicAlgorithms(bits & 4, /*warn_only=*/false);
    context.setDeterministicCuDNN(bits & 8);
    context.setBenchmarkCuDNN(bits & 16);
    context.setDeterministicFillUninitializedMemory(bits & 32);
  });
}
}
