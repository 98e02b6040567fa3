// Layers of the networks on the CPU, each a single autograd node: it saves fewer tensors and makes fewer passes over
// memory than the operators it replaces.
#include <ATen/autocast_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>

#include "../guarded.h"
#include "columns.h"
#include "conv3x3.h"
#include "norm.h"
#include "spread.h"

namespace geolearn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

Map shape_of(const at::Tensor &x) { return {x.size(0), x.size(2), x.size(3), x.size(1)}; }

at::Tensor nhwc(const at::Tensor &x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

// Calls `work` with a value of the tensor's dtype.
template <class F> auto for_dtype(const at::Tensor &x, F work) {
  return x.scalar_type() == at::kDouble ? work(double{}) : work(float{});
}

at::TensorOptions options_of(const at::Tensor &x) { return x.options().memory_format(std::nullopt); }

// A convolution or transposed convolution in NHWC. libtorch's own kernels are the fastest there, with two exceptions:
// for the gradient of the weights they take two to five times as long as a matrix product, and for a strided transposed
// convolution their rounding depends on the number of threads.
struct Convolution : Function<Convolution> {
  // Up to this many channels of a gradient, writing the columns of a product costs more than the product saves.
  static constexpr int64_t NARROW = 64;

  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &weight,
                            const at::Tensor &bias, int64_t stride, int64_t padding, bool transposed, bool normalised) {
    auto x = nhwc(input);
    context->save_for_backward({x, weight});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["transposed"] = transposed;
    context->saved_data["normalised"] = normalised;
    if (transposed) return spread(x, weight, &bias, {weight.size(2), stride, padding}, large_size(x, weight, stride, padding));
    return at::convolution(x, weight, bias, {stride, stride}, {padding, padding}, {1, 1}, false, {0, 0}, 1);
  }

  // Returns the output size of a transposed convolution with an output padding of 1, as used throughout this crate.
  static std::vector<int64_t> large_size(const at::Tensor &x, const at::Tensor &weight, int64_t stride, int64_t padding) {
    auto side = [&](int64_t length) { return (length - 1) * stride - 2 * padding + weight.size(2) + 1; };
    return {x.size(0), weight.size(1), side(x.size(2)), side(x.size(3))};
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto x = saved[0], weight = saved[1], gradient = nhwc(gradients[0]);
    int64_t stride = context->saved_data["stride"].toInt(), padding = context->saved_data["padding"].toInt();
    bool transposed = context->saved_data["transposed"].toBool();
    variable_list made(7);
    if (context->needs_input_grad(0)) made[0] = input_gradient(x, weight, gradient, {weight.size(2), stride, padding}, transposed);
    if (context->needs_input_grad(1)) {
      made[1] = weight_gradient(x, gradient, {weight.size(2), stride, padding}, transposed);
    }
    if (context->needs_input_grad(2)) {
      // The norm that follows removes the bias, so its gradient is zero.
      bool is_felt = !context->saved_data["normalised"].toBool();
      OneThread alone;
      made[2] = is_felt ? gradient.sum({0, 2, 3}) : at::zeros({gradient.size(1)}, options_of(x));
    }
    return made;
  }

  static at::Tensor input_gradient(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &gradient,
                                   Stencil stencil, bool transposed) {
    int64_t border = stencil.side - 1 - stencil.padding;
    if (!transposed && stencil.stride == 1 && border >= 0 && gradient.size(1) <= NARROW) {
      // A convolution with the flipped kernel. The padding is added first because, with wide padding of its own,
      // libtorch's convolution gives results that depend on the number of threads.
      auto turned = weight.flip({2, 3}).transpose(0, 1).contiguous(at::MemoryFormat::ChannelsLast);
      auto bordered = at::constant_pad_nd(gradient, {border, border, border, border});
      return at::convolution(bordered, turned, {}, {1, 1}, {0, 0}, {1, 1}, false, {0, 0}, 1);
    }
    if (!transposed) return spread(gradient, weight, nullptr, stencil, x.sizes().vec());
    // The gradient of a transposed convolution is a convolution with the same stride and padding.
    std::array<int64_t, 2> stride{stencil.stride, stencil.stride}, padding{stencil.padding, stencil.padding};
    return at::convolution(gradient, weight, {}, stride, padding, {1, 1}, false, {0, 0}, 1);
  }

  static at::Tensor spread(const at::Tensor &small, const at::Tensor &weight, const at::Tensor *bias, Stencil stencil,
                           const std::vector<int64_t> &size) {
    TORCH_CHECK(weight.size(0) == small.size(1) && weight.size(1) == size[1], "a kernel of ", weight.sizes(),
                " does not lead from ", small.size(1), " channels to ", size[1]);
    TORCH_CHECK(weight.scalar_type() == small.scalar_type(), "a kernel is of another dtype than its input");
    TORCH_CHECK(!bias || (bias->numel() == size[1] && bias->scalar_type() == small.scalar_type()),
                "a bias must be of ", size[1], " numbers of the dtype of the input");
    auto large = at::empty(size, options_of(small).memory_format(at::MemoryFormat::ChannelsLast));
    for_dtype(small, [&](auto zero) {
      using T = decltype(zero);
      auto numbers = bias ? bias->contiguous() : at::Tensor();
      Spread<T>(small.const_data_ptr<T>(), shape_of(small), shape_of(large), weight, stencil)
          .write(bias ? numbers.const_data_ptr<T>() : nullptr, large.mutable_data_ptr<T>());
    });
    return large;
  }

  static at::Tensor weight_gradient(const at::Tensor &x, const at::Tensor &gradient, Stencil stencil, bool transposed) {
    if (transposed) return products(gradient, x, stencil);
    // Columns are best built from the map with fewer channels.
    if (stencil.stride > 1 || gradient.size(1) >= x.size(1)) return products(x, gradient, stencil);
    Stencil turned{stencil.side, 1, stencil.side - 1 - stencil.padding};
    return products(gradient, x, turned).flip({2, 3}).transpose(0, 1).contiguous();
  }

  static at::Tensor products(const at::Tensor &large, const at::Tensor &small, Stencil stencil) {
    return for_dtype(large, [&](auto zero) {
      using T = decltype(zero);
      return WeightGradient<T>(large.const_data_ptr<T>(), shape_of(large), small.const_data_ptr<T>(), shape_of(small),
                               stencil, options_of(large))
          .sum();
    });
  }
};

