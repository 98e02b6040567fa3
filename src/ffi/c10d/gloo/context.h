// Declarations of the Gloo types that libtorch's ProcessGroupGloo header mentions; libtorch's packages do not include
// Gloo's own headers. All the code is inside libtorch; no object of these types is created or read here.
#pragma once
#include <chrono>

namespace gloo {

class Context {
public:
  virtual ~Context();
  void setTimeout(std::chrono::milliseconds timeout);
};

} // namespace gloo
