//! What stands in files beside an image: metadata, and where it lies.

use std::path::{Path, PathBuf};

use super::{RasterInfo, pam, world};

/// Returns where such files of an image may stand.
pub(crate) fn files_beside(image: &Path) -> Vec<PathBuf> {
    std::iter::once(pam::path_of(image)).chain(world::names(image)).collect()
}

/// Completes what a file says of itself by all that stands beside it.
pub(super) fn complete(info: &mut RasterInfo, image: &Path) {
    pam::complete(info, image);
    world::complete(&mut info.place, image);
}
