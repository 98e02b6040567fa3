// Processes that exchange tensors, whatever library they do it by.
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
  // Waits at most so long for work of this group, and tells whether it has ended.
  virtual bool waited(c10d::Work &work, Milliseconds most) const = 0;
};

// By NCCL, between CUDA devices. All processes call this; it returns when they are connected.
std::unique_ptr<Group> nccl_group(const Store &store, int rank, int size, int device, Milliseconds timeout);
// Throws where this libtorch has no NCCL, or it is not loaded.
void check_nccl();

} // namespace geolearn
