// What tch does not offer, as a C interface. Each function catches everything: it gives null for
// success or a message that the caller frees with geolearn_free.
#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/mul.h>
#include <c10/core/GradMode.h>

#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

template <class F> char *guarded(F &&body) {
  try {
    body();
    return nullptr;
  } catch (const c10::Error &error) {
    return strdup(error.what_without_backtrace());
  } catch (const std::exception &error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("unknown C++ exception");
  }
}

std::vector<at::Tensor> gather(at::Tensor **tensors, size_t count) {
  std::vector<at::Tensor> list;
  list.reserve(count);
  for (size_t i = 0; i < count; i++) list.push_back(*tensors[i]);
  return list;
}

} // namespace

extern "C" {

void geolearn_free(char *message) { free(message); }

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
}
