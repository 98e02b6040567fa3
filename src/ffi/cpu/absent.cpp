// Stands in for layers.cpp if the compiler supports neither GCC's nor Clang's vector extensions: no map is ever
// accepted, so libtorch's operators do the work, on as many threads as they are set to use.
#include <ATen/core/Tensor.h>

#include "../guarded.h"

namespace {

char *absent() { return geolearn_message("this build has no layers of its own"); }

} // namespace

extern "C" {

bool geolearn_cpu_layers_fit(const at::Tensor *, int64_t) { return false; }

int32_t geolearn_share_among(int32_t) { return 0; }

char *geolearn_convolution(const at::Tensor *, const at::Tensor *, const at::Tensor *, int64_t, int64_t, bool, bool,
                           at::Tensor **) {
  return absent();
}

char *geolearn_norm_activation(const at::Tensor *, double, double, at::Tensor **) { return absent(); }

char *geolearn_residual(const at::Tensor *, const at::Tensor *, const at::Tensor *, const at::Tensor *,
                        const at::Tensor *, double, at::Tensor **) {
  return absent();
}

char *geolearn_residual_without_norms(const at::Tensor *, const at::Tensor *, const at::Tensor *, const at::Tensor *,
                                      const at::Tensor *, at::Tensor **) {
  return absent();
}
}
