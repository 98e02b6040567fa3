//! Options of training straight from scenes.

use std::path::PathBuf;

use crate::dataset::domain::{Domain, PerDomain};

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
pub(in crate::dataset) struct Drawing {
    pub resolution: Option<f64>,
    pub min_valid_share: f64,
    pub val_split_pct: f64,
}

/// The usual side of Export Training Data.
const CHIP_SIZE: usize = 256;
/// What lies at the border of a scene or under a few clouds may train; what is mostly empty teaches nothing.
const MIN_VALID_SHARE: f64 = 0.9;

impl SceneOptions {
    pub fn are_given(&self) -> bool {
        Domain::BOTH.into_iter().any(|domain| !self.files.get(domain).is_empty())
    }

    /// Height and width of what training sees.
    pub fn chip(&self) -> (usize, usize) {
        let side = self.chip_size.unwrap_or(CHIP_SIZE);
        (side, side)
    }

    pub fn drawing(&self, val_split_pct: f64) -> Drawing {
        Drawing { resolution: self.resolution, min_valid_share: self.least_valid(), val_split_pct }
    }

    pub fn least_valid(&self) -> f64 {
        self.min_valid_share.unwrap_or(MIN_VALID_SHARE)
    }
}
