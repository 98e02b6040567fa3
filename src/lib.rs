//! CycleGAN image translation for remote sensing, with the workflow of arcgis.learn, on libtorch.
//!
//! [`prepare_data`] turns a folder of chips into a [`DataBunch`]; [`CycleGan`] learns from it, translates images
//! either way, and is saved and loaded. [`PrepareData`], [`CycleGanBuilder`] and [`FitOptions`] hold the options,
//! each with a table of names, defaults and ranges.
//!
//! ```
//! use geolearn::{CycleGan, DatasetType, prepare_data};
//!
//! let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
//! let model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
//! let map = model.predict_a2b(&data.valid_files(geolearn::Domain::A)[0])?;
//! assert_eq!((map.bands(), map.height(), map.width()), (3, 64, 64));
//! # Ok::<(), geolearn::Error>(())
//! ```
//!
//! Tensors are NCHW in [-1, 1]; images in memory are `ndarray` arrays in (bands, height, width), in the domain's own
//! units. Everything that can fail gives [`Result`]; [`Error`] names the file, what was expected, what was found and
//! what to do. How libtorch is found stands in `docs/setup.md` of the repository; what the crate changes of the process
//! that it is in, and how to decline it, in [`runtime`].

#![cfg_attr(docsrs, feature(doc_cfg))]

mod arrays;
mod dataset;
mod device;
mod error;
mod evaluation;
mod ffi;
mod inference;
mod loss;
mod metrics;
mod models;
mod nn;
mod optim;
mod package;
mod peers;
#[cfg(feature = "plot")]
mod plot;
mod profile;
mod progress;
#[cfg(any(feature = "onnx", feature = "tensorboard"))]
mod protobuf;
mod random;
mod raster;
pub mod runtime;
mod store;
mod stored;
mod tensor_file;
#[cfg(test)]
mod testing;
mod threads;
#[cfg(feature = "plot")]
mod tracking;
mod train;

pub use dataset::{
    Augment, BadChips, Band, BandStatistics, Batch, BatchSize, Channels, DataBunch, DatasetType, Domain, Loader,
    MixedBands, MixedSizes, Normalisation, Normaliser, PrepareData, Split, Statistics, prepare_data,
};
pub use device::{ChosenDevice, Device, Precision};
pub use error::{Error, ErrorKind, Result};
pub use evaluation::{Baseline, BaselineScores, DirectionMetrics, Metrics, MetricsOptions, PairedScores, Scores};
pub use inference::{NormStatistics, RasterOptions, RasterReport};
pub use loss::{AdversarialLoss, DiffAugment};
pub use metrics::{Better, Inception, InceptionDistances, Metric, MetricColumn, Resize, SsimWindow};
pub use models::cyclegan::{CycleGan, CycleGanBuilder, CycleGanConfig, CycleGanModel, GeneratorImport, Recipe};
pub use models::pix2pix::{Generator, Pix2Pix, Pix2PixBuilder, Pix2PixConfig, Pix2PixImport, Pix2PixModel};
pub use models::{Learner, LoadOptions, Predictor};
pub use nn::{Initialisation, Upsampling, UpsamplingInit};
pub use optim::{AdamOptions, OneCycle, Rate, Schedule};
#[cfg(feature = "plot")]
#[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
pub use plot::{Picture, show_results};
pub use profile::{CudaMemory, libtorch_config, profile};
pub use raster::{
    BandScale, BigTiff, Blocks, Compression, Crs, Dtype, Interleave, Limits, OverviewResampling, Place, Raster,
    RasterFile, RasterFormat, RasterInfo, RasterSpec, RasterWriter, Samples,
};
pub use tch;
pub use threads::{num_threads, set_num_threads};
#[cfg(feature = "plot")]
#[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
pub use tracking::SamplePictures;
#[cfg(feature = "tensorboard")]
#[cfg_attr(docsrs, doc(cfg(feature = "tensorboard")))]
pub use tracking::TensorBoard;
pub use train::{
    BatchSizeTrial, Callback, Checkpoint, EarlyStopping, EndReport, EpochRecord, EpochReport, FitOptions, FitReport,
    Flow, History, HistoryFile, LrCurve, LrFindOptions, MemoryEstimate, Progress, Snapshot, StepContext, StepReport,
    StopSignal, SweepEnd, TrainState, Translator, fit,
};
pub use {image, ndarray};

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So do those of the guide to training.
#[cfg(doctest)]
#[doc = include_str!("../docs/training.md")]
struct TrainingGuide;

/// And those of the guide to data.
#[cfg(doctest)]
#[doc = include_str!("../docs/data.md")]
struct DataGuide;

/// And those of the guide to other tools.
#[cfg(doctest)]
#[doc = include_str!("../docs/interop.md")]
struct InteropGuide;

/// And those of the guide to scenes.
#[cfg(doctest)]
#[doc = include_str!("../docs/raster-inference.md")]
struct SceneGuide;
