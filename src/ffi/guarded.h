// Turns C++ exceptions into return values.
#pragma once
#include <c10/util/Exception.h>

#include <cstdlib>
#include <cstring>
#include <exception>

// Returned if there is not even enough memory for a message; null would mean success.
inline char geolearn_no_message[] = "not enough memory for a message";

inline char *geolearn_message(const char *text) {
  char *copy = strdup(text);
  return copy ? copy : geolearn_no_message;
}

// Runs `body` and returns null on success, or a message that the caller frees with geolearn_free.
template <class F> char *guarded(F &&body) {
  try {
    body();
    return nullptr;
  } catch (const c10::Error &error) {
    return geolearn_message(error.what_without_backtrace());
  } catch (const std::exception &error) {
    return geolearn_message(error.what());
  } catch (...) {
    return geolearn_message("unknown C++ exception");
  }
}
