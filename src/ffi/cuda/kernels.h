// The kernels of layers.cu and on_chip.cu: compiles them with NVRTC for the current GPU and launches them. Nothing links against CUDA.
#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <string>
#include <type_traits>

namespace geolearn::cuda {

using Extent = std::array<unsigned, 3>;

// Returns whether kernels can run on maps of this dtype on a device. The first call compiles them and, if that fails,
// sets `trouble` to the reason.
bool can_launch(at::Device device, at::ScalarType kind, std::string *trouble);

// What a device offers to kernels that keep maps in shared memory.
struct Chip {
  int64_t multiprocessors;
  // The most bytes of shared memory for a block, static and dynamic.
  int64_t shared;
};

Chip chip_of(const at::Tensor &x);

// How layers compute; the results are the same.
struct Options {
  // Whether norms keep maps in shared memory where they fit.
  bool norms_on_chip;
  // Whether residual blocks compute their inner map again for the gradient, instead of keeping it.
  bool recomputes;
};

// Returns the options on the device of `x`.
Options options_for(const at::Tensor &x);

// How a kernel is launched: blocks, threads of each, and bytes of dynamic shared memory for a block.
struct Launch {
  Extent grid, block;
  unsigned shared = 0;
};

// Launches a kernel with these arguments, for maps like `x`, on the current stream of their device.
void launch(const at::Tensor &x, const std::string &kernel, const Launch &how, void **arguments);

template <class... T> void launch_with(const at::Tensor &x, const std::string &kernel, const Launch &how, T... values) {
  static_assert((std::is_trivially_copyable_v<T> && ...), "arguments go to the device as they are");
  void *arguments[] = {&values...};
  launch(x, kernel, how, arguments);
}

} // namespace geolearn::cuda
