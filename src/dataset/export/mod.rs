//! Chips cut from scenes, in the form in which Export Training Data of ArcGIS writes them.
//!
//! `run` makes a `plan` of the windows of the scenes (`inputs`, `mask_polygons`), lets `batch` read, judge and write them, and
//! keeps a `journal`, so that a later call goes on; in the end `esri_files` and the `manifest` are written.

mod batch;
mod chip_record;
mod esri_files;
mod formats;
mod inputs;
mod journal;
mod left_out;
mod manifest;
mod mask_polygons;
mod options;
mod plan;
mod report;
mod run;

pub use formats::{ChipFormat, MetadataFormat};
pub use left_out::LeftOut;
pub(super) use manifest::{check_complete, validation_chips};
pub use options::ExportTrainingData;
pub use report::ExportReport;
pub use run::export_training_data;
