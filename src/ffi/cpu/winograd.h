// Transforms of F(4x4, 3x3) (Winograd 1980; Lavin and Gray 2016, arXiv:1509.09308, section 4.1, with its points 0, 1,
// -1, 2, -2): a 3x3 convolution of a 6x6 tile, with a 4x4 output, in 36 products instead of 144.
//
//   forward   V = B'dB          M = V U      Y = A'MA
//   backward  dM = A dY A'      dV = dM U'   dd = B dV B'   dU = V' dM   dw = G' dU G
//
// Each function transforms one line of six (or four, or three) vectors, so a tile takes two passes.
#pragma once
#include "lanes.h"

namespace geolearn::winograd {

constexpr int OUT = 4;           // output pixels along a side of a tile
constexpr int IN = OUT + 2;      // input pixels along a side
constexpr int POINTS = IN * IN;  // products for each pair of channels

// B' d: from pixels to points.
struct PixelsToPoints {
  template <class V> GEOLEARN_INLINE void operator()(const V *d, V *o, int64_t s) const {
    V even = d[4 * s] - 4 * d[2 * s], odd = d[3 * s] - 4 * d[1 * s];
    V near = d[4 * s] - d[2 * s], far = 2 * (d[3 * s] - d[1 * s]);
    o[0] = 4 * d[0] - 5 * d[2 * s] + d[4 * s];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = near + far;
    o[4] = near - far;
    o[5] = 4 * d[1 * s] - 5 * d[3 * s] + d[5 * s];
  }
};

// B p: the adjoint of PixelsToPoints.
struct PointsToPixels {
  template <class V> GEOLEARN_INLINE void operator()(const V *p, V *o, int64_t s) const {
    V sum1 = p[1 * s] + p[2 * s], dif1 = p[1 * s] - p[2 * s];
    V sum2 = p[3 * s] + p[4 * s], dif2 = p[3 * s] - p[4 * s];
    o[0] = 4 * p[0];
    o[1] = 4 * (p[5 * s] - dif1) - 2 * dif2;
    o[2] = -5 * p[0] - 4 * sum1 - sum2;
    o[3] = dif1 + 2 * dif2 - 5 * p[5 * s];
    o[4] = p[0] + sum1 + sum2;
    o[5] = p[5 * s];
  }
};

// A' m: from products to the four output pixels.
struct ProductsToOutputs {
  template <class V> GEOLEARN_INLINE void operator()(const V *m, V *o, int64_t s) const {
    V sum1 = m[1 * s] + m[2 * s], dif1 = m[1 * s] - m[2 * s];
    V sum2 = m[3 * s] + m[4 * s], dif2 = m[3 * s] - m[4 * s];
    o[0] = m[0] + sum1 + sum2;
    o[1] = dif1 + 2 * dif2;
    o[2] = sum1 + 4 * sum2;
    o[3] = dif1 + 8 * dif2 + m[5 * s];
  }
};

// A y: the adjoint of ProductsToOutputs.
struct OutputsToProducts {
  template <class V> GEOLEARN_INLINE void operator()(const V *y, V *o, int64_t s) const {
    V even = y[0] + y[2 * s], odd = y[1 * s] + y[3 * s];
    V even4 = y[0] + 4 * y[2 * s], odd4 = 2 * y[1 * s] + 8 * y[3 * s];
    o[0] = y[0];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = even4 + odd4;
    o[4] = even4 - odd4;
    o[5] = y[3 * s];
  }
};

// G g: a kernel's three weights at the points.
struct WeightsToPoints {
  template <class V> GEOLEARN_INLINE void operator()(const V *g, V *o, int64_t s) const {
    using T = decltype(V{}[0] + 0);
    constexpr T sixth = T(1) / 6, twelfth = T(1) / 12, part = T(1) / 24;
    V ends = -sixth * (g[0] + g[2 * s]), middle = sixth * g[1 * s];
    V ends2 = part * g[0] + sixth * g[2 * s], middle2 = twelfth * g[1 * s];
    o[0] = T(0.25) * g[0];
    o[1] = ends - middle;
    o[2] = ends + middle;
    o[3] = ends2 + middle2;
    o[4] = ends2 - middle2;
    o[5] = g[2 * s];
  }
};

// G' u: the adjoint of WeightsToPoints.
struct PointsToWeights {
  template <class V> GEOLEARN_INLINE void operator()(const V *u, V *o, int64_t s) const {
    using T = decltype(V{}[0] + 0);
    constexpr T sixth = T(1) / 6, twelfth = T(1) / 12, part = T(1) / 24;
    V sum1 = u[1 * s] + u[2 * s], dif1 = u[2 * s] - u[1 * s];
    V sum2 = u[3 * s] + u[4 * s], dif2 = u[3 * s] - u[4 * s];
    o[0] = T(0.25) * u[0] - sixth * sum1 + part * sum2;
    o[1] = sixth * dif1 + twelfth * dif2;
    o[2] = sixth * (sum2 - sum1) + u[5 * s];
  }
};

// Transforms a square in two passes, the columns of `in` (FROM x FROM) and then the rows of the result, into `out` (TO
// x TO).
template <int FROM, int TO, class V, class F> GEOLEARN_INLINE void square(const V *in, V *out, F line) {
  V half[TO * FROM];
  for (int column = 0; column < FROM; column++) {
    V made[TO];
    line(in + column, made, FROM);
    for (int i = 0; i < TO; i++) half[i * FROM + column] = made[i];
  }
  for (int row = 0; row < TO; row++) line(half + row * FROM, out + row * TO, 1);
}

} // namespace geolearn::winograd
