//! Images under evaluation: as pictures, and as rasters in a domain's own units.

use std::fmt;
use std::path::PathBuf;

use image::RgbImage;
use tch::Tensor;

use crate::arrays::{array_to_tensor, tensor_to_array};
use crate::dataset::{DataBunch, Domain, Split};
use crate::error::Result;
use crate::raster::Raster;
use crate::train::Translator;

/// An image of a domain, or a translation into it.
pub(super) struct EvaluatedImage {
    pub picture: RgbImage,
    /// `None` if its bands are not those of the domain.
    pub raster: Option<Raster>,
}

/// The location of a real image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Real {
    File(PathBuf),
    /// A validation window of scenes, by its number.
    Window(usize),
}

impl Real {
    pub fn read(&self, data: &DataBunch, domain: Domain) -> Result<Raster> {
        match self {
            Self::File(file) => data.image_of(domain, file),
            Self::Window(index) => data.image(domain, Split::Valid, *index),
        }
    }
}

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Window(index) => write!(f, "validation window {index}"),
        }
    }
}

/// A real image, as network input and in its own units.
pub(super) struct Source {
    /// (1, C, H, W) in [-1, 1].
    pub tensor: Tensor,
    pub raster: Raster,
}

impl EvaluatedImage {
    pub fn of(data: &DataBunch, domain: Domain, raster: Raster) -> Self {
        Self { picture: data.colors(domain).paint(&raster), raster: Some(raster) }
    }

    /// Converts the network's output for `source`; without data where that has none, as in a prediction.
    ///
    /// # Shapes
    /// (1, C, H, W) in [-1, 1].
    pub fn made(data: &DataBunch, domain: Domain, made: &Tensor, source: &Raster) -> Result<Self> {
        let array = tensor_to_array(&made.f_get(0)?)?;
        let scaling = data.normalizer(domain);
        let made = scaling.to_raster(array.view())?.with_gaps_of(source, scaling.values().nodata);
        Ok(Self::of(data, domain, made))
    }
}

impl Source {
    pub fn of(data: &DataBunch, domain: Domain, raster: Raster) -> Result<Self> {
        let tensor = array_to_tensor(data.normalizer(domain).normalize_raster(&raster)?)?.f_unsqueeze(0)?;
        Ok(Self { tensor, raster })
    }
}

/// Translates an image of the other domain into `to`.
pub(super) fn translated(
    model: &dyn Translator,
    data: &DataBunch,
    source: &Source,
    to: Domain,
) -> Result<EvaluatedImage> {
    EvaluatedImage::made(data, to, &model.translate(&source.tensor, to)?, &source.raster)
}
