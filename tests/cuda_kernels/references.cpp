// Compares each kernel of src/ffi/cuda/layers.cu and on_chip.cu, emulated, with straightforward f64 loops, on many random shapes of
// maps and grids. Both get the same inputs that a kernel reads from another one (moments and means), so that each is
// judged by its own errors.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" void geolearn_emulated_launch(const char *kernel, int element, const unsigned grid[3],
                                         const unsigned block[2], unsigned shared, void **arguments);

namespace {

using Doubles = std::vector<double>;

constexpr double EPSILON = 1e-5;
std::mt19937 randomness(20);

int among(int low, int high) { return std::uniform_int_distribution<int>(low, high)(randomness); }
template <class T, size_t N> T one_of(const T (&choices)[N]) { return choices[among(0, N - 1)]; }

// Converts bf16 to f64 and back; the other elements convert themselves. `rounding` bounds the error of storing, `sum`
// that of adding some thousands of terms, both relative to the magnitude.
struct Bf16 {
  using Stored = unsigned short;
  using Sum = float;
  static constexpr int NUMBER = 0, VECTOR = 8;
  static constexpr double ROUNDING = 1.0 / 256, SUM = 1e-5;
  static double wide(Stored stored) {
    unsigned bits = static_cast<unsigned>(stored) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  // Truncates: good enough for random inputs.
  static Stored narrow(double value) {
    float single = static_cast<float>(value);
    unsigned bits;
    std::memcpy(&bits, &single, sizeof bits);
    return static_cast<Stored>(bits >> 16);
  }
};

template <class T, int NUMBER_> struct Plain {
  using Stored = T;
  using Sum = T;
  static constexpr int NUMBER = NUMBER_, VECTOR = 16 / sizeof(T);
  static constexpr double ROUNDING = sizeof(T) == 4 ? 1e-7 : 1e-15, SUM = sizeof(T) == 4 ? 1e-5 : 1e-12;
  static double wide(Stored value) { return value; }
  static Stored narrow(double value) { return static_cast<Stored>(value); }
};

struct Form {
  int images, height, width, channels, border, other_border, splits;
  double slope;
  bool is_wide;
  unsigned lanes, blocks;

