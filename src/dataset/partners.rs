//! Checks whether the sizes and places in the headers of partners match.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::bad_chips::BadChips;
use super::domain::PerDomain;
use super::footprint::{Agreement, agreement};
use super::options::PrepareData;
use super::sizes::MixedSizes;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{RasterInfo, chip_info_again};

/// Number of pairs named in an error message.
const NAMED_AT_MOST: usize = 5;

/// What is wrong with a pair.
#[derive(Debug)]
enum Fault {
    /// Height and width of each.
    Sizes(PerDomain<(usize, usize)>),
    /// They show different places, so they cannot be used together.
    Apart,
    /// They can be used, but are not aligned: corners are this many pixels of A apart.
    Shifted(f64),
    /// Comparing them would require converting coordinates.
    OtherSystem,
}

/// A pair and what is wrong with it.
#[derive(Debug)]
pub(super) struct Misfit<'a> {
    files: PerDomain<&'a Path>,
    fault: Fault,
}

impl Misfit<'_> {
    /// Returns the chip of A and why it cannot be used.
    pub fn left_out(&self) -> (PathBuf, String) {
        (self.files.a.to_path_buf(), self.reason())
    }

    fn is_bad(&self) -> bool {
        matches!(self.fault, Fault::Sizes(_) | Fault::Apart)
    }

    fn reason(&self) -> String {
        let partner = self.files.b.display();
        match &self.fault {
            Fault::Sizes(PerDomain { a, b }) => {
                format!("has {} x {} pixels, its partner {partner} has {} x {}", a.1, a.0, b.1, b.0)
            }
            Fault::Apart => format!("shows another place than its partner {partner}"),
            Fault::Shifted(pixels) => format!("lies up to {pixels:.1} pixels from its partner {partner}"),
            Fault::OtherSystem => format!("has another coordinate system than its partner {partner}"),
        }
    }
}

/// Returns the pairs that cannot be used, and warns about those that may not match. A chip whose header cannot be read
/// is reported later, when chips are surveyed.
///
/// # Errors
/// [`ErrorKind::Layout`] with the first few pairs, if bad chips may not be left out.
pub(super) fn misfits<'a>(
    options: &PrepareData,
    pairs: impl IntoIterator<Item = (&'a PathBuf, &'a PathBuf)>,
) -> Result<Vec<Misfit<'a>>> {
    let pairs: Vec<_> = pairs.into_iter().collect();
    let checked = pairs.par_iter().filter_map(|(a, b)| check(options, a, b)).collect::<Vec<_>>();
    let (bad, doubtful): (Vec<_>, Vec<_>) = checked.into_iter().partition(Misfit::is_bad);
    warn(&doubtful, pairs.len());
    if bad.is_empty() || options.bad_chips == BadChips::Skip {
        return Ok(bad);
    }
    Err(misfit(&options.path, &bad, pairs.len()))
}

fn check<'a>(options: &PrepareData, a: &'a Path, b: &'a Path) -> Option<Misfit<'a>> {
    let info = |file| chip_info_again(file, &options.limits).ok();
    let fault = fault(options, &info(a)?, &info(b)?)?;
    Some(Misfit { files: PerDomain { a, b }, fault })
}

fn fault(options: &PrepareData, a: &RasterInfo, b: &RasterInfo) -> Option<Fault> {
    let sizes = PerDomain { a: (a.height(), a.width()), b: (b.height(), b.width()) };
    let are_resized = options.resize_to.is_some() || options.mixed_sizes == MixedSizes::Resize;
    if sizes.a != sizes.b && !are_resized {
        return Some(Fault::Sizes(sizes));
    }
    match agreement(a, b) {
        Agreement::Unopposed => None,
        Agreement::Shifted(pixels) => Some(Fault::Shifted(pixels)),
        Agreement::OtherSystem => Some(Fault::OtherSystem),
        Agreement::Apart => Some(Fault::Apart),
    }
}

/// Warns once about each kind of doubt, with an example.
fn warn(doubtful: &[Misfit<'_>], pairs: usize) {
    let is_shifted = |misfit: &&Misfit<'_>| matches!(misfit.fault, Fault::Shifted(_));
    let (shifted, others): (Vec<_>, Vec<_>) = doubtful.iter().partition(is_shifted);
    for kind in [shifted, others] {
        if let Some(first) = kind.first() {
            let (file, count) = (first.files.a.display(), kind.len());
            tracing::warn!("{count} of {pairs} pairs may not fit to the pixel; the first: {file} {}", first.reason());
        }
    }
}

fn misfit(root: &Path, bad: &[Misfit<'_>], pairs: usize) -> Error {
    let line = |misfit: &Misfit<'_>| format!("{} {}", misfit.files.a.display(), misfit.reason());
    let mut lines: Vec<String> = bad.iter().take(NAMED_AT_MOST).map(line).collect();
    if bad.len() > NAMED_AT_MOST {
        lines.push(format!("and {} more", bad.len() - NAMED_AT_MOST));
    }
    let help = match bad.iter().any(|misfit| matches!(misfit.fault, Fault::Apart)) {
        true => {
            "Are files of one name partners? Leave those out that are not with PrepareData::bad_chips(BadChips::Skip)."
        }
        false => {
            "Make them equal with PrepareData::resize_to(side), or leave them out with PrepareData::bad_chips(BadChips::Skip)."
        }
    };
    Error::new(ErrorKind::Layout, format!("{} of {pairs} pairs do not fit together", bad.len()))
        .at(root)
        .expected("partners of one size and one place")
        .found(lines.join("; "))
        .help(help)
}
