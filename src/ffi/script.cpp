// Writes TorchScript archives from named tensors and the source text of a module's methods.
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/export.h>

#include "guarded.h"

#include <string>

namespace {

torch::jit::Module layer(const char *type) {
  torch::jit::Module made{c10::QualifiedName(type)};
  // The flag that every Python nn.Module has, set by eval() and train().
  made.register_attribute("training", c10::BoolType::get(), false);
  return made;
}

// "10.conv_block.1.weight" becomes parameter `weight` of module `1` in `conv_block` in `10`.
void add_parameter(torch::jit::Module module, const std::string &path, const at::Tensor &value) {
  auto dot = path.find('.');
  if (dot == std::string::npos) {
    module.register_parameter(path, value, /*is_buffer=*/false);
    return;
  }
  auto name = path.substr(0, dot);
  if (!module.hasattr(name)) module.register_module(name, layer("__torch__.geolearn.Layer"));
  add_parameter(module.attr(name).toModule(), path.substr(dot + 1), value);
}

} // namespace

extern "C" {

// Passes the archive to `write` piece by piece. `write` must not report failure: libtorch's writer would then throw
// from its destructor and terminate the process.
char *geolearn_script_save(const char *source, const char **names, const at::Tensor **values, size_t count,
                           const char *extra_name, const char *extra_text, void *context,
                           void (*write)(void *context, const void *bytes, size_t count)) {
  return guarded([&] {
    auto top = layer("__torch__.geolearn.Generator");
    for (size_t i = 0; i < count; i++) add_parameter(top, names[i], *values[i]);
    top.define(source);
    auto writer = [&](const void *bytes, size_t size) {
      write(context, bytes, size);
      return size;
    };
    torch::jit::ExportModule(top, writer, {{extra_name, extra_text}});
  });
}
}
