//! The kinds of models that can be opened.

use super::{cyclegan, pix2pix};
use crate::package::emd::ModelKind;

/// All of them, for those who open one as another.
pub(super) const KNOWN: &[&ModelKind] = &[&cyclegan::KIND, &pix2pix::KIND];
