// A group of communicating processes, independent of the library that connects them.
#pragma once
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <memory>

namespace geolearn {

using Milliseconds = std::chrono::milliseconds;
using Store = c10::intrusive_ptr<c10d::Store>;
using Work = c10::intrusive_ptr<c10d::Work>;

class Group {
public:
  virtual ~Group() = default;
  virtual c10d::Backend &backend() = 0;
  // Waits up to `most` for work of this group and returns whether it has finished.
  virtual bool waited(c10d::Work &work, Milliseconds most) const = 0;
};

// Returns a group over NCCL, between CUDA devices. Every process must call this; it returns once they are connected.
std::unique_ptr<Group> nccl_group(const Store &store, int rank, int size, int device, Milliseconds timeout);
// Throws if this libtorch was built without NCCL or its CUDA library is not loaded.
void check_nccl();

} // namespace geolearn
