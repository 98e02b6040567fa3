//! Batches of chips for the training loop.

use std::borrow::Cow;
use std::path::Path;

use ndarray::{Array3, ArrayViewMut3};
use tch::Tensor;

use super::bands::Asked;
use super::domain::Domain;
use super::normalize::Normalizer;
use super::pass;
use super::shape::Shape;
use super::sizes::MixedSizes;
use super::variation::Variation;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, HostMemory};
use crate::random::Stream;
use crate::raster::{Limits, Raster};

/// A batch of chips of both domains. Of [paired](crate::DatasetType::Pix2Pix) data, chip i of `a` and chip i of `b` show the
/// same place, pixel by pixel; otherwise they are unrelated.
///
/// # Shapes
/// `a` and `b` are (N, C, H, W), f32 on the CPU. C is the larger band count of the two domains, unless each has its
/// [own](crate::dataset::Channels::Own); height and width of `a` and `b` may differ. Values are in [-1, 1]; beyond it only if
/// the statistics are not those of the chips themselves. Pixels without data are 0.
#[derive(Debug)]
#[non_exhaustive]
pub struct Batch {
    /// Chips of domain A.
    pub a: Tensor,
    /// Chips of domain B.
    pub b: Tensor,
}

impl Batch {
    /// Creates a batch of chips of both domains, for instance on another device. Shapes are those of [`Batch`].
    ///
    /// ```
    /// use geolearn::dataset::Batch;
    /// use geolearn::tch::{Device, Kind, Tensor};
    ///
    /// let chips = || Tensor::zeros([2, 3, 64, 64], (Kind::Float, Device::Cpu));
    /// assert_eq!(Batch::new(chips(), chips()).size(), 2);
    /// ```
    pub fn new(a: Tensor, b: Tensor) -> Self {
        Self { a, b }
    }

    /// Makes the chips of each domain in turn.
    pub(super) fn of(chips: impl Fn(Domain) -> Result<Tensor>) -> Result<Self> {
        Ok(Self { a: chips(Domain::A)?, b: chips(Domain::B)? })
    }

    /// Returns the number of chips of each domain, N.
    pub fn size(&self) -> usize {
        self.a.size().first().map_or(0, |&n| n as usize)
    }
}

/// Reads chips of one domain into the form in which a network takes them.
#[derive(Debug, Clone)]
pub(super) struct ChipReader {
    /// Bands that are used, their type, and the size that chips are brought to.
    pub shape: Shape,
    /// Which bands are used; they are looked up in each file.
    pub asked: Asked,
    pub resize_to: Option<usize>,
    pub mixed_sizes: MixedSizes,
    pub limits: Limits,
    pub normalizer: Normalizer,
    /// Where tensors are made.
    pub memory: HostMemory,
}

impl ChipReader {
    /// Returns the reader for a file that is one of the data's, or else is no half of anything.
    pub fn of_file(&self, is_chip: bool) -> Cow<'_, Self> {
        match is_chip {
            true => Cow::Borrowed(self),
            false => Cow::Owned(Self { asked: Asked { half: None, ..self.asked.clone() }, ..self.clone() }),
        }
    }

    /// The image in (bands, height, width), at its size; a window into a larger one is placed by `random`, else in the
    /// middle.
    pub fn image(&self, file: &Path, random: Option<&mut Stream>) -> Result<Raster> {
        let (chip, _turn) = pass::read(file, self.shape, &self.asked, &self.limits)?;
        let chip = match self.resize_to {
            Some(side) => chip.resize(side, side)?,
            None => self.mixed_sizes.fit(chip, self.shape.size(), random)?,
        };
        match (chip.height(), chip.width()) == self.shape.size() {
            true => Ok(chip),
            false => Err(pass::changed(file, self.shape, Shape::of(&chip))),
        }
    }

    /// The chips in (N, C, height, width), each read by `image`; `variation` has the random stream of a place, where chips are
    /// varied.
    pub fn tensor<T>(
        &self,
        chips: impl ExactSizeIterator<Item = T>,
        image: impl Fn(T, Option<&mut Stream>) -> Result<Raster>,
        variation: Option<(&Variation, &dyn Fn(usize) -> Stream)>,
    ) -> Result<Tensor> {
        let size = match variation {
            Some((variation, _)) => variation.output_size(self.shape.size())?,
            None => self.shape.size(),
        };
        let chip_shape = [self.normalizer.channels(), size.0, size.1];
        let shape = [chips.len(), chip_shape[0], chip_shape[1], chip_shape[2]].map(|side| side as i64);
        ffi::filled(&shape, self.memory, |samples| {
            let slots = samples.chunks_exact_mut(chip_shape.iter().product::<usize>().max(1));
            for ((place, chip), slot) in chips.enumerate().zip(slots) {
                let mut varied = variation.map(|(variation, stream)| (variation, stream(place)));
                let image = image(chip, varied.as_mut().map(|(_, stream)| stream))?;
                let chip = self.chip(&image, varied)?;
                let mut slot = ArrayViewMut3::from_shape(chip_shape, slot).map_err(|e| misshapen().because(e))?;
                if slot.dim() != chip.dim() {
                    return Err(misshapen().expected(format!("{:?}", slot.dim())).found(format!("{:?}", chip.dim())));
                }
                slot.assign(&chip);
            }
            Ok(())
        })
    }

    /// One chip as (C, height, width), varied by the stream.
    fn chip(&self, image: &Raster, mut varied: Option<(&Variation, Stream)>) -> Result<Array3<f32>> {
        match &mut varied {
            Some((variation, stream)) => Ok(variation.apply(self.normalizer.normalize_with_gaps(image)?, stream)),
            None => self.normalizer.normalize_raster(image),
        }
    }
}

fn misshapen() -> Error {
    Error::new(ErrorKind::Format, "a chip differs in size from the others of its batch")
}
