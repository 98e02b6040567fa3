//! The samples of an image, in the file's own type.

use std::ops::Range;

use ndarray::{Array2, Array3, Axis, Slice};

use super::Dtype;

/// Runs the same code on the array of whichever type the samples have.
macro_rules! with_array {
    ($samples:expr, $data:ident => $body:expr) => {
        match $samples {
            $crate::raster::Samples::U8($data) => $body,
            $crate::raster::Samples::I8($data) => $body,
            $crate::raster::Samples::U16($data) => $body,
            $crate::raster::Samples::I16($data) => $body,
            $crate::raster::Samples::U32($data) => $body,
            $crate::raster::Samples::I32($data) => $body,
            $crate::raster::Samples::U64($data) => $body,
            $crate::raster::Samples::I64($data) => $body,
            $crate::raster::Samples::F32($data) => $body,
            $crate::raster::Samples::F64($data) => $body,
        }
    };
}
pub(crate) use with_array;

/// Does the same with the element type of a [`Dtype`] bound to a name.
macro_rules! with_type {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            $crate::raster::Dtype::U8 => {
                type $type = u8;
                $body
            }
            $crate::raster::Dtype::I8 => {
                type $type = i8;
                $body
            }
            $crate::raster::Dtype::U16 => {
                type $type = u16;
                $body
            }
            $crate::raster::Dtype::I16 => {
                type $type = i16;
                $body
            }
            $crate::raster::Dtype::U32 => {
                type $type = u32;
                $body
            }
            $crate::raster::Dtype::I32 => {
                type $type = i32;
                $body
            }
            $crate::raster::Dtype::U64 => {
                type $type = u64;
                $body
            }
            $crate::raster::Dtype::I64 => {
                type $type = i64;
                $body
            }
            $crate::raster::Dtype::F32 => {
                type $type = f32;
                $body
            }
            $crate::raster::Dtype::F64 => {
                type $type = f64;
                $body
            }
        }
    };
}
pub(crate) use with_type;

macro_rules! samples {
    ($($variant:ident: $type:ty),* $(,)?) => {
        /// The samples of an image in (bands, height, width), in the file's own type and scale.
        ///
        /// ```
        /// use geolearn::raster::{Dtype, Samples};
        /// use ndarray::Array3;
        ///
        /// let samples = Samples::U16(Array3::from_elem((2, 3, 4), 500));
        /// assert_eq!((samples.dtype(), samples.shape()), (Dtype::U16, (2, 3, 4)));
        /// ```
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Samples {
            $(
                #[doc = concat!("Samples of type `", stringify!($type), "`.")]
                $variant(Array3<$type>),
            )*
        }

        $(
            impl From<Array3<$type>> for Samples {
                fn from(data: Array3<$type>) -> Self {
                    Self::$variant(data)
                }
            }
        )*

        impl Samples {
            /// Returns the data type of the samples.
            pub fn dtype(&self) -> Dtype {
                match self { $(Self::$variant(_) => Dtype::$variant,)* }
            }

            /// Returns (bands, height, width).
            pub fn shape(&self) -> (usize, usize, usize) {
                match self { $(Self::$variant(data) => data.dim(),)* }
            }

            /// Returns one band as `f64`, which is exact for all types except 64-bit integers above 2^53; `None` if the
            /// band does not exist.
            ///
            /// ```
            /// use geolearn::raster::Samples;
            /// use ndarray::Array3;
            ///
            /// let samples = Samples::I16(Array3::from_elem((1, 2, 2), -7));
            /// assert_eq!(samples.band(0).unwrap().sum(), -28.0);
            /// assert!(samples.band(1).is_none());
            /// ```
            pub fn band(&self, band: usize) -> Option<Array2<f64>> {
                if band >= self.shape().0 {
                    return None;
                }
                Some(match self { $(Self::$variant(data) => data.index_axis(Axis(0), band).mapv(|v| v as f64),)* })
            }

            /// Returns all samples as `f32`, each rounded to the nearest value.
            ///
            /// ```
            /// use geolearn::raster::Samples;
            /// use ndarray::Array3;
            ///
            /// let samples = Samples::from(Array3::<u16>::from_elem((1, 2, 2), 1000));
            /// assert_eq!(samples.to_f32()[(0, 1, 1)], 1000.0);
            /// ```
            pub fn to_f32(&self) -> Array3<f32> {
                match self { $(Self::$variant(data) => data.mapv(|v| v as f32),)* }
            }

            /// Returns the samples pixel by pixel in little-endian order, for checksums.
            ///
            /// ```
            /// use geolearn::raster::Samples;
            /// use ndarray::Array3;
            ///
            /// let samples = Samples::U16(Array3::from_shape_fn((2, 1, 2), |(b, _, x)| (b * 256 + x) as u16));
            /// assert_eq!(samples.interleaved_bytes(), [0, 0, 0, 1, 1, 0, 1, 1]);
            /// ```
            pub fn interleaved_bytes(&self) -> Vec<u8> {
                match self {
                    $(Self::$variant(data) => {
                        data.view().permuted_axes([1, 2, 0]).iter().flat_map(|v| v.to_le_bytes()).collect()
                    })*
                }
            }

            /// Creates zeros, on pages that the system has not allocated yet.
            pub(crate) fn zeros(dtype: Dtype, shape: (usize, usize, usize)) -> Self {
                match dtype { $(Dtype::$variant => Self::$variant(Array3::zeros(shape)),)* }
            }

            /// Fills rows starting at `row` with pixel-interleaved samples in native byte order.
            pub(super) fn put_rows(&mut self, row: usize, interleaved: &[u8]) {
                match self {
                    $(Self::$variant(data) => put(data, row, interleaved, |bytes| <$type>::from_ne_bytes(bytes)),)*
                }
            }

            /// Fills pixels of one row, starting at `corner` (row, column), with the samples of some bands:
            /// pixel-interleaved, in native byte order.
            pub(super) fn put_pixels(&mut self, corner: (usize, usize), bands: Range<usize>, interleaved: &[u8]) {
                match self {
                    $(Self::$variant(data) => {
                        put_pixels(data, corner, bands, interleaved, |bytes| <$type>::from_ne_bytes(bytes));
                    })*
                }
            }

            /// Copies `part`, of the same type and bands, to the position (`row`, `column`); the caller has checked
            /// that it fits.
            pub(crate) fn paste(&mut self, row: usize, column: usize, part: &Self) {
                let (_, height, width) = part.shape();
                match (self, part) {
                    $((Self::$variant(to), Self::$variant(part)) => {
                        let (rows, columns) = (Slice::from(row..row + height), Slice::from(column..column + width));
                        to.slice_axis_mut(Axis(1), rows).slice_axis_mut(Axis(2), columns).assign(part);
                    })*
                    _ => debug_assert!(false, "parts of one image are of one type"),
                }
            }

            /// Selects bands by index, in this order; the caller has checked that they exist.
            pub(crate) fn select(&self, bands: &[usize]) -> Self {
                match self { $(Self::$variant(data) => Self::$variant(data.select(Axis(0), bands)),)* }
            }

            /// Selects the pixels of these rows and columns; the caller has checked that they exist.
            pub(crate) fn gathered(&self, rows: &[usize], columns: &[usize]) -> Self {
                match self {
                    $(Self::$variant(data) => {
                        let shape = (data.dim().0, rows.len(), columns.len());
                        Self::$variant(Array3::from_shape_fn(shape, |(b, y, x)| data[(b, rows[y], columns[x])]))
                    })*
                }
            }

            /// Crops the part that begins at (`row`, `column`); the caller has checked that it is within the image.
            pub(crate) fn crop(&self, row: usize, column: usize, height: usize, width: usize) -> Self {
                match self {
                    $(Self::$variant(data) => {
                        let rows = data.slice_axis(Axis(1), Slice::from(row..row + height));
                        Self::$variant(rows.slice_axis(Axis(2), Slice::from(column..column + width)).to_owned())
                    })*
                }
            }
        }
    };
}

