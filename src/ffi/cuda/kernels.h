// The kernels of layers.cu and on_chip.cu: compiles them with NVRTC for the current GPU and launches them. Nothing links against CUDA.
#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
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
  // Bytes for one block, including the arrays that a kernel declares.
  int64_t shared;
};

// Returns what the device of `x` offers, or nothing if norms are not to keep maps in shared memory.
std::optional<Chip> chip_for_norms(const at::Tensor &x);

// How a kernel is launched: blocks, threads of each, and bytes that are reserved for a block in shared memory.
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
