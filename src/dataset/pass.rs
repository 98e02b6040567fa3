//! One pass over the samples of all chips, in parallel and with bounded memory.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::alpha_bands::AlphaBands;
use super::bands::Asked;
use super::shape::Shape;
use super::statistics::Sums;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Counter;
use crate::raster::{Limits, Raster, Turn, read_chip};

/// Chips that are summed sequentially. The number is fixed, so that rounding does not depend on the number of threads.
const PER_PART: usize = 16;
/// Finished parts per thread that may wait to be combined.
const PARTS_PER_THREAD: usize = 4;

type Failed<'a> = Vec<(&'a PathBuf, Error)>;

/// Returns the sums over all `files` that match `shape`, and the files that do not.
pub(super) fn over<'a>(
    files: &[&'a PathBuf],
    shape: Shape,
    asked: &Asked,
    limits: &Limits,
    progress: &Counter,
) -> (Sums, Failed<'a>) {
    let nothing = Sums::nothing(shape.bands, shape.dtype);
    let (mut all, mut failed) = (nothing.clone(), Vec::new());
    for block in files.chunks(PER_PART * PARTS_PER_THREAD * rayon::current_num_threads()) {
        let part = |files: &[&'a PathBuf]| {
            let (mut sums, mut failed) = (nothing.clone(), Vec::new());
            for file in files {
                match progress.one(read(file, shape, asked, limits)) {
                    Ok((chip, _turn)) => sums.add(&chip),
                    Err(error) => failed.push((*file, error)),
                }
            }
            (sums, failed)
        };
        for (sums, bad) in block.par_chunks(PER_PART).map(part).collect::<Vec<_>>() {
            all.and(sums);
            failed.extend(bad);
        }
    }
    (all, failed)
}

/// Reads the requested bands of a chip, whose number and type match `shape`, and the memory reservation for reading it,
/// which must be kept as long as the chip.
pub(super) fn read(file: &Path, shape: Shape, asked: &Asked, limits: &Limits) -> Result<(Raster, Turn<'static>)> {
    let (chip, turn) = read_chip(file, limits)?;
    let bands = asked.in_chip(chip.band_names(), shape.bands).map_err(|error| error.at(file))?;
    let chip = if asked.alpha == AlphaBands::Band { chip.with_opacity_as_band() } else { chip };
    let all = bands.iter().copied().eq(0..chip.bands());
    let chip = if all { chip } else { chip.select(&bands) };
    let chip = match asked.half {
        Some(half) => half.of(chip),
        None => chip,
    };
    match (chip.bands(), chip.dtype()) == shape.kind() {
        true => Ok((chip, turn)),
        false => Err(changed(file, shape, Shape::of(&chip))),
    }
}

pub(super) fn changed(file: &Path, expected: Shape, found: Shape) -> Error {
    Error::new(ErrorKind::Format, "the chip has changed since the data were prepared")
        .at(file)
        .expected(expected)
        .found(found)
        .help("Call prepare_data again.")
}
