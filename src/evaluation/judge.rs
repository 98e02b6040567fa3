//! Measures of sets of images: their features, and the energy of checkerboards.

use image::RgbImage;
use ndarray::Array3;
use tch::Tensor;

use super::options::MetricsOptions;
use super::scores::Scores;
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::{CHECKERBOARD_SIDE, FeatureDistances, FeatureSet, Inception, Mean, Resize, checkerboard};

/// The network that computes features, if its weights were found.
pub(super) struct FeatureNetwork {
    network: Option<Inception>,
    resize: Resize,
}

impl FeatureNetwork {
    /// Opens the weights that the caller named, or else looks in the default places and returns the reason if there are
    /// none.
    pub fn find(device: tch::Device, options: &MetricsOptions) -> Result<(Self, Option<Error>)> {
        let device = Device::of(device);
        let found = match &options.inception {
            Some(path) => Ok(Inception::open(path, device)?),
            None => Inception::find(device),
        };
        let resize = options.resize;
        match found {
            Ok(network) => Ok((Self { network: Some(network), resize }, None)),
            Err(missing) if matches!(missing.kind(), ErrorKind::Io | ErrorKind::Usage) => {
                Ok((Self { network: None, resize }, Some(missing)))
            }
            Err(error) => Err(error),
        }
    }
}

/// Images of one size that are being added to a set.
#[derive(Default)]
pub(super) struct ImageSet {
    features: FeatureSet,
    checkerboard: Mean,
}

/// The measurements of a set of images.
pub(super) struct Measured {
    /// (N, 2048); `None` without the network or for fewer than two images.
    features: Option<Tensor>,
    /// Mean share of energy at the frequencies of a checkerboard.
    pub checkerboard: Option<f64>,
}

impl ImageSet {
    /// Adds an image.
    pub fn add(&mut self, judge: &FeatureNetwork, picture: RgbImage) -> Result<()> {
        self.checkerboard += checkerboard_of(&picture)?;
        match &judge.network {
            Some(network) => self.features.add(network, judge.resize, picture),
            None => Ok(()),
        }
    }

    /// Measures the images that were added.
    pub fn finish(mut self, judge: &FeatureNetwork) -> Result<Measured> {
        let features = match &judge.network {
            Some(network) => self.features.features(network, judge.resize)?,
            None => None,
        };
        Ok(Measured { features, checkerboard: self.checkerboard.value() })
    }
}

impl Measured {
    /// Returns the distances from a set of real images.
    pub fn against(&self, real: &Self) -> Result<Scores> {
        let scores = Scores { checkerboard: self.checkerboard, ..Scores::default() };
        let (Some(made), Some(real)) = (&self.features, &real.features) else {
            return Ok(scores);
        };
        let FeatureDistances { fid, kid } = FeatureDistances::between(made, real)?;
        Ok(Scores { kid: Some(kid.value), kid_standard_error: kid.standard_error, fid: Some(fid), ..scores })
    }
}

/// Measures the mean of the three colors; nothing for images that are too small.
fn checkerboard_of(picture: &RgbImage) -> Result<Mean> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if width.min(height) < CHECKERBOARD_SIDE {
        return Ok(Mean::default());
    }
    let pixel = |(color, y, x): (usize, usize, usize)| f32::from(picture.get_pixel(x as u32, y as u32)[color]);
    Ok(checkerboard(Array3::from_shape_fn((3, height, width), pixel).view())?.into_iter().sum())
}
