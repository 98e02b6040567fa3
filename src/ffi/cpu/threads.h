// The number of threads that the calling thread's parallel work uses.
#pragma once
#include <ATen/Parallel.h>
#ifdef _OPENMP
#include <omp.h>
#endif

// From the MKL in libtorch's x86-64 releases; null in others.
extern "C" int MKL_Set_Num_Threads_Local(int) __attribute__((weak));

namespace geolearn {

// Sets the number for the calling thread only and returns the previous one, or 0 if it cannot be set. libtorch's own
// function sets it for the whole process and discards every compiled convolution.
inline int share_among(int threads) {
#ifdef _OPENMP
  // libtorch initializes a thread's number when it first asks for it.
  int before = at::get_num_threads();
  omp_set_num_threads(threads);
  if (MKL_Set_Num_Threads_Local) MKL_Set_Num_Threads_Local(threads);
  return before;
#else
  return 0;
#endif
}

// Keeps this thread's work on a single thread while in scope, so that libtorch's sums do not depend on the number of
// threads.
class OneThread {
public:
  OneThread() : before_(share_among(1)) {}
  ~OneThread() {
    if (before_) share_among(before_);
  }
  OneThread(const OneThread &) = delete;
  OneThread &operator=(const OneThread &) = delete;

private:
  int before_;
};

} // namespace geolearn
