// 3x3 convolutions of maps that are reflected by one pixel, by Winograd's algorithm: forward, and both gradients.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>

#include "tiles.h"

namespace geolearn {

// Tiles that are at work at once: their points, products and the kernel's points stay within a cache of 32 MB at 256 channels.
// It is the same on all machines, because sums depend on it.
constexpr int64_t TILES_AT_ONCE = 256;

template <class T> class Conv3x3 {
  using V = typename Lanes<T>::type;
  static constexpr int64_t L = Lanes<T>::count;

public:
  // `weight` is (outputs, inputs, 3, 3), contiguous; `input` is the map that goes in.
  Conv3x3(const at::Tensor &weight, Map input)
      : input_(input), output_{input.images, input.height, input.width, weight.size(0)}, options_(weight.options()),
        rows_(reflected_lines(input.height, input.tile_rows())),
        columns_(reflected_lines(input.width, input.tile_columns())), kernel_{input.channels, weight.size(0)} {
    kernel_points_ = scratch(kernel_);
    weights_to_points(weight.const_data_ptr<T>());
  }

  // Whether these channels fill vectors.
  static bool fits(int64_t inputs, int64_t outputs) { return inputs % L == 0 && outputs % L == 0; }

  template <class Source> void forward(const Source &source, const T *bias, T *made) {
    for_bands([&](Band band, int64_t tiles) {
      Points in{tiles, input_.channels}, out{tiles, output_.channels};
      auto points = scratch(in), products = scratch(out);
      pixels_to_points(source, band, in, points.template mutable_data_ptr<T>());
      auto result = matrices(products, out);
      at::bmm_out(result, matrices(points, in), matrices(kernel_points_, kernel_));
      products_to_map(products.template const_data_ptr<T>(), out, band, bias, made);
    });
  }

  // Adds the gradient of the input to `input_gradient`, and gives that of the weight. `source` is what went in, `gradient`
  // what came back.
  template <class Source, class Gradient>
  at::Tensor backward(const Source &source, const Gradient &gradient, T *input_gradient) {
    auto kernel_gradient = scratch(kernel_);
    bool is_first = true;
    for_bands([&](Band band, int64_t tiles) {
      Points in{tiles, input_.channels}, out{tiles, output_.channels};
      auto points = scratch(in), products = scratch(out);
      pixels_to_points(source, band, in, points.template mutable_data_ptr<T>());
      gradient_to_products(gradient, band, out, products.template mutable_data_ptr<T>());
      auto sum = matrices(kernel_gradient, kernel_);
      auto transposed = matrices(points, in).transpose(1, 2);
      if (is_first) at::bmm_out(sum, transposed, matrices(products, out));
      else at::baddbmm_out(sum, sum, transposed, matrices(products, out));
      is_first = false;
      auto back = matrices(points, in);
      at::bmm_out(back, matrices(products, out), matrices(kernel_points_, kernel_).transpose(1, 2));
      points_to_gradient(points.template const_data_ptr<T>(), in, band, input_gradient);
    });
    auto made = at::empty({output_.channels, input_.channels, 3, 3}, options_);
    points_to_weights(kernel_gradient.template const_data_ptr<T>(), made.template mutable_data_ptr<T>());
    return made;
  }

private:
  Map input_, output_;
  at::TensorOptions options_;
  std::vector<int64_t> rows_, columns_;
  Points kernel_;
  at::Tensor kernel_points_;

  at::Tensor scratch(Points points) const { return at::empty({points.size<T>()}, options_); }

  static at::Tensor matrices(const at::Tensor &memory, Points points) {
    return memory.as_strided({winograd::POINTS, points.rows, points.columns},
                             {points.stride<T>(), points.columns, 1});
  }

  template <class F> void for_bands(F work) const {
    int64_t rows = input_.images * input_.tile_rows();
    int64_t most = std::max<int64_t>(1, TILES_AT_ONCE / input_.tile_columns());
    for (int64_t begin = 0; begin < rows; begin += most) {
      Band band{begin, std::min(rows, begin + most)};
      work(band, (band.end - band.begin) * input_.tile_columns());
    }
  }

  // The kernels below do one row of tiles each; `tile` is the number of its first tile in the band.

  template <class Source> void pixels_to_points(const Source &source, Band band, Points points, T *made) const {
    for_tile_rows(input_, band, 0, 1, [&](int64_t image, int64_t row, int64_t tile) {
      pixels_to_points_row(source, image, row, points.stride<T>(), made + tile * input_.channels);
    });
  }

  template <class Source>
  GEOLEARN_KERNEL void pixels_to_points_row(const Source &source, int64_t image, int64_t row, int64_t stride,
                                            T *made) const {
    int64_t channels = input_.channels;
    for (int64_t column = 0; column < input_.tile_columns(); column++, made += channels) {
      int64_t offsets[winograd::POINTS];
      places(image, row, column, offsets);
      for (int64_t c = 0; c < channels; c += L) {
        V in[winograd::POINTS], out[winograd::POINTS];
        for (int i = 0; i < winograd::POINTS; i++) {
          in[i] = offsets[i] < 0 ? V{} : source.at(image * channels + c, offsets[i] + c);
        }
        winograd::square<winograd::IN, winograd::IN>(in, out, winograd::PixelsToPoints{});
        for (int i = 0; i < winograd::POINTS; i++) store(made + c + i * stride, out[i]);
      }
    }
  }

  void points_to_gradient(const T *points, Points shape, Band band, T *gradient) const {
    // Neighbouring rows of tiles share pixels: first every second row, then the others.
    for (int64_t first = 0; first < 2; first++) {
      for_tile_rows(input_, band, first, 2, [&](int64_t image, int64_t row, int64_t tile) {
        points_to_gradient_row(points + tile * input_.channels, shape.stride<T>(), image, row, gradient);
      });
    }
  }

  GEOLEARN_KERNEL void points_to_gradient_row(const T *points, int64_t stride, int64_t image, int64_t row,
                                              T *gradient) const {
    int64_t channels = input_.channels;
    for (int64_t column = 0; column < input_.tile_columns(); column++, points += channels) {
      int64_t offsets[winograd::POINTS];
      places(image, row, column, offsets);
      for (int64_t c = 0; c < channels; c += L) {
        V in[winograd::POINTS], out[winograd::POINTS];
        for (int i = 0; i < winograd::POINTS; i++) in[i] = load(points + c + i * stride);
        winograd::square<winograd::IN, winograd::IN>(in, out, winograd::PointsToPixels{});
        for (int i = 0; i < winograd::POINTS; i++) {
          if (offsets[i] < 0) continue;
          T *to = gradient + offsets[i] + c;
          store(to, load(to) + out[i]);
        }
      }
    }
  }

  void products_to_map(const T *products, Points shape, Band band, const T *bias, T *made) const {
    for_tile_rows(output_, band, 0, 1, [&](int64_t image, int64_t row, int64_t tile) {
      products_to_map_row(products + tile * output_.channels, shape.stride<T>(), image, row, bias, made);
    });
  }

  GEOLEARN_KERNEL void products_to_map_row(const T *products, int64_t stride, int64_t image, int64_t row,
                                           const T *bias, T *made) const {
    int64_t channels = output_.channels;
    for (int64_t column = 0; column < output_.tile_columns(); column++, products += channels) {
      Corner corner = corner_of(image, row, column);
      for (int64_t c = 0; c < channels; c += L) {
        V in[winograd::POINTS], out[winograd::OUT * winograd::OUT];
        for (int i = 0; i < winograd::POINTS; i++) in[i] = load(products + c + i * stride);
        winograd::square<winograd::IN, winograd::OUT>(in, out, winograd::ProductsToOutputs{});
        V shift = load(bias + c);
        for (int64_t i = 0; i < corner.height; i++) {
          for (int64_t j = 0; j < corner.width; j++) {
            store(made + corner.offset + (i * output_.width + j) * channels + c, out[i * winograd::OUT + j] + shift);
          }
        }
      }
    }
  }

  template <class Gradient>
  void gradient_to_products(const Gradient &gradient, Band band, Points shape, T *made) const {
    for_tile_rows(output_, band, 0, 1, [&](int64_t image, int64_t row, int64_t tile) {
      gradient_to_products_row(gradient, image, row, shape.stride<T>(), made + tile * output_.channels);
    });
  }

  template <class Gradient>
  GEOLEARN_KERNEL void gradient_to_products_row(const Gradient &gradient, int64_t image, int64_t row, int64_t stride,
                                                T *made) const {
    int64_t channels = output_.channels;
    for (int64_t column = 0; column < output_.tile_columns(); column++, made += channels) {
      Corner corner = corner_of(image, row, column);
      for (int64_t c = 0; c < channels; c += L) {
        V in[winograd::OUT * winograd::OUT] = {}, out[winograd::POINTS];
        for (int64_t i = 0; i < corner.height; i++) {
          for (int64_t j = 0; j < corner.width; j++) {
            int64_t offset = corner.offset + (i * output_.width + j) * channels + c;
            in[i * winograd::OUT + j] = gradient.at(image * channels + c, offset);
          }
        }
        winograd::square<winograd::OUT, winograd::IN>(in, out, winograd::OutputsToProducts{});
        for (int i = 0; i < winograd::POINTS; i++) store(made + c + i * stride, out[i]);
      }
    }
  }

  // Offsets of a tile's pixels in the map that goes in; -1 where there is none.
  void places(int64_t image, int64_t row, int64_t column, int64_t *offsets) const {
    const int64_t *y = &rows_[row * winograd::IN], *x = &columns_[column * winograd::IN];
    for (int i = 0; i < winograd::IN; i++) {
      for (int j = 0; j < winograd::IN; j++) {
        int64_t pixel = (image * input_.height + y[i]) * input_.width + x[j];
        offsets[i * winograd::IN + j] = y[i] >= 0 && x[j] >= 0 ? pixel * input_.channels : -1;
      }
    }
  }

  // Where a tile begins in the map that comes out, and how much of it lies there.
  struct Corner {
    int64_t offset, height, width;
  };

  Corner corner_of(int64_t image, int64_t row, int64_t column) const {
    int64_t y = row * winograd::OUT, x = column * winograd::OUT;
    int64_t offset = ((image * output_.height + y) * output_.width + x) * output_.channels;
    return {offset, std::min<int64_t>(winograd::OUT, output_.height - y),
            std::min<int64_t>(winograd::OUT, output_.width - x)};
  }

  void weights_to_points(const T *weight) {
    T *made = kernel_points_.template mutable_data_ptr<T>();
    at::parallel_for(0, kernel_.rows, 4, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; c++) weights_to_points_of(c, weight, made + c * kernel_.columns);
    });
  }

  GEOLEARN_KERNEL void weights_to_points_of(int64_t input, const T *weight, T *made) const {
    int64_t stride = kernel_.stride<T>(), step = kernel_.rows * 9;
    for (int64_t k = 0; k < kernel_.columns; k += L) {
      V in[9], out[winograd::POINTS];
      for (int64_t lane = 0; lane < L; lane++) {
        for (int i = 0; i < 9; i++) in[i][lane] = weight[(k + lane) * step + input * 9 + i];
      }
      winograd::square<3, winograd::IN>(in, out, winograd::WeightsToPoints{});
      for (int i = 0; i < winograd::POINTS; i++) store(made + k + i * stride, out[i]);
    }
  }

  void points_to_weights(const T *points, T *made) const {
    at::parallel_for(0, kernel_.rows, 4, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; c++) points_to_weights_of(c, points + c * kernel_.columns, made);
    });
  }

  GEOLEARN_KERNEL void points_to_weights_of(int64_t input, const T *points, T *made) const {
    int64_t stride = kernel_.stride<T>(), step = kernel_.rows * 9;
    for (int64_t k = 0; k < kernel_.columns; k += L) {
      V in[winograd::POINTS], out[9];
      for (int i = 0; i < winograd::POINTS; i++) in[i] = load(points + k + i * stride);
      winograd::square<winograd::IN, 3>(in, out, winograd::PointsToWeights{});
      for (int64_t lane = 0; lane < L; lane++) {
        for (int i = 0; i < 9; i++) made[(k + lane) * step + input * 9 + i] = out[i][lane];
      }
    }
  }
};

} // namespace geolearn
