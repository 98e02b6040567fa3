// SIMD vectors, in the syntax of GCC and Clang.
#pragma once
#include <cstdint>

// Functions that use vectors are compiled for AVX2 on x86-64 one by one, whatever the target of the rest: a per-file
// flag would also affect inline functions from included headers, and the linker might pick those copies for the whole
// program. Callers check `has_lanes` first.
#if defined(__x86_64__)
#define GEOLEARN_LANES target("avx2,fma")
#else
#define GEOLEARN_LANES unused
#endif
#define GEOLEARN_KERNEL __attribute__((GEOLEARN_LANES))
#define GEOLEARN_INLINE inline __attribute__((always_inline, GEOLEARN_LANES))

namespace geolearn {

inline bool has_lanes() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

// 32 bytes of T: `type` in registers, `loose` in memory of any alignment.
template <class T> struct Lanes {
  typedef T type __attribute__((vector_size(32)));
  typedef T loose __attribute__((vector_size(32), aligned(alignof(T)), may_alias));
  static constexpr int64_t count = 32 / sizeof(T);
};

} // namespace geolearn
