// Processes that exchange tensors: libtorch's TCPStore and its process group over Gloo.
//
// Both lie in libtorch_cpu. Who waits for an exchange does so in slices, so that the caller can look about in between; one that
// is given up stays with libtorch's threads, and its group must not be freed then, which would wait for it.
#include "../guarded.h"

#include <cstddef>
#include <cstdint>

#if defined(__linux__)

#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace {

using Milliseconds = std::chrono::milliseconds;
using Store = c10::intrusive_ptr<c10d::Store>;
using Group = c10::intrusive_ptr<c10d::ProcessGroupGloo>;
using Work = c10::intrusive_ptr<c10d::Work>;
using Take = void (*)(void *context, const void *bytes, size_t count);

// The network device that other processes reach this one by: an interface or an address that was named, or what this machine's name
// leads to.
std::shared_ptr<::gloo::transport::Device> device(const char *interface, const char *address) {
  if (*interface) return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  if (*address) return c10d::ProcessGroupGloo::createDeviceForHostname(address);
  return c10d::ProcessGroupGloo::createDefaultDevice();
}

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

// How long a call waits for the store's answer.
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

// Gives the value of each key, in their order; waits for those that are not there.
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
    *group = new Group(c10::make_intrusive<c10d::ProcessGroupGloo>(*static_cast<Store *>(store), rank, size, options));
  });
}

void geolearn_group_free(void *group) { delete static_cast<Group *>(group); }

char *geolearn_group_sum(void *group, const at::Tensor *tensor, void **work) {
  return guarded([&] {
    std::vector<at::Tensor> tensors{*tensor};
    *work = new Work((*static_cast<Group *>(group))->allreduce(tensors));
  });
}

char *geolearn_group_gather(void *group, const at::Tensor *own, const at::Tensor *const *all, size_t count, void **work) {
  return guarded([&] {
    std::vector<std::vector<at::Tensor>> outputs(1);
    for (size_t i = 0; i < count; i++) outputs[0].push_back(*all[i]);
    std::vector<at::Tensor> inputs{*own};
    *work = new Work((*static_cast<Group *>(group))->allgather(outputs, inputs));
  });
}

char *geolearn_group_broadcast(void *group, const at::Tensor *tensor, void **work) {
  return guarded([&] {
    std::vector<at::Tensor> tensors{*tensor};
    *work = new Work((*static_cast<Group *>(group))->broadcast(tensors));
  });
}

// Waits at most so long, and tells whether the work has ended; its own error is given as one.
char *geolearn_work_wait(void *work, int64_t timeout, bool *ended) {
  return guarded([&] {
    auto &waited = *static_cast<Work *>(work);
    // A wait that ends too early throws, as work that fails does.
    try {
      if (!waited->isCompleted()) waited->wait(Milliseconds(timeout));
    } catch (const std::exception &) {
    }
    *ended = waited->isCompleted();
    if (*ended) waited->wait();
  });
}

void geolearn_work_free(void *work) { delete static_cast<Work *>(work); }
}

#else

namespace {

char *absent() { return geolearn_message("several processes make one fit on Linux alone"); }

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
void geolearn_group_free(void *) {}
char *geolearn_group_sum(void *, const void *, void **) { return absent(); }
char *geolearn_group_gather(void *, const void *, const void *const *, size_t, void **) { return absent(); }
char *geolearn_group_broadcast(void *, const void *, void **) { return absent(); }
char *geolearn_work_wait(void *, int64_t, bool *) { return absent(); }
void geolearn_work_free(void *) {}
}

#endif
