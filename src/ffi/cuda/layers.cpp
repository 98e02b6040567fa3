// Layers of the networks on CUDA, each a single autograd node: cuDNN's convolutions in NHWC, which avoids layout
// conversions, and norms that also write the reflection padding for the next convolution.
#include <ATen/autocast_mode.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include "../guarded.h"
#include "norm.h"

namespace geolearn::cuda {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

at::Tensor nhwc(const at::Tensor &x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

struct ConvolutionForm {
  int64_t stride, padding;
  bool transposed;

  at::Tensor forward(const at::Tensor &x, const at::Tensor &weight) const {
    return nhwc(at::convolution(x, weight, {}, {stride, stride}, {padding, padding}, {1, 1}, transposed,
                                {transposed, transposed}, 1));
  }

  // Returns the gradients of the input and of the weight.
  std::array<at::Tensor, 2> backward(const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &weight,
                                     std::array<bool, 2> wanted) const {
    auto made = at::convolution_backward(gradient, x, weight, std::nullopt, {stride, stride}, {padding, padding}, {1, 1},
                                         transposed, {transposed, transposed}, 1, {wanted[0], wanted[1], false});
    return {std::get<0>(made), std::get<1>(made)};
  }
};

// activation(norm(conv(x))), with a border.
struct ConvolutionNorm : Function<ConvolutionNorm> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &kernel, int64_t stride,
                            int64_t padding, bool transposed, double slope, double epsilon, int64_t border) {
    auto x = nhwc(input), weight = nhwc(kernel);
    auto made = ConvolutionForm{stride, padding, transposed}.forward(x, weight);
    auto y = norm_of(made, epsilon, {}, slope, border);
    context->save_for_backward({x, weight, made, y.moments});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["transposed"] = transposed;
    context->saved_data["slope"] = slope;
    context->saved_data["border"] = border;
    return y.map;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto &data = context->saved_data;
    auto to_made = normalised_gradient(nhwc(gradients[0]), saved[2], saved[3], data["slope"].toDouble(), data["border"].toInt());
    ConvolutionForm form{data["stride"].toInt(), data["padding"].toInt(), data["transposed"].toBool()};
    auto made = form.backward(to_made, saved[0], saved[1], {context->needs_input_grad(0), context->needs_input_grad(1)});
    variable_list all(8);
    all[0] = made[0];
    all[1] = made[1];
    return all;
  }
};

// x + norm(conv(reflect(relu(norm(conv(x)))))), with a border; x has a border of 1. The backward pass may compute the map
// between the two convolutions again: one more launch for a quarter of the block's memory.
struct Residual : Function<Residual> {
  static constexpr ConvolutionForm form{1, 0, false};

  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &kernel1,
                            const at::Tensor &kernel2, double epsilon, int64_t border) {
    auto x = nhwc(input), weight1 = nhwc(kernel1), weight2 = nhwc(kernel2);
    auto first = form.forward(x, weight1);
    auto hidden = norm_of(first, epsilon, {}, 0, 1);
    auto second = form.forward(hidden.map, weight2);
    auto y = norm_of(second, epsilon, {x, 1}, 1, border);
    auto kept = options_for(x).recomputes ? at::Tensor() : hidden.map;
    context->save_for_backward({x, weight1, weight2, first, hidden.moments, second, y.moments, kept});
    context->saved_data["border"] = border;
    return y.map;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto x = saved[0], first = saved[3], moments1 = saved[4];
    auto gradient = nhwc(gradients[0]);
    int64_t border = context->saved_data["border"].toInt();
    auto to_second = normalised_gradient(gradient, saved[5], saved[6], 1, border);
    auto hidden = saved[7].defined() ? saved[7] : normalised(first, moments1, {}, 0, 1);
    auto [to_hidden, to_weight2] = form.backward(to_second, hidden, saved[2], {true, context->needs_input_grad(2)});
    hidden.reset();
    auto to_first = normalised_gradient(nhwc(to_hidden), first, moments1, 0, 1);
    auto [to_x, to_weight1] = form.backward(to_first, x, saved[1], {true, context->needs_input_grad(1)});
    to_x = nhwc(to_x);
    add_folded(gradient, border, to_x, 1);
    return {to_x, to_weight1, to_weight2, Variable(), Variable()};
  }
};

