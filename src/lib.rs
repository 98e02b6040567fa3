//! Image-to-image translation for remote sensing, by CycleGAN (unpaired images) and Pix2Pix (pairs), with the workflow of
//! arcgis.learn, on libtorch.
//!
//! [`prepare_data`] turns a folder of training images ("chips") into a [`DataBunch`]. A [`CycleGan`] or [`Pix2Pix`] is trained
//! on it, translates images, and can be saved and loaded.
//!
//! ```
//! use geolearn::{CycleGan, DatasetType, Domain, prepare_data};
//!
//! let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
//! let model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
//! let map = model.predict_a2b(&data.valid_files(Domain::A)[0])?;
//! assert_eq!((map.bands(), map.height(), map.width()), (3, 64, 64));
//! # Ok::<(), geolearn::Error>(())
//! ```
//!
//! The names that most programs need are at the root; the others are in these modules:
//!
//! | To | Use |
//! |---|---|
//! | read chips, choose bands, scale, augment, split | [`PrepareData`], [`dataset`] |
//! | build and train a model | [`CycleGan`] for unpaired images, [`Pix2Pix`] for pairs: `new`, `builder`, `fit` with [`FitOptions`]; [`models`], [`train`] |
//! | change the recipe | [`Recipe`], [`models::cyclegan`], [`models::pix2pix`], [`optim`], [`loss`], [`nn`] |
//! | follow a training | [`train::Callback`], [`train::TensorBoard`], [`train::SamplePictures`], [`plot`] |
//! | translate images, arrays, whole scenes | [`CycleGan::predict_a2b`], [`CycleGan::predict_raster`], [`inference`]; a [`Predictor`] for services |
//! | measure the quality of translations | [`CycleGan::compute_metrics`], [`evaluation`], [`metrics`] |
//! | read and write images | [`Raster`], [`raster`] |
//! | choose a device and see what the process does | [`Device`], [`device`], [`runtime`], [`profile`] |
//! | train in several processes | [`distributed`] |
//! | read a guide | [`guide`] |
//!
//! # Conventions
//!
//! Tensors are NCHW in [-1, 1]; images in memory are `ndarray` arrays in (bands, height, width), in the domain's own
//! units. Options have chained setters named after the fields, such as `resume(true)`, and are checked when they are used;
//! methods named `with_…` return a changed copy. Functions that can fail return [`Result`]; an [`Error`] names the file, what
//! was expected, what was found and what to do. [`runtime`] lists what the crate changes in its process, and how to opt out.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod arrays;
mod control;
pub mod dataset;
pub mod device;
pub mod distributed;
mod error;
pub mod evaluation;
mod ffi;
pub mod guide;
pub mod inference;
pub mod loss;
pub mod metrics;
pub mod models;
pub mod nn;
pub mod optim;
mod package;
mod peers;
#[cfg(feature = "plot")]
#[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
pub mod plot;
pub mod profile;
mod progress;
#[cfg(any(feature = "onnx", feature = "tensorboard"))]
mod protobuf;
mod random;
pub mod raster;
pub mod runtime;
mod stop;
mod store;
mod stored;
mod tensor_file;
#[cfg(test)]
mod testing;
mod threads;
pub mod train;

pub use dataset::{DataBunch, DatasetType, Domain, PrepareData, prepare_data};
pub use device::Device;
pub use error::{Error, ErrorKind, Result};
pub use inference::RasterOptions;
pub use models::Predictor;
pub use models::cyclegan::{CycleGan, Recipe};
pub use models::pix2pix::Pix2Pix;
#[cfg(feature = "plot")]
#[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
pub use plot::Picture;
pub use raster::Raster;
pub use train::FitOptions;
pub use {image, ndarray, tch};

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
