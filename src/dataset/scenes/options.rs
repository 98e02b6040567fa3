//! Storage for the options of training directly from scenes.

use std::path::PathBuf;

use crate::dataset::domain::PerDomain;

/// Options for scenes; without scenes, the data is chips.
#[derive(Debug, Clone, Default)]
pub(in crate::dataset) struct SceneOptions {
    /// Files, and folders of files.
    pub files: PerDomain<Vec<PathBuf>>,
    pub chip_size: Option<usize>,
    pub windows_per_epoch: Option<usize>,
    pub resolution: Option<f64>,
    pub min_valid_share: Option<f64>,
}

/// Options that windows depend on, besides the seed and the size and number of windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::dataset) struct WindowOptions {
    pub resolution: Option<f64>,
    pub min_valid_share: f64,
    pub val_split_pct: f64,
}