// activation(norm(x)).
struct NormActivation : Function<NormActivation> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, double slope, double epsilon) {
    auto x = nhwc(input);
    auto y = at::empty_like(x);
    auto moments = for_dtype(x, [&](auto zero) {
      using T = decltype(zero);
      auto moments = moments_of(x.const_data_ptr<T>(), shape_of(x), epsilon, options_of(x));
      Normalised<T> source{x.const_data_ptr<T>(), view<T>(moments), T(slope)};
      write<T>(shape_of(x), source, nullptr, y.mutable_data_ptr<T>());
      return moments;
    });
    context->save_for_backward({x, moments});
    context->saved_data["slope"] = slope;
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto x = saved[0], moments = saved[1], gradient = nhwc(gradients[0]);
    auto made = at::empty_like(x);
    for_dtype(x, [&](auto zero) {
      using T = decltype(zero);
      T slope = T(context->saved_data["slope"].toDouble());
      Returned<T> returned{gradient.const_data_ptr<T>(), {x.const_data_ptr<T>(), view<T>(moments), slope}};
      NormGradient<T> norm(returned, shape_of(x), options_of(x));
      write<T>(shape_of(x), norm.source(), nullptr, made.mutable_data_ptr<T>());
    });
    return {made, Variable(), Variable()};
  }
};

