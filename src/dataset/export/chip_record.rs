//! The record of an exported chip.

use serde::{Deserialize, Serialize};

use crate::dataset::scenes::{SceneWindow, Use};

/// One chip, or a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ChipRecord {
    /// Relative to the export folder, with `/`; for pairs, A's file first.
    pub files: Vec<String>,
    /// Index among the scenes.
    pub scene: usize,
    pub window: SceneWindow,
    /// Degrees, clockwise.
    pub rotation: u16,
    #[serde(rename = "use")]
    pub which: Use,
    /// The share of pixels with data, for each file.
    pub valid_share: Vec<f64>,
}
