//! The kinds of models that can be opened.

use super::{cyclegan, pix2pix};
use crate::package::emd::ModelKind;

/// All kinds, for advice when one is opened as another.
pub(super) const KNOWN: &[&ModelKind] = &[&cyclegan::KIND, &pix2pix::KIND];