// x + norm(conv(reflect(relu(norm(conv(reflect(x))))))). Of the intermediate results, only the outputs of the two
// convolutions are saved; the output of the first norm is recomputed as it is read.
struct Residual : Function<Residual> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &weight1,
                            const at::Tensor &bias1, const at::Tensor &weight2, const at::Tensor &bias2,
                            double epsilon) {
    auto x = nhwc(input), w1 = weight1.contiguous(), w2 = weight2.contiguous();
    auto first = at::empty_like(x), second = at::empty_like(x), y = at::empty_like(x);
    Map map = shape_of(x);
    auto options = options_of(x);
    at::Tensor moments1, moments2;
    for_dtype(x, [&](auto zero) {
      using T = decltype(zero);
      const T *from = x.const_data_ptr<T>();
      T *made1 = first.mutable_data_ptr<T>(), *made2 = second.mutable_data_ptr<T>();
      Conv3x3<T>(w1, map).forward(Plain<T>{from}, bias1.const_data_ptr<T>(), made1);
      moments1 = moments_of(made1, map, epsilon, options);
      Conv3x3<T>(w2, map).forward(hidden<T>(first, moments1), bias2.const_data_ptr<T>(), made2);
      moments2 = moments_of(made2, map, epsilon, options);
      write<T>(map, normalised<T>(second, moments2), from, y.mutable_data_ptr<T>());
    });
    context->save_for_backward({x, w1, w2, first, second, moments1, moments2});
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto x = saved[0], w1 = saved[1], w2 = saved[2], first = saved[3], second = saved[4];
    auto gradient = nhwc(gradients[0]);
    auto to_hidden = at::zeros_like(x), to_x = gradient.clone();
    Map map = shape_of(x);
    auto options = options_of(x);
    at::Tensor to_w1, to_w2;
    for_dtype(x, [&](auto zero) {
      using T = decltype(zero);
      auto hidden1 = hidden<T>(first, saved[5]);
      NormGradient<T> norm2({gradient.const_data_ptr<T>(), normalised<T>(second, saved[6])}, map, options);
      to_w2 = Conv3x3<T>(w2, map).backward(hidden1, norm2.source(), to_hidden.mutable_data_ptr<T>());
      NormGradient<T> norm1({to_hidden.const_data_ptr<T>(), hidden1}, map, options);
      Plain<T> from{x.const_data_ptr<T>()};
      to_w1 = Conv3x3<T>(w1, map).backward(from, norm1.source(), to_x.mutable_data_ptr<T>());
    });
    // The norms remove the biases, so their gradients are zero.
    return {to_x, to_w1, at::zeros({map.channels}, options), to_w2, at::zeros({map.channels}, options), Variable()};
  }

  template <class T> static Normalised<T> hidden(const at::Tensor &first, const at::Tensor &moments) {
    return {first.const_data_ptr<T>(), view<T>(moments), T(0)};
  }

  template <class T> static Normalised<T> normalised(const at::Tensor &second, const at::Tensor &moments) {
    return {second.const_data_ptr<T>(), view<T>(moments), T(1)};
  }
};

// Returns x + conv(reflect(relu(conv(reflect(x))))), without gradients.
at::Tensor residual_without_norms(const at::Tensor &input, const at::Tensor &weight1, const at::Tensor &bias1,
                                  const at::Tensor &weight2, const at::Tensor &bias2) {
  at::AutoDispatchBelowADInplaceOrView no_gradients;
  auto x = nhwc(input), w1 = weight1.contiguous(), w2 = weight2.contiguous();
  auto first = at::empty_like(x), y = at::empty_like(x);
  for_dtype(x, [&](auto zero) {
    using T = decltype(zero);
    T *made = first.mutable_data_ptr<T>();
    Conv3x3<T>(w1, shape_of(x)).forward(Plain<T>{x.const_data_ptr<T>()}, bias1.const_data_ptr<T>(), made);
    Conv3x3<T>(w2, shape_of(x)).forward(Rectified<T>{made}, bias2.const_data_ptr<T>(), y.mutable_data_ptr<T>());
  });
  return y.add_(x);
}

