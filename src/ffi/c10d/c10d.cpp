// Communication between processes: libtorch's TCPStore and its process groups over Gloo and, in nccl.cpp, over NCCL.
//
// Callers wait for an exchange in slices, so that they can check for other events in between. An abandoned exchange
// stays with libtorch's threads; its group must then not be freed, since freeing it would wait for the exchange.
#include "../guarded.h"

#include <cstddef>
#include <cstdint>

#if defined(__linux__)

#include "group.h"

#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace geolearn;

namespace {

using Take = void (*)(void *context, const void *bytes, size_t count);

// Returns the network device at which other processes reach this one: the named interface or address, or the address
// that this machine's hostname resolves to.
std::shared_ptr<::gloo::transport::Device> device(const char *interface, const char *address) {
  if (*interface) return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  if (*address) return c10d::ProcessGroupGloo::createDeviceForHostname(address);
  return c10d::ProcessGroupGloo::createDefaultDevice();
}

class Gloo final : public Group {
public:
  Gloo(const Store &store, int rank, int size, const c10::intrusive_ptr<c10d::ProcessGroupGloo::Options> &options)
      : group_(c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options)) {}

  c10d::Backend &backend() override { return *group_; }

  // Gloo's wait throws both when it times out and when the work itself fails.
  bool waited(c10d::Work &work, Milliseconds most) const override {
    try {
      if (!work.isCompleted()) work.wait(most);
    } catch (const std::exception &) {
    }
    return work.isCompleted();
  }

private:
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};

// Work in progress and its group, which outlives it.
struct Exchange {
  const Group &group;
  Work work;
};

c10d::Backend &backend(void *group) { return static_cast<Group *>(group)->backend(); }

void *begun(void *group, Work work) { return new Exchange{*static_cast<Group *>(group), std::move(work)}; }

} // namespace

extern "C" {

char *geolearn_store_open(const char *host, uint16_t port, bool is_host, const char *prefix, int64_t timeout, void **store) {
  return guarded([&] {
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = is_host;
    options.waitWorkers = false;
    options.multiTenant = true;
    options.timeout = Milliseconds(timeout);
    auto tcp = c10::make_intrusive<c10d::TCPStore>(std::string(host), options);
    *store = new Store(c10::make_intrusive<c10d::PrefixStore>(prefix, tcp));
  });
}

void geolearn_store_free(void *store) { delete static_cast<Store *>(store); }

// Sets how long a call waits for the store's answer.
char *geolearn_store_patience(void *store, int64_t timeout) {
  return guarded([&] { (*static_cast<Store *>(store))->setTimeout(Milliseconds(timeout)); });
}

char *geolearn_store_set(void *store, const char *key, const uint8_t *bytes, size_t count) {
  return guarded([&] { (*static_cast<Store *>(store))->set(key, std::vector<uint8_t>(bytes, bytes + count)); });
}

char *geolearn_store_add(void *store, const char *key, int64_t number, int64_t *sum) {
  return guarded([&] { *sum = (*static_cast<Store *>(store))->add(key, number); });
}

char *geolearn_store_has(void *store, const char *key, bool *found) {
  return guarded([&] { *found = (*static_cast<Store *>(store))->check({key}); });
}

// Passes the value of each key to `take`, in the order of the keys; waits for keys that are not set yet.
char *geolearn_store_get(void *store, const char *const *keys, size_t count, void *context, Take take) {
  return guarded([&] {
    for (auto &value : (*static_cast<Store *>(store))->multiGet(std::vector<std::string>(keys, keys + count)))
      take(context, value.data(), value.size());
  });
}

char *geolearn_group_new(void *store, int rank, int size, int64_t timeout, const char *interface, const char *address,
                         void **group) {
  return guarded([&] {
    auto options = c10d::ProcessGroupGloo::Options::create(Milliseconds(timeout));
    options->devices.push_back(device(interface, address));
    std::unique_ptr<Group> made = std::make_unique<Gloo>(*static_cast<Store *>(store), rank, size, options);
    *group = made.release();
  });
}

char *geolearn_nccl_check() {
  return guarded([] { check_nccl(); });
}

char *geolearn_group_new_nccl(void *store, int rank, int size, int device, int64_t timeout, void **group) {
  return guarded(
      [&] { *group = nccl_group(*static_cast<Store *>(store), rank, size, device, Milliseconds(timeout)).release(); });
}

void geolearn_group_free(void *group) { delete static_cast<Group *>(group); }

// Aborts exchanges in progress; the group is unusable afterwards.
char *geolearn_group_abort(void *group) {
  return guarded([&] { backend(group).abort(); });
}

char *geolearn_group_sum(void *group, const at::Tensor *tensor, void **work) {
  return guarded([&] {
    std::vector<at::Tensor> tensors{*tensor};
    *work = begun(group, backend(group).allreduce(tensors));
  });
}

char *geolearn_group_gather(void *group, const at::Tensor *own, const at::Tensor *const *all, size_t count, void **work) {
  return guarded([&] {
    std::vector<std::vector<at::Tensor>> outputs(1);
    for (size_t i = 0; i < count; i++) outputs[0].push_back(*all[i]);
    std::vector<at::Tensor> inputs{*own};
    *work = begun(group, backend(group).allgather(outputs, inputs));
  });
}

char *geolearn_group_broadcast(void *group, const at::Tensor *tensor, void **work) {
  return guarded([&] {
    std::vector<at::Tensor> tensors{*tensor};
    *work = begun(group, backend(group).broadcast(tensors));
  });
}

// Waits up to `timeout` milliseconds and sets `ended` to whether the work has finished; if the work failed, returns its
// error. On CUDA, anything queued on the current stream afterwards runs after the work.
char *geolearn_work_wait(void *work, int64_t timeout, bool *ended) {
  return guarded([&] {
    auto &exchange = *static_cast<Exchange *>(work);
    *ended = exchange.group.waited(*exchange.work, Milliseconds(timeout));
    if (*ended) exchange.work->wait();
  });
}

void geolearn_work_free(void *work) { delete static_cast<Exchange *>(work); }
}

#else

namespace {

char *absent() { return geolearn_message("training with several processes is supported only on Linux"); }

} // namespace

extern "C" {

char *geolearn_store_open(const char *, uint16_t, bool, const char *, int64_t, void **) { return absent(); }
void geolearn_store_free(void *) {}
char *geolearn_store_patience(void *, int64_t) { return absent(); }
char *geolearn_store_set(void *, const char *, const uint8_t *, size_t) { return absent(); }
char *geolearn_store_add(void *, const char *, int64_t, int64_t *) { return absent(); }
char *geolearn_store_has(void *, const char *, bool *) { return absent(); }
char *geolearn_store_get(void *, const char *const *, size_t, void *, void (*)(void *, const void *, size_t)) {
  return absent();
}
char *geolearn_group_new(void *, int, int, int64_t, const char *, const char *, void **) { return absent(); }
char *geolearn_nccl_check() { return absent(); }
char *geolearn_group_new_nccl(void *, int, int, int, int64_t, void **) { return absent(); }
void geolearn_group_free(void *) {}
char *geolearn_group_abort(void *) { return absent(); }
char *geolearn_group_sum(void *, const void *, void **) { return absent(); }
char *geolearn_group_gather(void *, const void *, const void *const *, size_t, void **) { return absent(); }
char *geolearn_group_broadcast(void *, const void *, void **) { return absent(); }
char *geolearn_work_wait(void *, int64_t, bool *) { return absent(); }
void geolearn_work_free(void *) {}
}

#endif
