//! What is noted of each chip.

use serde::{Deserialize, Serialize};

use crate::dataset::scenes::{SceneWindow, Use};

/// One chip, or a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ChipRecord {
    /// Below the folder of the export, with `/`; of a pair, A's first.
    pub files: Vec<String>,
    /// Index among the scenes.
    pub scene: usize,
    pub window: SceneWindow,
    /// Degrees, clockwise.
    pub rotation: u16,
    #[serde(rename = "use")]
    pub which: Use,
    /// Of each file, the share of its pixels that have data.
    pub valid_share: Vec<f64>,
}
