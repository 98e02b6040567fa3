// Kernels of layers.cu: compiled by NVRTC for the device at hand, and launched. Nothing of CUDA is linked.
#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <string>
#include <type_traits>

namespace geolearn::cuda {

using Extent = std::array<unsigned, 3>;

// Whether kernels can run on maps of this dtype on a device; compiles them where they have not been. `trouble` is why not, the first
// time that they were to be compiled.
bool can_launch(at::Device device, at::ScalarType kind, std::string *trouble);

// A kernel with these arguments, on maps like `x` and on the current stream of their device.
void launch(const at::Tensor &x, const std::string &kernel, Extent grid, Extent block, void **arguments);

template <class... T> void launch_with(const at::Tensor &x, const std::string &kernel, Extent grid, Extent block, T... values) {
  static_assert((std::is_trivially_copyable_v<T> && ...), "arguments go to the device as they are");
  void *arguments[] = {&values...};
  launch(x, kernel, grid, block, arguments);
}

} // namespace geolearn::cuda