// Checks one of the two convolutions of a residual block with input x.
void check_convolution(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias) {
  std::array<int64_t, 4> kernel{x.size(1), x.size(1), 3, 3};
  TORCH_CHECK(weight.sizes() == kernel, "a kernel of this residual block must be ", at::IntArrayRef(kernel));
  bool fits = bias.dim() == 1 && bias.numel() == x.size(1) && bias.is_contiguous();
  TORCH_CHECK(fits, "a bias of this residual block must be of ", x.size(1), " numbers");
  bool same = weight.scalar_type() == x.scalar_type() && bias.scalar_type() == x.scalar_type();
  TORCH_CHECK(same && weight.device() == x.device() && bias.device() == x.device(),
              "a residual block must be of the dtype and on the device of its input");
  TORCH_CHECK(x.size(2) > 1 && x.size(3) > 1, "a residual block reflects: it needs at least 2 x 2 pixels");
}

} // namespace
} // namespace geolearn

extern "C" {

// Returns whether the functions below accept such maps: on the CPU, f32 or f64, outside autocast, not empty, and with a
// channel count that is a multiple of `channels`. If `channels` is more than 1, the CPU must also support the vectors
// that the functions use.
bool geolearn_cpu_layers_fit(const at::Tensor *x, int64_t channels) {
  auto kind = x->scalar_type();
  return x->device().is_cpu() && x->dim() == 4 && x->numel() > 0 && (kind == at::kFloat || kind == at::kDouble) &&
         !at::autocast::is_autocast_enabled(at::kCPU) && x->size(1) % channels == 0 &&
         (channels == 1 || geolearn::has_lanes());
}

int32_t geolearn_share_among(int32_t threads) { return geolearn::share_among(threads); }

char *geolearn_convolution(const at::Tensor *x, const at::Tensor *weight, const at::Tensor *bias, int64_t stride,
                           int64_t padding, bool transposed, bool normalised, at::Tensor **output) {
  return guarded([&] {
    TORCH_CHECK(weight->dim() == 4 && weight->size(2) == weight->size(3), "a kernel must be square");
    *output = new at::Tensor(
        geolearn::Convolution::apply(*x, *weight, *bias, stride, padding, transposed, normalised));
  });
}

char *geolearn_norm_activation(const at::Tensor *x, double slope, double epsilon, at::Tensor **output) {
  return guarded([&] {
    TORCH_CHECK(x->size(2) * x->size(3) > 1, "instance norm needs more than one pixel");
    *output = new at::Tensor(geolearn::NormActivation::apply(*x, slope, epsilon));
  });
}

char *geolearn_residual(const at::Tensor *x, const at::Tensor *weight1, const at::Tensor *bias1,
                        const at::Tensor *weight2, const at::Tensor *bias2, double epsilon, at::Tensor **output) {
  return guarded([&] {
    geolearn::check_convolution(*x, *weight1, *bias1);
    geolearn::check_convolution(*x, *weight2, *bias2);
    *output = new at::Tensor(geolearn::Residual::apply(*x, *weight1, *bias1, *weight2, *bias2, epsilon));
  });
}

char *geolearn_residual_without_norms(const at::Tensor *x, const at::Tensor *weight1, const at::Tensor *bias1,
                                      const at::Tensor *weight2, const at::Tensor *bias2, at::Tensor **output) {
  return guarded([&] {
    geolearn::check_convolution(*x, *weight1, *bias1);
    geolearn::check_convolution(*x, *weight2, *bias2);
    *output = new at::Tensor(geolearn::residual_without_norms(*x, *weight1, *bias1, *weight2, *bias2));
  });
}
}
