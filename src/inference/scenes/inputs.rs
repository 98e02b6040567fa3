//! The input files of a call.

use std::path::{Path, PathBuf};

use crate::dataset::{image_endings, images_in};
use crate::error::{Error, ErrorKind, Result};
use crate::inference::strategy::check_stop;
use crate::raster::Source;
use crate::train::StopSignal;

/// Opens the file `input`, or all images of the folder `input` in the order of their names.
///
/// # Errors
/// `Layout` for a folder without images, `Stopped` once the signal is set, and whatever `open` returns.
pub(super) fn open_all(
    input: &Path,
    open: impl Fn(&Path) -> Result<Source>,
    stop: Option<&StopSignal>,
) -> Result<Vec<Source>> {
    let open = |path: PathBuf| {
        check_stop(stop)?;
        open(&path)
    };
    files(input)?.into_iter().map(open).collect()
}

fn files(input: &Path) -> Result<Vec<PathBuf>> {
    if !input.is_dir() {
        return Ok(vec![input.to_path_buf()]);
    }
    let files = images_in(input)?;
    match files.is_empty() {
        false => Ok(files),
        true => Err(Error::new(ErrorKind::Layout, "the folder contains no images")
            .at(input)
            .expected(format!("files that end in {}", image_endings()))
            .help("Choose the folder that contains the images; its subfolders are not searched.")),
    }
}
