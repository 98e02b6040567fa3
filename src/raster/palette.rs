//! Indices as colours, where indices without data stay without.

use ndarray::{Array3, Axis};

use super::pixel::Sample;
use super::samples::with_array;
use super::{Dtype, RasterInfo, Samples};

/// What becomes of the indices of an image.
pub(super) struct Painter<'a> {
    colours: &'a [[u8; 3]],
    /// The index without data, and the grey that stands for it.
    gap: Option<(f32, u8)>,
}

impl<'a> Painter<'a> {
    /// None where samples are no indices.
    pub fn of(info: &'a RasterInfo) -> Option<Self> {
        let colours = info.palette()?;
        // A nodata value that a mask overrules is an index like others.
        let gap = info.nodata().filter(|&value| info.mask.is_none() && info.dtype().can_mean(value));
        Some(Self { colours, gap: gap.map(|index| (index as f32, unused_grey(colours, index as usize))) })
    }

    /// What the image is like when it is painted.
    pub fn painted_info(&self, info: &RasterInfo) -> RasterInfo {
        RasterInfo {
            place: info.place().clone(),
            nodata: self.nodata(),
            mask: info.mask,
            ..RasterInfo::plain(info.format(), (3, info.height(), info.width()), Dtype::U8)
        }
    }

    fn nodata(&self) -> Option<f64> {
        self.gap.map(|(_, grey)| grey.into())
    }

    /// Red, green and blue; what the palette does not have is black.
    pub fn paint(&self, indices: &Samples) -> Array3<u8> {
        let (_, height, width) = indices.shape();
        let colour = |index: f32| match self.gap {
            Some((gap, grey)) if index == gap => [grey; 3],
            Some((_, grey)) => beside(self.colours.get(index as usize).copied().unwrap_or_default(), grey),
            None => self.colours.get(index as usize).copied().unwrap_or_default(),
        };
        let mut painted = Array3::zeros((3, height, width));
        with_array!(indices, data => for ((y, x), index) in data.index_axis(Axis(0), 0).indexed_iter() {
            let colour = colour(index.to_f64() as f32);
            colour.into_iter().enumerate().for_each(|(band, value)| painted[(band, y, x)] = value);
        });
        painted
    }
}

/// A grey that no other index has: black, the index's own, or any. Of 256 colours one at least is free.
fn unused_grey(colours: &[[u8; 3]], index: usize) -> u8 {
    let is_free = |grey: u8| colours.iter().enumerate().all(|(other, colour)| other == index || *colour != [grey; 3]);
    let own = colours.get(index).map(|colour| colour[0]);
    [0].into_iter().chain(own).chain((1..=255).rev()).find(|&grey| is_free(grey)).unwrap_or_default()
}

/// The colour, or the next one to it where it is the grey that stands for no data.
fn beside(colour: [u8; 3], grey: u8) -> [u8; 3] {
    if colour == [grey; 3] { [colour[0], colour[1], if grey == 255 { 254 } else { grey + 1 }] } else { colour }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grey_of_gaps_is_no_colour_of_the_image() {
        assert_eq!(unused_grey(&[[255; 3], [1, 0, 0]], 0), 0);
        assert_eq!(unused_grey(&[[0; 3], [255; 3]], 0), 0);
        assert_eq!(unused_grey(&[[7; 3], [0; 3], [255; 3]], 0), 7);
        let all: Vec<[u8; 3]> = (0..=255).map(|grey| [grey; 3]).collect();
        assert!((0..256).all(|index| usize::from(unused_grey(&all, index)) == index));
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
