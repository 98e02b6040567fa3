// A caching allocator for large CPU tensors: freed blocks are kept for later tensors while anyone has asked for that.
//
// The system's allocator returns large blocks to the kernel, which zeroes each page again when it is next touched. A
// training step allocates and frees the same sizes over and over.
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <unordered_map>

#include "guarded.h"

namespace {

// The system's allocator already caches smaller blocks.
constexpr size_t LEAST = size_t(1) << 20;
// A reused block may be larger than requested by 1/SPARE of the request.
constexpr size_t SPARE = 8;
// The total size of all blocks may exceed the most ever in use at once by 1/UNUSED of it, so that blocks of sizes that
// do not recur do not pile up.
constexpr size_t UNUSED = 4;

class Keeper final : public c10::Allocator {
public:
  explicit Keeper(c10::Allocator *plain) : plain_(plain) {}

  c10::DataPtr allocate(size_t bytes) override {
    if (bytes < LEAST || !is_wanted()) return plain_->allocate(bytes);
    void *block = take(bytes);
    c10::profiledCPUMemoryReporter().New(block, bytes);
    return {block, block, give_back, c10::Device(c10::DeviceType::CPU)};
  }

  // Frees blocks from either allocator, since some libtorch code frees memory without its tensor.
  c10::DeleterFnPtr raw_deleter() const override { return give_back; }

  void copy_data(void *to, const void *from, size_t bytes) const override { default_copy_data(to, from, bytes); }

  void want() {
    std::lock_guard<std::mutex> lock(mutex_);
    users_++;
  }

  void leave() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (--users_ == 0) release_all();
  }

  static Keeper &instance() {
    // Never destroyed, because tensors may outlive everything else.
    static Keeper *keeper = [] {
      auto *made = new Keeper(c10::GetCPUAllocator());
      c10::SetCPUAllocator(made, /*priority=*/1);
      return made;
    }();
    return *keeper;
  }

private:
  c10::Allocator *plain_;
  std::mutex mutex_;
  int users_ = 0;
  // Free blocks by size.
  std::multimap<size_t, void *> free_;
  std::unordered_map<void *, size_t> sizes_;
  size_t all_ = 0, used_ = 0, most_used_ = 0;

  bool is_wanted() {
    std::lock_guard<std::mutex> lock(mutex_);
    return users_ > 0;
  }

  void *take(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = free_.lower_bound(bytes);
    if (found != free_.end() && found->first - bytes <= bytes / SPARE) {
      void *block = found->second;
      count_use(found->first);
      free_.erase(found);
      return block;
    }
    count_use(bytes);
    while (!free_.empty() && all_ + bytes > most_used_ + most_used_ / UNUSED) release(std::prev(free_.end()));
    void *block = fresh(bytes);
    sizes_[block] = bytes;
    all_ += bytes;
    return block;
  }

  void *fresh(size_t bytes) {
    try {
      return c10::alloc_cpu(bytes);
    } catch (const c10::Error &) {
      // The cached blocks may be what is using up the memory.
      release_all();
    }
    try {
      return c10::alloc_cpu(bytes);
    } catch (const c10::Error &) {
      used_ -= bytes;
      throw;
    }
  }

  void count_use(size_t bytes) {
    used_ += bytes;
    most_used_ = std::max(most_used_, used_);
  }

  static void give_back(void *block) {
    auto &keeper = instance();
    if (!keeper.put_back(block)) keeper.plain_->raw_deallocate(block);
  }

  // Takes a block back and returns whether it is one of ours.
  bool put_back(void *block) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = sizes_.find(block);
    if (found == sizes_.end()) return false;
    c10::profiledCPUMemoryReporter().Delete(block);
    free_.emplace(found->second, block);
    used_ -= found->second;
    if (users_ == 0) release_all();
    return true;
  }

  void release(std::multimap<size_t, void *>::iterator place) {
    all_ -= place->first;
    sizes_.erase(place->second);
    c10::free_cpu(place->second);
    free_.erase(place);
  }

  void release_all() {
    while (!free_.empty()) release(free_.begin());
    most_used_ = used_;
  }
};

} // namespace

extern "C" {

// Caches large blocks from now on, until geolearn_keep_end has been called as many times as this function.
char *geolearn_keep_begin() {
  return guarded([] { Keeper::instance().want(); });
}

char *geolearn_keep_end() {
  return guarded([] { Keeper::instance().leave(); });
}
}
