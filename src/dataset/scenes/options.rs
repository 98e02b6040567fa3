//! Options of training straight from scenes.

use std::path::PathBuf;

use crate::dataset::domain::PerDomain;

/// What is said of scenes; without scenes, data are chips.
#[derive(Debug, Clone, Default)]
pub(in crate::dataset) struct SceneOptions {
    /// Files, and folders of files.
    pub files: PerDomain<Vec<PathBuf>>,
    pub chip_size: Option<usize>,
    pub windows_per_epoch: Option<usize>,
    pub resolution: Option<f64>,
    pub min_valid_share: Option<f64>,
}

/// Options on which windows depend, beside the seed, their size and their number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::dataset) struct WindowOptions {
    pub resolution: Option<f64>,
    pub min_valid_share: f64,
    pub val_split_pct: f64,
}
