//! Converts palette indices to colors, preserving nodata.

use ndarray::{Array3, Axis};

use super::pixel::Sample;
use super::samples::with_array;
use super::{Dtype, RasterInfo, Samples};

/// The converter from indices to colors.
pub(super) struct Painter<'a> {
    colors: &'a [[u8; 3]],
    /// The nodata index, and the gray that represents it.
    gap: Option<(f32, u8)>,
}

impl<'a> Painter<'a> {
    /// Creates the converter; `None` if samples are not indices.
    pub fn of(info: &'a RasterInfo) -> Option<Self> {
        let colors = info.palette()?;
        // A nodata value overruled by a mask is an ordinary index.
        let gap = info.nodata().filter(|&value| info.mask.is_none() && info.dtype().can_mean(value));
        Some(Self { colors, gap: gap.map(|index| (index as f32, unused_gray(colors, index as usize))) })
    }

    /// Returns the metadata of the converted image.
    pub fn painted_info(&self, info: &RasterInfo) -> RasterInfo {
        RasterInfo {
            place: info.place().clone(),
            nodata: self.nodata(),
            mask: info.mask,
            ..RasterInfo::plain(info.format(), (3, info.height(), info.width()), Dtype::U8)
        }
    }

    fn nodata(&self) -> Option<f64> {
        self.gap.map(|(_, gray)| gray.into())
    }

    /// Returns red, green, and blue; indices outside the palette are black.
    pub fn paint(&self, indices: &Samples) -> Array3<u8> {
        let (_, height, width) = indices.shape();
        let color = |index: f32| match self.gap {
            Some((gap, gray)) if index == gap => [gray; 3],
            Some((_, gray)) => beside(self.colors.get(index as usize).copied().unwrap_or_default(), gray),
            None => self.colors.get(index as usize).copied().unwrap_or_default(),
        };
        let mut painted = Array3::zeros((3, height, width));
        with_array!(indices, data => for ((y, x), index) in data.index_axis(Axis(0), 0).indexed_iter() {
            let color = color(index.to_f64() as f32);
            color.into_iter().enumerate().for_each(|(band, value)| painted[(band, y, x)] = value);
        });
        painted
    }
}

/// Returns a gray that no other index has: black, the index's own, or any. With 256 colors, at least one is free.
fn unused_gray(colors: &[[u8; 3]], index: usize) -> u8 {
    let is_free = |gray: u8| colors.iter().enumerate().all(|(other, color)| other == index || *color != [gray; 3]);
    let own = colors.get(index).map(|color| color[0]);
    [0].into_iter().chain(own).chain((1..=255).rev()).find(|&gray| is_free(gray)).unwrap_or_default()
}

/// Returns the color, or a neighboring one if it equals the gray that represents nodata.
fn beside(color: [u8; 3], gray: u8) -> [u8; 3] {
    if color == [gray; 3] { [color[0], color[1], if gray == 255 { 254 } else { gray + 1 }] } else { color }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gray_of_gaps_is_no_color_of_the_image() {
        assert_eq!(unused_gray(&[[255; 3], [1, 0, 0]], 0), 0);
        assert_eq!(unused_gray(&[[0; 3], [255; 3]], 0), 0);
        assert_eq!(unused_gray(&[[7; 3], [0; 3], [255; 3]], 0), 7);
        let all: Vec<[u8; 3]> = (0..=255).map(|gray| [gray; 3]).collect();
        assert!((0..256).all(|index| usize::from(unused_gray(&all, index)) == index));
        let info = RasterInfo {
            palette: Some(vec![[9; 3], [0; 3]]),
            nodata: Some(0.0),
            ..RasterInfo::plain("TIFF", (1, 1, 3), Dtype::U8)
        };
        let painter = Painter::of(&info).unwrap();
        let painted = painter.paint(&Array3::from_shape_vec((1, 1, 3), vec![0u8, 1, 200]).unwrap().into());
        assert_eq!(painter.painted_info(&info).nodata(), Some(9.0));
        assert_eq!(painted.into_raw_vec_and_offset().0, [9, 0, 0].repeat(3));
    }
}
