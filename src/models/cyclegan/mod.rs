//! CycleGAN (Zhu et al. 2017, arXiv:1703.10593), under the names that arcgis.learn gives its parts.

// The documentation shows methods in this order.
mod builder;

mod predict;

#[cfg(test)]
mod arcgis_tests;
mod config;
#[cfg(test)]
mod cuda_tests;
mod definition;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod graph_tests;
mod graphs;
mod halves;
mod import;
#[cfg(test)]
mod import_tests;
mod losses;
mod memory;
#[cfg(test)]
mod memory_tests;
mod model;
mod networks;
mod objective;
mod optimizers;
#[cfg(test)]
mod peers_tests;
mod recipe;
#[cfg(test)]
mod recipe_tests;
#[cfg(test)]
mod spectral_tests;
mod step;
#[cfg(test)]
mod weights_tests;

pub use builder::CycleGanBuilder;
pub use config::CycleGanConfig;
pub use import::GeneratorImport;
pub use model::CycleGanModel;
pub use recipe::Recipe;

pub(super) use definition::KIND;

use crate::models::core::Learner;

/// Translates between two domains of images that are not paired.
///
/// Generator-A makes images of domain A from images of B, and Generator-B the other way round; Discriminator-A tells
/// real images of A from generated ones, and Discriminator-B those of B.
///
/// ```
/// use geolearn::{CycleGan, DatasetType, FitOptions, PrepareData};
///
/// # let work = tempfile::tempdir().unwrap();
/// # let chips = geolearn_doc::few_chips(work.path());
/// let data = PrepareData::new(&chips, DatasetType::CycleGan).resize_to(32).prepare()?;
/// let mut model = CycleGan::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).build()?;
/// let history = model.fit(FitOptions::new(1).progress(false))?;
/// assert!(history.last("cycle").unwrap().is_finite());
/// let map = model.predict_a2b(data.train_files(geolearn::Domain::A)[0].as_path())?;
/// map.save(work.path().join("map.png"))?;
/// model.save(work.path().join("models/sat2map"))?;
/// # mod geolearn_doc {
/// #     pub fn few_chips(to: &std::path::Path) -> std::path::PathBuf {
/// #         for domain in ["A", "B"] {
/// #             let from = format!("assets/bluemarble/{domain}/images");
/// #             let into = to.join("chips").join(domain).join("images");
/// #             std::fs::create_dir_all(&into).unwrap();
/// #             for file in std::fs::read_dir(from).unwrap().take(4) {
/// #                 let file = file.unwrap();
/// #                 std::fs::copy(file.path(), into.join(file.file_name())).unwrap();
/// #             }
/// #         }
/// #         to.join("chips")
/// #     }
/// # }
/// # Ok::<(), geolearn::Error>(())
/// ```
pub type CycleGan = Learner<CycleGanModel>;
