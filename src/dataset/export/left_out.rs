//! Windows that were not exported.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason why a window of a scene was not exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftOut {
    /// The scene is smaller than a chip; it counts as one window.
    SceneTooSmall,
    /// The window is not within the mask polygons.
    OutsideMaskPolygons,
    /// The window crosses the border between training and validation ground, or is closer to it than the margin.
    BetweenTrainingAndValidation,
    /// The window is for training, but shows ground that is set aside for validation in another scene.
    ValidationGroundOfAnotherScene,
    /// Too few of its pixels have data.
    TooFewValidPixels,
    /// Some of its pixels have no data, and the format of the chips cannot express that.
    GapsInPicture,
    /// No band varies enough.
    Flat,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SceneTooSmall => "scene smaller than a chip",
            Self::OutsideMaskPolygons => "outside the mask polygons",
            Self::BetweenTrainingAndValidation => "between training and validation",
            Self::ValidationGroundOfAnotherScene => "validation ground of another scene",
            Self::TooFewValidPixels => "too few valid pixels",
            Self::GapsInPicture => "gaps that PNG or JPEG cannot hold",
            Self::Flat => "flat",
        })
    }
}

/// The number of windows left out for each reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct LeftOutCounts(pub BTreeMap<LeftOut, u64>);

impl LeftOutCounts {
    pub fn add(&mut self, reason: LeftOut) {
        *self.0.entry(reason).or_default() += 1;
    }

    pub fn and(&mut self, other: &Self) {
        for (reason, count) in &other.0 {
            *self.0.entry(*reason).or_default() += count;
        }
    }
}

impl fmt::Display for LeftOutCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let parts: Vec<String> = self.0.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        f.write_str(&parts.join(", "))
    }
}
