// The kernels of layers.cu: compiles them with NVRTC for the current GPU and launches them. Nothing links against CUDA.
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

// Launches a kernel with these arguments, for maps like `x`, on the current stream of their device.
void launch(const at::Tensor &x, const std::string &kernel, Extent grid, Extent block, void **arguments);

template <class... T> void launch_with(const at::Tensor &x, const std::string &kernel, Extent grid, Extent block, T... values) {
  static_assert((std::is_trivially_copyable_v<T> && ...), "arguments go to the device as they are");
  void *arguments[] = {&values...};
  launch(x, kernel, grid, block, arguments);
}

} // namespace geolearn::cuda
