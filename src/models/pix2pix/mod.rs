//! Pix2Pix (Isola et al. 2017, arXiv:1611.07004), under the names that arcgis.learn gives its parts.

#[cfg(test)]
mod arcgis_tests;
mod builder;
mod config;
mod definition;
#[cfg(test)]
mod golden_tests;
mod import;
mod losses;
mod memory;
mod model;
mod networks;
mod optimizers;
#[cfg(test)]
mod peers_tests;
mod predict;
mod step;
#[cfg(test)]
mod tests;

pub use builder::Pix2PixBuilder;
pub use config::{Generator, Pix2PixConfig};
pub use import::Pix2PixImport;
pub use model::Pix2PixModel;

pub(super) use definition::KIND;

use crate::models::core::Learner;

/// Translates images of domain A into domain B, trained on pairs of images of the same places.
///
/// The generator makes images of B; the discriminator tells pairs of real images from pairs of a real image and its
/// translation.
///
/// ```
/// use geolearn::{DatasetType, Domain, FitOptions, Pix2Pix, PrepareData};
///
/// let data = PrepareData::new("assets/bluemarble_test", DatasetType::Pix2Pix).resize_to(32).prepare()?;
/// let model = Pix2Pix::builder(&data).gen_levels(5).gen_features(4).disc_features(4).build()?;
/// // model.fit(20)?;
/// let relief = model.predict_a2b(data.train_files(Domain::A)[0].as_path())?;
/// assert_eq!(relief.bands(), 3);
/// # Ok::<(), geolearn::Error>(())
/// ```
pub type Pix2Pix = Learner<Pix2PixModel>;
