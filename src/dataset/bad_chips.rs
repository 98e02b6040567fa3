//! The policy for chips that cannot be used.

use serde::{Deserialize, Serialize};

/// What to do with a chip that cannot be read, or that differs from the others in size, bands, or data type; for pairs,
/// also with a chip that has no partner, or whose partner differs in size or place. Partners are left out together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BadChips {
    /// `prepare` fails and names the chips. The default.
    #[default]
    Fail,
    /// The chips are left out, with a warning each; see [`DataBunch::skipped`](crate::DataBunch::skipped).
    Skip,
}
