//! Files next to an image: metadata, georeference, and mask.

use std::path::{Path, PathBuf};

use super::{RasterInfo, mask_file, pam, world};

/// Returns the paths that such files of an image may have.
pub(crate) fn files_beside(image: &Path) -> Vec<PathBuf> {
    [pam::path_of(image), mask_file::path_of(image)].into_iter().chain(world::names(image)).collect()
}

/// Completes the metadata of a file with everything found next to it.
pub(super) fn complete(info: &mut RasterInfo, image: &Path) {
    pam::complete(info, image);
    world::complete(&mut info.place, image);
}