// Casts to the dtype that convolutions use under autocast. Weights are cast once per autocast region.
at::Tensor cast(const at::Tensor &x) {
  if (!at::autocast::is_autocast_enabled(x.device().type())) return x;
  return at::autocast::cached_cast(at::autocast::get_autocast_dtype(x.device().type()), x, x.device().type());
}

// Returns the dtype that `cast` produces; f64 stays f64.
at::ScalarType cast_kind(const at::Tensor &x) {
  auto kind = x.scalar_type();
  bool is_cast = at::autocast::is_autocast_enabled(x.device().type()) && kind != at::kDouble && x.is_floating_point();
  return is_cast ? at::autocast::get_autocast_dtype(x.device().type()) : kind;
}

void check(const at::Tensor &x, const at::Tensor &weight, int64_t channels) {
  TORCH_CHECK(weight.dim() == 4 && weight.size(2) == weight.size(3), "a kernel must be square");
  TORCH_CHECK(x.size(1) == channels, "a kernel of ", channels, " channels cannot take maps of ", x.size(1));
}

void check_border(const at::Tensor &x, int64_t height, int64_t width, int64_t border) {
  TORCH_CHECK(x.numel() > 0, "there is no image");
  TORCH_CHECK(height * width > 1, "instance norm needs more than one pixel");
  TORCH_CHECK(border >= 0 && border <= 3 && border < height && border < width, "a border of ", border, " around ", height,
              " x ", width, " pixels cannot be reflected");
  TORCH_CHECK(height * width <= INT32_MAX, "an image is too large");
}

} // namespace
} // namespace geolearn::cuda

extern "C" {

// Sets `fit` to whether the functions below accept such maps. If this call tried to compile the kernels and failed,
// sets `trouble` to a message that the caller frees.
char *geolearn_cuda_layers_fit(const at::Tensor *x, bool *fit, char **trouble) {
  return guarded([&] {
    std::string words;
    *fit = x->dim() == 4 && x->numel() > 0 &&
           geolearn::cuda::can_launch(x->device(), geolearn::cuda::cast_kind(*x), &words);
    *trouble = words.empty() ? nullptr : geolearn_message(words.c_str());
  });
}

char *geolearn_cuda_convolution_norm(const at::Tensor *x, const at::Tensor *weight, int64_t stride, int64_t padding,
                                     bool transposed, double slope, double epsilon, int64_t border, at::Tensor **output) {
  return guarded([&] {
    using namespace geolearn::cuda;
    check(*x, *weight, weight->size(transposed ? 0 : 1));
    int64_t side = weight->size(2);
    auto length = [&](int64_t n) {
      return transposed ? (n - 1) * stride - 2 * padding + side + 1 : (n + 2 * padding - side) / stride + 1;
    };
    check_border(*x, length(x->size(2)), length(x->size(3)), border);
    *output = new at::Tensor(
        ConvolutionNorm::apply(cast(*x), cast(*weight), stride, padding, transposed, slope, epsilon, border));
  });
}

char *geolearn_cuda_residual(const at::Tensor *x, const at::Tensor *weight1, const at::Tensor *weight2, double epsilon,
                             int64_t border, at::Tensor **output) {
  return guarded([&] {
    using namespace geolearn::cuda;
    for (auto weight : {weight1, weight2}) {
      check(*x, *weight, weight->size(1));
      TORCH_CHECK(weight->size(0) == x->size(1) && weight->size(2) == 3, "a residual block has 3 x 3 kernels that keep channels");
    }
    check_border(*x, x->size(2) - 2, x->size(3) - 2, std::max<int64_t>(border, 1));
    *output = new at::Tensor(Residual::apply(cast(*x), cast(*weight1), cast(*weight2), epsilon, border));
  });
}
}