samples! {
    U8: u8, I8: i8, U16: u16, I16: i16, U32: u32, I32: i32, U64: u64, I64: i64, F32: f32, F64: f64,
}

fn put<T: Copy, const BYTES: usize>(
    data: &mut Array3<T>,
    row: usize,
    interleaved: &[u8],
    decode: impl Fn([u8; BYTES]) -> T,
) {
    let (bands, _, width) = data.dim();
    for (line, y) in interleaved.chunks_exact((bands * width * BYTES).max(1)).zip(row..) {
        put_pixels(data, (y, 0), 0..bands, line, &decode);
    }
}

fn put_pixels<T: Copy, const BYTES: usize>(
    data: &mut Array3<T>,
    (row, column): (usize, usize),
    bands: Range<usize>,
    interleaved: &[u8],
    decode: impl Fn([u8; BYTES]) -> T,
) {
    let values = interleaved.as_chunks::<BYTES>().0;
    for (band, mut plane) in data.slice_axis_mut(Axis(0), Slice::from(bands.clone())).outer_iter_mut().enumerate() {
        let mut line = plane.row_mut(row);
        let mut line = line.slice_axis_mut(Axis(0), Slice::from(column..));
        let to = line.iter_mut();
        match bands.len() {
            1 => to.zip(values).for_each(|(to, value)| *to = decode(*value)),
            bands => to.zip(values.chunks_exact(bands)).for_each(|(to, pixel)| *to = decode(pixel[band])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_put_and_cropped_band_by_band() {
        let mut samples = Samples::zeros(Dtype::I16, (2, 3, 2));
        let line: Vec<u8> = [1i16, -1, 2, -2, 3, -3, 4, -4].iter().flat_map(|v| v.to_ne_bytes()).collect();
        samples.put_rows(1, &line);
        assert_eq!(samples.band(0).unwrap(), ndarray::array![[0., 0.], [1., 2.], [3., 4.]]);
        assert_eq!(samples.band(1).unwrap(), ndarray::array![[0., 0.], [-1., -2.], [-3., -4.]]);
        assert_eq!(samples.crop(1, 1, 2, 1).band(1).unwrap(), ndarray::array![[-2.], [-4.]]);
    }
}
