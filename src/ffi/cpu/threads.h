// The number of threads that this thread shares its work among.
#pragma once
#include <ATen/Parallel.h>
#ifdef _OPENMP
#include <omp.h>
#endif

// Of the MKL that x86-64 releases of libtorch contain; null in others.
extern "C" int MKL_Set_Num_Threads_Local(int) __attribute__((weak));

namespace geolearn {

// Sets the number for the calling thread alone, and returns what it was; 0 where there is none to set. libtorch's own function
// sets it for the whole process, and throws away every convolution that was compiled.
inline int share_among(int threads) {
#ifdef _OPENMP
  // libtorch settles the number of a thread when it first asks for it.
  int before = at::get_num_threads();
  omp_set_num_threads(threads);
  if (MKL_Set_Num_Threads_Local) MKL_Set_Num_Threads_Local(threads);
  return before;
#else
  return 0;
#endif
}

// While it lives, this thread works alone: what libtorch adds up then does not depend on the number of threads.
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
