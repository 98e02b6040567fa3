// Autograd nodes that change only the memory layout of a gradient.
#include <torch/csrc/autograd/custom_function.h>

#include "guarded.h"

namespace {

struct ContiguousGradient : torch::autograd::Function<ContiguousGradient> {
  static at::Tensor forward(torch::autograd::AutogradContext *, const at::Tensor &x) { return x.view_as(x); }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *,
                                                 torch::autograd::variable_list gradients) {
    return {gradients[0].contiguous()};
  }
};

} // namespace

extern "C" char *geolearn_contiguous_gradient(at::Tensor *input, at::Tensor **output) {
  return guarded([&] { *output = new at::Tensor(ContiguousGradient::apply(*input)); });
}
