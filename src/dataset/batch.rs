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

/// A batch of chips of both domains. In [paired](crate::DatasetType::Pix2Pix) data, chip i of `a` and chip i of `b`
/// show the same place, pixel by pixel; otherwise they are unrelated.
///
/// # Shapes
/// `a` and `b` are (N, C, H, W), f32 on the CPU. C is the larger band count of the two domains, unless each has its
/// [own](crate::dataset::Channels::Own); the height and width of `a` and `b` may differ. Values are in [-1, 1]; they
/// exceed it only if the statistics come from elsewhere than the chips themselves. Nodata pixels are 0.
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

    /// Creates a batch from a function that makes the chips of each domain.
    pub(super) fn of(chips: impl Fn(Domain) -> Result<Tensor>) -> Result<Self> {
        Ok(Self { a: chips(Domain::A)?, b: chips(Domain::B)? })
    }

    /// Returns the number of chips of each domain, N.
    pub fn size(&self) -> usize {
        self.a.size().first().map_or(0, |&n| n as usize)
    }
}

/// Reads the chips of one domain into a network's input tensors.
#[derive(Debug, Clone)]
pub(super) struct ChipReader {
    /// The used bands, their type, and the size to which chips are resized.
    pub shape: Shape,
    /// The requested bands, which are looked up in each file.
    pub asked: Asked,
    pub resize_to: Option<usize>,
    pub mixed_sizes: MixedSizes,
    pub limits: Limits,
    pub normalizer: Normalizer,
    /// The memory in which tensors are allocated.
    pub memory: HostMemory,
}

impl ChipReader {
    /// Returns the reader for a file; a file that is not one of the dataset's chips is not split into halves.
    pub fn of_file(&self, is_chip: bool) -> Cow<'_, Self> {
        match is_chip {
            true => Cow::Borrowed(self),
            false => Cow::Owned(Self { asked: Asked { half: None, ..self.asked.clone() }, ..self.clone() }),
        }
    }

    /// Reads an image as (bands, height, width) at its final size. A crop is placed by `random`, or centered without
    /// it.
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

    /// Makes the tensor (N, C, height, width) of chips that `image` reads; `variation` has the random stream for each
    /// position if chips are augmented.
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

    /// Makes one chip (C, height, width), augmented with the stream.
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
