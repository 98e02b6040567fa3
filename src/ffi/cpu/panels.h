// Matrices stored in panels, and their products.
//
// A panel is two vectors wide (W): element (row, column) of a matrix is at ((column / W) * rows + row) * W + column %
// W. A product therefore reads and writes contiguous memory, without the packing step of a general-purpose library.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>

#include "lanes.h"
#include "winograd.h"

namespace geolearn {

template <class T> constexpr int64_t PANEL = 2 * Lanes<T>::count;

template <class T> GEOLEARN_INLINE typename Lanes<T>::type load(const T *from) {
  return *reinterpret_cast<const typename Lanes<T>::loose *>(from);
}

template <class T> GEOLEARN_INLINE void store(T *to, typename Lanes<T>::type value) {
  *reinterpret_cast<typename Lanes<T>::loose *>(to) = value;
}

// Number of products added up in sequence. Their sums are then added, so that the rounding error grows more slowly with
// the number of products.
constexpr int64_t AT_ONCE = 32;

// One matrix for each point of a tile, with an unused cache line between them: otherwise the 36 elements that a tile is
// scattered to could map to the same cache set.
template <class T> struct Points {
  int64_t rows, columns;

  int64_t stride() const { return rows * columns + 64 / int64_t(sizeof(T)); }
  int64_t size() const { return winograd::POINTS * stride(); }
  int64_t place(int64_t row, int64_t column) const {
    return (column / PANEL<T> * rows + row) * PANEL<T> + column % PANEL<T>;
  }
};

// Six rows of a panel in registers.
template <class T> class Rows {
  using V = typename Lanes<T>::type;
  static constexpr int64_t L = Lanes<T>::count;

public:
  static constexpr int64_t COUNT = 6;

  // Adds `count` products of a scalar from each row and a vector: scalar i of row r is a[r][i * step].
  GEOLEARN_INLINE void add(const T *const *a, int64_t step, const T *b, int64_t count) {
    for (int64_t i = 0; i < count; i++, b += PANEL<T>) {
      V left = load(b), right = load(b + L);
      for (int r = 0; r < COUNT; r++) {
        V number = a[r][i * step] - V{};
        sums_[r][0] += number * left;
        sums_[r][1] += number * right;
      }
    }
  }

  // Writes the first `count` rows, or adds them to the existing values.
  GEOLEARN_INLINE void write(T *to, int64_t count, bool adds) const {
    for (int r = 0; r < COUNT; r++) {
      if (r >= count) return;
      T *row = to + r * PANEL<T>;
      store(row, adds ? load(row) + sums_[r][0] : sums_[r][0]);
      store(row + L, adds ? load(row + L) + sums_[r][1] : sums_[r][1]);
    }
  }

private:
  V sums_[COUNT][2] = {};
};

// Computes a panel of a * b.
template <class T>
GEOLEARN_KERNEL void multiply_panel(const T *a, Points<T> left, const T *b, int64_t inner, T *made) {
  for (int64_t first = 0; first < left.rows; first += Rows<T>::COUNT) {
    const T *rows[Rows<T>::COUNT];
    // Rows past the end repeat the last one and are not written.
    for (int64_t r = 0; r < Rows<T>::COUNT; r++) rows[r] = a + std::min(first + r, left.rows - 1) * PANEL<T>;
    for (int64_t part = 0; part < inner; part += AT_ONCE) {
      Rows<T> sums;
      for (int64_t i = part; i < std::min(inner, part + AT_ONCE); i += PANEL<T>) {
        sums.add(rows, 1, b + i * PANEL<T>, PANEL<T>);
        for (auto &row : rows) row += left.rows * PANEL<T>;
      }
      sums.write(made + first * PANEL<T>, left.rows - first, part > 0);
    }
  }
}

// Computes a panel of a' * b, and adds it to the existing values if `adds`.
template <class T>
GEOLEARN_KERNEL void multiply_transposed_panel(const T *a, Points<T> left, const T *b, T *made, bool adds) {
  for (int64_t first = 0; first < left.columns; first += Rows<T>::COUNT) {
    const T *rows[Rows<T>::COUNT];
    for (int64_t r = 0; r < Rows<T>::COUNT; r++) rows[r] = a + left.place(0, std::min(first + r, left.columns - 1));
    for (int64_t part = 0; part < left.rows; part += AT_ONCE) {
      Rows<T> sums;
      int64_t count = std::min(AT_ONCE, left.rows - part);
      sums.add(rows, PANEL<T>, b + part * PANEL<T>, count);
      sums.write(made + first * PANEL<T>, left.columns - first, adds || part > 0);
      for (auto &row : rows) row += count * PANEL<T>;
    }
  }
}

// Calls `work(point, panel)` in parallel for each panel of each point.
template <class T, class F> void for_panels(Points<T> made, F work) {
  int64_t panels = made.columns / PANEL<T>;
  at::parallel_for(0, winograd::POINTS * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) work(i / panels, i % panels);
  });
}

// Computes made = a * b at each point.
template <class T> void multiply(const T *a, Points<T> left, const T *b, Points<T> right, T *made) {
  Points<T> result{left.rows, right.columns};
  for_panels(result, [&](int64_t point, int64_t panel) {
    const T *panel_of_b = b + point * right.stride() + panel * right.rows * PANEL<T>;
    T *to = made + point * result.stride() + panel * result.rows * PANEL<T>;
    multiply_panel(a + point * left.stride(), left, panel_of_b, right.rows, to);
  });
}

// Computes made = a' * b at each point, or adds it to `made`.
template <class T>
void multiply_transposed(const T *a, Points<T> left, const T *b, Points<T> right, T *made, bool adds) {
  Points<T> result{left.columns, right.columns};
  for_panels(result, [&](int64_t point, int64_t panel) {
    const T *panel_of_b = b + point * right.stride() + panel * right.rows * PANEL<T>;
    T *to = made + point * result.stride() + panel * result.rows * PANEL<T>;
    multiply_transposed_panel(a + point * left.stride(), left, panel_of_b, to, adds);
  });
}

} // namespace geolearn
