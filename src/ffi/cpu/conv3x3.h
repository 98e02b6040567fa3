// 3x3 convolutions with one pixel of reflection padding, by Winograd's algorithm: the forward pass and both gradients.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "tiles.h"

namespace geolearn {

// Tiles processed at once: their points, products and the kernel's points fit a 32 MB cache at 256 channels. It is the
// same on all machines because the sums depend on it.
constexpr int64_t TILES_AT_ONCE = 256;

template <class T> class Conv3x3 {
  using V = typename Lanes<T>::type;
  static constexpr int64_t L = Lanes<T>::count;

public:
  // `weight` is (outputs, inputs, 3, 3), contiguous; `input` is the shape of the input map. Channel counts are
  // multiples of the panel width.
  Conv3x3(const at::Tensor &weight, Map input)
      : input_(input), output_{input.images, input.height, input.width, weight.size(0)}, weight_(weight),
        rows_(reflected_lines(input.height, input.tile_rows())),
        columns_(reflected_lines(input.width, input.tile_columns())) {}

  template <class Source> void forward(const Source &source, const T *bias, T *made) {
    Points<T> kernel{input_.channels, output_.channels};
    auto weights = scratch(kernel);
    weights_to_points(kernel, 9, input_.channels * 9, data(weights));
    auto points = band_scratch(input_.channels), products = band_scratch(output_.channels);
    for_bands([&](Band band, int64_t tiles) {
      Points<T> in{tiles, input_.channels}, out{tiles, output_.channels};
      pixels_to_points(source, band, in, data(points));
      multiply<T>(data(points), in, data(weights), kernel, data(products));
      products_to_map(data(products), out, band, bias, made);
    });
  }

  // Adds the gradient of the input to `input_gradient` and returns the gradient of the weight. `source` is the input of
  // the forward pass, `gradient` the gradient of its output.
  template <class Source, class Gradient>
  at::Tensor backward(const Source &source, const Gradient &gradient, T *input_gradient) {
    Points<T> kernel{input_.channels, output_.channels}, transposed{output_.channels, input_.channels};
    auto weights = scratch(transposed), kernel_gradient = scratch(kernel);
    weights_to_points(transposed, input_.channels * 9, 9, data(weights));
    auto points = band_scratch(input_.channels), products = band_scratch(output_.channels);
    bool is_first = true;
    for_bands([&](Band band, int64_t tiles) {
      Points<T> in{tiles, input_.channels}, out{tiles, output_.channels};
      pixels_to_points(source, band, in, data(points));
      gradient_to_products(gradient, band, out, data(products));
      multiply_transposed<T>(data(points), in, data(products), out, data(kernel_gradient), !is_first);
      is_first = false;
      multiply<T>(data(products), out, data(weights), transposed, data(points));
      points_to_gradient(data(points), in, band, input_gradient);
    });
    auto made = at::empty_like(weight_);
    points_to_weights(data(kernel_gradient), kernel, data(made));
    return made;
  }

private:
  Map input_, output_;
  at::Tensor weight_;
  std::vector<int64_t> rows_, columns_;

  at::Tensor scratch(Points<T> points) const { return at::empty({points.size()}, weight_.options()); }

  at::Tensor band_scratch(int64_t channels) const {
    int64_t rows = std::min(input_.images * input_.tile_rows(), rows_at_once());
    return scratch({rows * input_.tile_columns(), channels});
  }

  static T *data(const at::Tensor &tensor) { return tensor.template mutable_data_ptr<T>(); }

  int64_t rows_at_once() const { return std::max<int64_t>(1, TILES_AT_ONCE / input_.tile_columns()); }

  template <class F> void for_bands(F work) const {
    int64_t rows = input_.images * input_.tile_rows();
    for (int64_t begin = 0; begin < rows; begin += rows_at_once()) {
      Band band{begin, std::min(rows, begin + rows_at_once())};
      work(band, (band.end - band.begin) * input_.tile_columns());
    }
  }

  // The functions below each process one row of tiles; `tile` is the index of the row's first tile in the band.

  template <class Source> void pixels_to_points(const Source &source, Band band, Points<T> points, T *made) const {
    for_tile_rows(input_, band, 0, 1, [&](int64_t image, int64_t row, int64_t tile) {
      pixels_to_points_row(source, image, row, points, tile, made);
    });
  }

  template <class Source>
  GEOLEARN_KERNEL void pixels_to_points_row(const Source &source, int64_t image, int64_t row, Points<T> points,
                                            int64_t tile, T *made) const {
    int64_t channels = input_.channels, stride = points.stride();
    for (int64_t column = 0; column < input_.tile_columns(); column++, tile++) {
      int64_t offsets[winograd::POINTS];
      places(image, row, column, offsets);
      for (int64_t c = 0; c < channels; c += L) {
        V in[winograd::POINTS], out[winograd::POINTS];
        for (int i = 0; i < winograd::POINTS; i++) {
          in[i] = offsets[i] < 0 ? V{} : source.at(image * channels + c, offsets[i] + c);
        }
        winograd::square<winograd::IN, winograd::IN>(in, out, winograd::PixelsToPoints{});
        T *to = made + points.place(tile, c);
        for (int i = 0; i < winograd::POINTS; i++) store(to + i * stride, out[i]);
      }
    }
  }

  void points_to_gradient(const T *points, Points<T> shape, Band band, T *gradient) const {
    // Adjacent rows of tiles share pixels, so even rows are processed first, then odd ones.
    for (int64_t first = 0; first < 2; first++) {
      for_tile_rows(input_, band, first, 2, [&](int64_t image, int64_t row, int64_t tile) {
        points_to_gradient_row(points, shape, tile, image, row, gradient);
      });
    }
  }

  GEOLEARN_KERNEL void points_to_gradient_row(const T *points, Points<T> shape, int64_t tile, int64_t image,
                                              int64_t row, T *gradient) const {
    int64_t channels = input_.channels, stride = shape.stride();
    for (int64_t column = 0; column < input_.tile_columns(); column++, tile++) {
      int64_t offsets[winograd::POINTS];
      places(image, row, column, offsets);
      for (int64_t c = 0; c < channels; c += L) {
        V in[winograd::POINTS], out[winograd::POINTS];
        const T *from = points + shape.place(tile, c);
        for (int i = 0; i < winograd::POINTS; i++) in[i] = load(from + i * stride);
        winograd::square<winograd::IN, winograd::IN>(in, out, winograd::PointsToPixels{});
        for (int i = 0; i < winograd::POINTS; i++) {
          if (offsets[i] < 0) continue;
          T *to = gradient + offsets[i] + c;
          store(to, load(to) + out[i]);
        }
      }
    }
  }

  void products_to_map(const T *products, Points<T> shape, Band band, const T *bias, T *made) const {
    for_tile_rows(output_, band, 0, 1, [&](int64_t image, int64_t row, int64_t tile) {
      products_to_map_row(products, shape, tile, image, row, bias, made);
    });
  }

  GEOLEARN_KERNEL void products_to_map_row(const T *products, Points<T> shape, int64_t tile, int64_t image, int64_t row,
                                           const T *bias, T *made) const {
    int64_t channels = output_.channels, stride = shape.stride();
    for (int64_t column = 0; column < output_.tile_columns(); column++, tile++) {
      Corner corner = corner_of(image, row, column);
      for (int64_t c = 0; c < channels; c += L) {
        V in[winograd::POINTS], out[winograd::OUT * winograd::OUT];
        const T *from = products + shape.place(tile, c);
        for (int i = 0; i < winograd::POINTS; i++) in[i] = load(from + i * stride);
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
  void gradient_to_products(const Gradient &gradient, Band band, Points<T> shape, T *made) const {
    for_tile_rows(output_, band, 0, 1, [&](int64_t image, int64_t row, int64_t tile) {
      gradient_to_products_row(gradient, image, row, shape, tile, made);
    });
  }

  template <class Gradient>
  GEOLEARN_KERNEL void gradient_to_products_row(const Gradient &gradient, int64_t image, int64_t row, Points<T> shape,
                                                int64_t tile, T *made) const {
    int64_t channels = output_.channels, stride = shape.stride();
    for (int64_t column = 0; column < output_.tile_columns(); column++, tile++) {
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
        T *to = made + shape.place(tile, c);
        for (int i = 0; i < winograd::POINTS; i++) store(to + i * stride, out[i]);
      }
    }
  }

  // Writes the offsets of a tile's pixels in the input map; -1 if there is no such pixel.
  void places(int64_t image, int64_t row, int64_t column, int64_t *offsets) const {
    const int64_t *y = &rows_[row * winograd::IN], *x = &columns_[column * winograd::IN];
    for (int i = 0; i < winograd::IN; i++) {
      for (int j = 0; j < winograd::IN; j++) {
        int64_t pixel = (image * input_.height + y[i]) * input_.width + x[j];
        offsets[i * winograd::IN + j] = y[i] >= 0 && x[j] >= 0 ? pixel * input_.channels : -1;
      }
    }
  }

  // The position of a tile in the output map, and how much of the tile is inside it.
  struct Corner {
    int64_t offset, height, width;
  };

  Corner corner_of(int64_t image, int64_t row, int64_t column) const {
    int64_t y = row * winograd::OUT, x = column * winograd::OUT;
    int64_t offset = ((image * output_.height + y) * output_.width + x) * output_.channels;
    return {offset, std::min<int64_t>(winograd::OUT, output_.height - y),
            std::min<int64_t>(winograd::OUT, output_.width - x)};
  }

  // Calls `work(first column, first row, last row)` in parallel for parts of a kernel's matrices. A part is one panel
  // wide, so that its memory is read and written sequentially; distant columns would each be on a different page.
  template <class F> void for_parts(Points<T> kernel, F work) const {
    constexpr int64_t ROWS = 64;
    int64_t blocks = (kernel.rows + ROWS - 1) / ROWS;
    at::parallel_for(0, kernel.columns / PANEL<T> * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        int64_t first = i % blocks * ROWS;
        work(i / blocks * PANEL<T>, first, std::min(kernel.rows, first + ROWS));
      }
    });
  }

  // Writes the transformed weights of a kernel whose rows are `row_step` apart in memory and its columns `column_step`.
  void weights_to_points(Points<T> kernel, int64_t row_step, int64_t column_step, T *made) const {
    const T *weight = weight_.template const_data_ptr<T>();
    for_parts(kernel, [&](int64_t column, int64_t first, int64_t last) {
      for (int64_t row = first; row < last; row++) {
        const T *from = weight + row * row_step + column * column_step;
        weights_to_points_row(from, column_step, kernel, made + kernel.place(row, column));
      }
    });
  }

  GEOLEARN_KERNEL void weights_to_points_row(const T *weight, int64_t column_step, Points<T> kernel, T *made) const {
    for (int64_t k = 0; k < PANEL<T>; k += L) {
      V in[9], out[winograd::POINTS];
      for (int64_t lane = 0; lane < L; lane++) {
        for (int i = 0; i < 9; i++) in[i][lane] = weight[(k + lane) * column_step + i];
      }
      winograd::square<3, winograd::IN>(in, out, winograd::WeightsToPoints{});
      for (int i = 0; i < winograd::POINTS; i++) store(made + i * kernel.stride() + k, out[i]);
    }
  }

  void points_to_weights(const T *points, Points<T> kernel, T *made) const {
    for_parts(kernel, [&](int64_t column, int64_t first, int64_t last) {
      for (int64_t row = first; row < last; row++) {
        points_to_weights_row(points + kernel.place(row, column), kernel, made + (column * kernel.rows + row) * 9);
      }
    });
  }

  GEOLEARN_KERNEL void points_to_weights_row(const T *points, Points<T> kernel, T *made) const {
    for (int64_t k = 0; k < PANEL<T>; k += L) {
      V in[winograd::POINTS], out[9];
      for (int i = 0; i < winograd::POINTS; i++) in[i] = load(points + i * kernel.stride() + k);
      winograd::square<winograd::IN, 3>(in, out, winograd::PointsToWeights{});
      for (int64_t lane = 0; lane < L; lane++) {
        for (int i = 0; i < 9; i++) made[(k + lane) * kernel.rows * 9 + i] = out[i][lane];
      }
    }
  }
};

} // namespace geolearn
