//! What the training loop gets.

use std::path::{Path, PathBuf};

use ndarray::Array3;
use tch::Tensor;

use super::augment::Augment;
use super::normalise::Normaliser;
use super::survey::Shape;
use crate::error::{Error, ErrorKind, Result};
use crate::random::Stream;
use crate::raster::{Limits, Raster};

/// A batch of unpaired chips of both domains.
///
/// # Shapes
/// `a` and `b` are (N, C, H, W), f32 on the CPU. C is the larger band count of the two domains; height and width of
/// `a` and `b` may differ. Values are in [-1, 1]; beyond it only where a loaded model scales data of a wider range.
#[derive(Debug)]
pub struct Batch {
    /// Chips of domain A.
    pub a: Tensor,
    /// Chips of domain B.
    pub b: Tensor,
}

impl Batch {
    /// Number of chips of each domain, N.
    pub fn size(&self) -> usize {
        self.a.size().first().map_or(0, |&n| n as usize)
    }
}

/// Reads chips of one domain into the form in which a network takes them.
#[derive(Debug, Clone)]
pub(super) struct ChipReader {
    pub shape: Shape,
    pub resize_to: Option<usize>,
    pub normaliser: Normaliser,
}

impl ChipReader {
    /// The image in (bands, height, width), after resizing.
    pub fn image(&self, file: &Path) -> Result<Raster> {
        let image = Raster::open_within(file, &Limits::default())?;
        let image = match self.resize_to {
            Some(side) => image.resize(side, side)?,
            None => image,
        };
        let found = Shape::of(&image);
        if found != self.shape {
            return Err(Error::new(ErrorKind::Format, "the chip has changed since the data were prepared")
                .at(file)
                .expected(self.shape)
                .found(found)
                .help("Call prepare_data again."));
        }
        Ok(image)
    }

    /// The chip in (C, height, width), normalised.
    pub fn chip(&self, file: &Path) -> Result<Array3<f32>> {
        self.normaliser.normalise_raster(&self.image(file)?)
    }

    /// The chips in (N, C, height, width); `vary` gives the random stream of a place, where chips are varied.
    pub fn tensor<'a>(
        &self,
        files: impl ExactSizeIterator<Item = &'a PathBuf>,
        augment: Option<(&Augment, &dyn Fn(usize) -> Stream)>,
    ) -> Result<Tensor> {
        let (count, mut samples, mut size) = (files.len(), Vec::<f32>::new(), (0, 0));
        for (place, file) in files.enumerate() {
            let mut chip = self.chip(file)?;
            if let Some((augment, stream)) = augment {
                chip = augment.apply(chip, &mut stream(place));
            }
            size = (chip.dim().1, chip.dim().2);
            if place == 0 {
                samples.reserve_exact(count * chip.len());
            }
            samples.extend(chip.iter());
        }
        let shape = [count, self.normaliser.channels(), size.0, size.1].map(|side| side as i64);
        Ok(Tensor::f_from_slice(&samples)?.f_reshape(shape)?)
    }
}
