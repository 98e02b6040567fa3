//! What stands in files beside an image: metadata, where it lies, and its mask.

use std::path::{Path, PathBuf};

use super::{RasterInfo, mask_file, pam, world};

/// Returns where such files of an image may stand.
pub(crate) fn files_beside(image: &Path) -> Vec<PathBuf> {
    [pam::path_of(image), mask_file::path_of(image)].into_iter().chain(world::names(image)).collect()
}

/// Completes what a file says of itself by all metadata that stand beside it.
pub(super) fn complete(info: &mut RasterInfo, image: &Path) {
    pam::complete(info, image);
    world::complete(&mut info.place, image);
}