  int pixels() const { return height * width; }
  std::string text() const {
    char line[200];
    std::snprintf(line, sizeof line,
                  "N %d H %d W %d C %d border %d other %d splits %d slope %g %s lanes %u blocks %u", images, height, width,
                  channels, border, other_border, splits, slope, is_wide ? "wide" : "single", lanes, blocks);
    return line;
  }
};

Form random_form(int vector) {
  Form form;
  form.channels = one_of({1, 3, 8, 12, 64, 512});
  int most = form.channels == 512 ? 7 : 19;
  form.images = among(1, form.channels >= 64 ? 2 : 9);
  form.height = among(2, most), form.width = among(2, most);
  form.border = among(0, std::min(3, std::min(form.height, form.width) - 1));
  form.other_border = among(0, std::min(3, std::min(form.height, form.width) - 1));
  form.splits = among(1, 20);
  form.slope = one_of({0.0, 0.2, 1.0});
  form.is_wide = form.channels % vector == 0 && among(0, 3) > 0;
  // More lanes than channels, or fewer: one more block than needed, but not hundreds.
  form.lanes = 1u << among(form.channels >= 64 ? 3 : 0, 5);
  form.blocks = among(1, 12);
  return form;
}

// Memory of a map or of sums, surrounded by guard values that must not change.
template <class T> class Memory {
public:
  Memory(size_t count, T fill) : fill(fill), all(count + 2 * GUARD, fill) {}
  T *data() { return all.data() + GUARD; }
  size_t size() const { return all.size() - 2 * GUARD; }
  bool is_whole() const {
    for (size_t i = 0; i < GUARD; ++i) {
      if (std::memcmp(&all[i], &fill, sizeof fill) || std::memcmp(&all[all.size() - 1 - i], &fill, sizeof fill)) return false;
    }
    return true;
  }

private:
  static constexpr size_t GUARD = 64;
  T fill;
  std::vector<T> all;
};

int reflect(int i, int size) { return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i; }

template <class E> class Check {
public:
  using Stored = typename E::Stored;
  using Sum = typename E::Sum;

  explicit Check(const Form &form) : f(form) {}

  void run() {
    auto x = random_map(0, among(0, 1) * 100.0), residual = random_map(f.other_border, 0);
    auto moments = check_moments(x);
    check_normalise(x, moments, among(0, 1) ? &residual : nullptr);
    auto gradient = random_map(f.border, 0);
    auto means = check_gradient_sums(gradient, x, moments);
    check_gradient(gradient, x, moments, means);
    if (f.channels % E::VECTOR == 0) check_on_chip(x, among(0, 1) ? &residual : nullptr, gradient);
    check_add_folded(gradient, residual);
  }

private:
  Form f;

  size_t padded(int border) const { return static_cast<size_t>(f.height + 2 * border) * (f.width + 2 * border); }
  size_t at(int n, int row, int column, int c, int border) const {
    size_t pixel = n * padded(border) + static_cast<size_t>(row) * (f.width + 2 * border) + column;
    return pixel * f.channels + c;
  }

  Memory<Stored> empty_map(int border) { return {f.images * padded(border) * f.channels, E::narrow(-77)}; }
  Memory<Sum> empty_sums(int each) { return {static_cast<size_t>(f.images) * each * f.channels, Sum(-77)}; }

  Memory<Stored> random_map(int border, double level) {
    auto map = empty_map(border);
    std::normal_distribution<double> normal(level, 1);
    for (size_t i = 0; i < map.size(); ++i) map.data()[i] = E::narrow(normal(randomness));
    return map;
  }

  template <class F> void each(F work) {
    for (int n = 0; n < f.images; ++n) {
      for (int c = 0; c < f.channels; ++c) work(n, c);
    }
  }
  template <class F> void each_pixel(F work) {
    for (int row = 0; row < f.height; ++row) {
      for (int column = 0; column < f.width; ++column) work(row, column);
    }
  }

  template <class... T> void launch(const char *name, bool has_forms, const unsigned (&grid)[3], const unsigned (&block)[2],
                                    T... arguments) {
    std::string full = std::string("geolearn_") + name + (!has_forms ? "" : f.is_wide ? "_wide" : "_single");
    void *pointers[] = {&arguments...};
    geolearn_emulated_launch(full.c_str(), E::NUMBER, grid, block, 0, pointers);
  }
  // A block of `lanes` columns of threads keeps `maps` maps.
  template <class... T> void launch_on_chip(const char *name, unsigned threads, unsigned lanes, int maps, T... arguments) {
    unsigned vectors = f.channels / E::VECTOR, grid[] = {(vectors + lanes - 1) / lanes, unsigned(f.images), 1};
    unsigned block[] = {lanes, threads / lanes}, bytes = lanes * maps * f.pixels() * 16;
    void *pointers[] = {&arguments...};
    geolearn_emulated_launch(name, E::NUMBER, grid, block, bytes, pointers);
  }
  template <class... T> void launch_sums(const char *name, T... arguments) {
    unsigned groups = f.channels / (f.is_wide ? E::VECTOR : 1);
    launch(name, true, {(groups + f.lanes - 1) / f.lanes, unsigned(f.splits), unsigned(f.images)}, {f.lanes, 256 / f.lanes},
           arguments...);
  }
  template <class... T> void launch_means(const char *name, T... arguments) {
    unsigned channels = one_of({32u, 128u});
    launch(name, false, {(f.channels + channels - 1) / channels, 1, unsigned(f.images)},
           {channels, channels == 32 ? 8u : 1u}, arguments...);
  }
  template <class... T> void launch_maps(const char *name, T... arguments) {
    launch(name, true, {f.blocks, unsigned(f.images), 1}, {256, 1}, arguments...);
  }

  // `magnitude` is that of the terms of the sum.
  void near(const char *what, double found, double expected, double tolerance) {
    if (std::abs(found - expected) <= tolerance) return;
    std::printf("element %d, %s: %.9g instead of %.9g (tolerance %.2g) at %s\n", E::NUMBER, what, found, expected,
                tolerance, f.text().c_str());
    std::exit(1);
  }
  template <class T> void whole(const char *what, const Memory<T> &memory) {
    near(what, memory.is_whole() ? 0 : 1, 0, 0);
  }

  // Adds up the splits; kernels write [N][splits][2][C].
  double total(Memory<Sum> &sums, int n, int which, int c) {
    double sum = 0;
    for (int split = 0; split < f.splits; ++split) sum += sums.data()[((n * f.splits + split) * 2 + which) * f.channels + c];
    return sum;
  }
  Sum &pair(Memory<Sum> &pairs, int n, int which, int c) { return pairs.data()[(n * 2 + which) * f.channels + c]; }

  Memory<Sum> check_moments(Memory<Stored> &x) {
    auto sums = empty_sums(2 * f.splits), moments = empty_sums(2);
    launch_sums("moments_sums", x.data(), f.pixels(), f.channels, f.splits, sums.data());
    launch_means("moments", x.data(), sums.data(), f.pixels(), f.channels, f.splits, EPSILON, moments.data());
    whole("sums", sums);
    judge_moments(x, moments, &sums);
    return moments;
  }

  // `sums` are missing if a kernel does not write them.
  void judge_moments(Memory<Stored> &x, Memory<Sum> &moments, Memory<Sum> *sums) {
    whole("moments", moments);
    each([&](int n, int c) {
      double mean = 0, variance = 0, shift = E::wide(x.data()[at(n, 0, 0, c, 0)]), first = 0, second = 0, size = 0;
      auto value = [&](int row, int column) { return E::wide(x.data()[at(n, row, column, c, 0)]); };
      each_pixel([&](int row, int column) {
        double d = value(row, column) - shift;
        mean += value(row, column) / f.pixels(), first += d, second += d * d, size += std::abs(d);
      });
      each_pixel([&](int row, int column) { variance += std::pow(value(row, column) - mean, 2) / f.pixels(); });
      if (sums) {
        near("sum of x", total(*sums, n, 0, c), first, E::SUM * size);
        near("sum of x^2", total(*sums, n, 1, c), second, E::SUM * second);
      }
      near("mean", pair(moments, n, 0, c), mean, E::SUM * (std::abs(mean) + size / f.pixels()));
      // The variance is the difference of two mean squares; `second` is the larger one.
      double scale = 1 / std::sqrt(variance + EPSILON), lost = second / f.pixels() / (variance + EPSILON);
      near("scale", pair(moments, n, 1, c), scale, E::SUM * scale * (1 + lost));
    });
  }

  double xhat(Memory<Stored> &x, Memory<Sum> &moments, int n, int row, int column, int c) {
    double value = E::wide(x.data()[at(n, row, column, c, 0)]);
    return (value - pair(moments, n, 0, c)) * pair(moments, n, 1, c);
  }

  void check_normalise(Memory<Stored> &x, Memory<Sum> &moments, Memory<Stored> *residual) {
    auto y = empty_map(f.border);
    launch_maps("normalise", x.data(), moments.data(), residual ? residual->data() : nullptr, f.other_border, f.slope, f.height,
                f.width, f.channels, f.border, y.data());
    judge_normalised(x, moments, residual, y);
  }

  void judge_normalised(Memory<Stored> &x, Memory<Sum> &moments, Memory<Stored> *residual, Memory<Stored> &y) {
    whole("y", y);
    each([&](int n, int c) {
      for (int row = 0; row < f.height + 2 * f.border; ++row) {
        for (int column = 0; column < f.width + 2 * f.border; ++column) {
          int h = reflect(row - f.border, f.height), w = reflect(column - f.border, f.width), b = f.other_border;
          double v = xhat(x, moments, n, h, w, c), r = residual ? E::wide(residual->data()[at(n, h + b, w + b, c, b)]) : 0;
          double expected = (v > 0 ? v : f.slope * v) + r, size = std::abs(v) + std::abs(r);
          near("y", E::wide(y.data()[at(n, row, column, c, f.border)]), expected,
               E::ROUNDING * std::abs(expected) + E::SUM * size);
        }
      }
    });
  }

  // Scatters what the kernels gather; the second sum is of magnitudes.
  std::vector<std::pair<double, double>> fold(Memory<Stored> &gradient, int n, int c) {
    std::vector<std::pair<double, double>> sums(f.pixels());
    for (int row = 0; row < f.height + 2 * f.border; ++row) {
      for (int column = 0; column < f.width + 2 * f.border; ++column) {
        int h = reflect(row - f.border, f.height), w = reflect(column - f.border, f.width);
        double value = E::wide(gradient.data()[at(n, row, column, c, f.border)]);
        sums[h * f.width + w].first += value, sums[h * f.width + w].second += std::abs(value);
      }
    }
    return sums;
  }

  Memory<Sum> check_gradient_sums(Memory<Stored> &gradient, Memory<Stored> &x, Memory<Sum> &moments) {
    auto sums = empty_sums(2 * f.splits), means = empty_sums(2);
    launch_sums("gradient_sums", gradient.data(), x.data(), moments.data(), f.slope, f.height, f.width, f.channels, f.border,
                f.splits, sums.data());
    launch_means("gradient_means", sums.data(), f.pixels(), f.channels, f.splits, means.data());
    whole("gradient sums", sums), whole("gradient means", means);
    each([&](int n, int c) {
      auto folded = fold(gradient, n, c);
      double first = 0, second = 0, size = 0, second_size = 0;
      each_pixel([&](int row, int column) {
        auto [g, g_size] = folded[row * f.width + column];
        double v = xhat(x, moments, n, row, column, c), share = v > 0 ? 1 : f.slope;
        first += share * g, second += share * g * v;
        size += share * g_size, second_size += share * g_size * std::abs(v);
      });
      near("sum of g", total(sums, n, 0, c), first, E::SUM * size);
      near("sum of g xhat", total(sums, n, 1, c), second, E::SUM * second_size);
      near("mean of g", pair(means, n, 0, c), first / f.pixels(), E::SUM * size / f.pixels());
      near("mean of g xhat", pair(means, n, 1, c), second / f.pixels(), E::SUM * second_size / f.pixels());
    });
    return means;
  }

  void check_gradient(Memory<Stored> &gradient, Memory<Stored> &x, Memory<Sum> &moments, Memory<Sum> &means) {
    auto made = empty_map(0);
    launch_maps("gradient", gradient.data(), x.data(), moments.data(), means.data(), f.slope, f.height, f.width, f.channels,
                f.border, made.data());
    judge_gradient(gradient, x, moments, means, made, false);
  }

  // If a kernel has used `own_means`, they may differ from `means` by as much as sums do.
  void judge_gradient(Memory<Stored> &gradient, Memory<Stored> &x, Memory<Sum> &moments, Memory<Sum> &means,
                      Memory<Stored> &made, bool own_means) {
    whole("gradient", made);
    each([&](int n, int c) {
      auto folded = fold(gradient, n, c);
      double level_apart = 0, tilt_apart = 0;
      each_pixel([&](int row, int column) {
        double v = xhat(x, moments, n, row, column, c), size = (v > 0 ? 1 : f.slope) * folded[row * f.width + column].second;
        level_apart += own_means * size / f.pixels(), tilt_apart += own_means * size * std::abs(v) / f.pixels();
      });
      each_pixel([&](int row, int column) {
        auto [g, size] = folded[row * f.width + column];
        double v = xhat(x, moments, n, row, column, c), scale = pair(moments, n, 1, c);
        double level = pair(means, n, 0, c), tilt = v * pair(means, n, 1, c);
        double expected = scale * ((v > 0 ? 1 : f.slope) * g - level - tilt);
        near("gradient", E::wide(made.data()[at(n, row, column, c, 0)]), expected,
             E::ROUNDING * std::abs(expected) +
                 E::SUM * scale * (size + std::abs(level) + std::abs(tilt) + level_apart + std::abs(v) * tilt_apart));
      });
    });
  }

  void check_on_chip(Memory<Stored> &x, Memory<Stored> *residual, Memory<Stored> &gradient) {
    unsigned lanes = one_of({1u, 2u});
    auto moments = empty_sums(2);
    auto y = empty_map(f.border), made = empty_map(0);
    launch_on_chip("geolearn_norm_on_chip", 256, lanes, 1, x.data(), EPSILON, residual ? residual->data() : nullptr, f.other_border,
                   f.slope, f.height, f.width, f.channels, f.border, moments.data(), y.data());
    judge_moments(x, moments, nullptr);
    judge_normalised(x, moments, residual, y);
    launch_on_chip("geolearn_norm_gradient_on_chip", 512, lanes, 2, gradient.data(), x.data(), moments.data(), f.slope, f.height,
                   f.width, f.channels, f.border, made.data());
    auto means = check_gradient_sums(gradient, x, moments);
    judge_gradient(gradient, x, moments, means, made, true);
  }

  void check_add_folded(Memory<Stored> &gradient, Memory<Stored> &into) {
    auto before = into;
    int b = f.other_border;
    launch_maps("add_folded", gradient.data(), f.border, f.height, f.width, f.channels, into.data(), b);
    whole("sum", into);
    each([&](int n, int c) {
      auto folded = fold(gradient, n, c);
      for (int row = 0; row < f.height + 2 * b; ++row) {
        for (int column = 0; column < f.width + 2 * b; ++column) {
          double was = E::wide(before.data()[at(n, row, column, c, b)]), is = E::wide(into.data()[at(n, row, column, c, b)]);
          int h = row - b, w = column - b;
          if (h < 0 || w < 0 || h >= f.height || w >= f.width) {
            near("border of a sum", is, was, 0);
            continue;
          }
          auto [g, size] = folded[h * f.width + w];
          near("sum", is, was + g, E::ROUNDING * std::abs(was + g) + E::SUM * (size + std::abs(was)));
        }
      }
    });
  }
};

template <class E> void check_all(int forms) {
  for (int i = 0; i < forms; ++i) Check<E>(random_form(E::VECTOR)).run();
  // Each thread has several pixels.
  Form large = random_form(E::VECTOR);
  large.images = 2, large.height = 67, large.width = 70, large.channels = 3 * E::VECTOR, large.is_wide = true;
  large.border = 1, large.other_border = 3;
  Check<E>(large).run();
}

} // namespace

int main() {
  check_all<Bf16>(60);
  check_all<Plain<float, 1>>(60);
  check_all<Plain<double, 2>>(60);
  std::puts("every kernel is near its reference");
}
