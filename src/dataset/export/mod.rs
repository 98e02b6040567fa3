//! Exports chips from scenes in the format of ArcGIS Export Training Data.
//!
//! `run` makes a `plan` of the windows of the scenes (`inputs`, `mask_polygons`), calls `batch` to read, check, and
//! write them, and keeps a `journal` from which a later call resumes. At the end it writes `esri_files` and the
//! `manifest`.

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
