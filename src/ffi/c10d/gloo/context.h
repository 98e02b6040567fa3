// What libtorch's header of its process group over Gloo names of Gloo, whose own headers its packages lack. The code is all within
// libtorch, and nothing of these types is made or read here.
#pragma once
#include <chrono>

namespace gloo {

class Context {
public:
  virtual ~Context();
  void setTimeout(std::chrono::milliseconds timeout);
};

} // namespace gloo
