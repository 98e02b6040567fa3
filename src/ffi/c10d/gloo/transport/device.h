// Used only through pointers; see ../context.h.
#pragma once
#include <memory>

namespace gloo::transport {

class Device;

class UnboundBuffer {
public:
  virtual ~UnboundBuffer();
};

} // namespace gloo::transport
