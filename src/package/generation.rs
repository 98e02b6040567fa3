//! Definition and weights of one save: which files belong together.
//!
//! The definition names the fingerprint of its weights, and is renamed after them. While a save replaces both, the
//! older weights are kept under a name to which the older definition leads; so whichever definition is there, its own
//! weights are found, even after a kill. The next save cleans up.

use std::fs;
use std::path::Path;

use tch::Tensor;

use super::emd::{Emd, MAX_BYTES, Opening, Reach};
use super::listing::missing;
use super::pth;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{self, folder_of};

/// If a save ends while a model is being read, reading starts over. More than this many times is no coincidence.
const MOST_TRIES: usize = 100;

/// A definition and its weights.
#[derive(Debug)]
pub(crate) struct Opened {
    pub emd: Emd,
    pub tensors: Vec<(String, Tensor)>,
}

/// Reads a definition.
pub(super) fn definition(path: &Path, opening: Opening) -> Result<Emd> {
    parse(path, &store::read_capped(path, MAX_BYTES)?, opening)
}

fn parse(path: &Path, bytes: &[u8], opening: Opening) -> Result<Emd> {
    Emd::parse(bytes, opening).map_err(|e| e.at(path))
}

/// Reads a definition and its weights, which are where it says unless the caller named them.
pub(super) fn open(path: &Path, pth: Option<&Path>, opening: Opening) -> Result<Opened> {
    let mut bytes = store::read_capped(path, MAX_BYTES)?;
    for _ in 1..MOST_TRIES {
        let emd = parse(path, &bytes, opening)?;
        let weights = pth.map_or_else(|| emd.weights_in(folder_of(path)), Path::to_path_buf);
        let aside = store::aside(&weights, number(&bytes));
        let is_aside = aside.is_file();
        let linked_to = (pth.is_none() && opening.reach == Reach::Folder).then(|| folder_of(path));
        let read = read(&emd, if is_aside { &aside } else { &weights }, linked_to);
        // In this order, because older weights are removed after the definition was replaced.
        let unchanged = aside.is_file() == is_aside;
        let now = store::read_capped(path, MAX_BYTES)?;
        if unchanged && now == bytes {
            return read.map(|tensors| Opened { emd, tensors });
        }
        bytes = now;
    }
    Err(Error::new(ErrorKind::Usage, "the model is being replaced again and again").at(path).help("Try again later."))
}

/// Reads the weights in a file, which must not be a link out of `folder`.
fn read(emd: &Emd, path: &Path, folder: Option<&Path>) -> Result<Vec<(String, Tensor)>> {
    if !path.is_file() {
        return Err(missing("the weights are missing", path, [folder_of(path)]));
    }
    if let Some(folder) = folder {
        check_within(folder, path)?;
    }
    weights_of(emd, path).map_err(|e| e.at(path))
}

/// Reads the weights in a file, which must belong to the definition.
pub(super) fn weights_of(emd: &Emd, path: &Path) -> Result<Vec<(String, Tensor)>> {
    belonging(emd, pth::read_marked(path, &pth::PthLimits::default())?)
}

/// Reads weights in memory, which must belong to the definition.
pub(super) fn weights_in(emd: &Emd, bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    belonging(emd, pth::read_marked_bytes(bytes, &pth::PthLimits::default())?)
}

fn belonging(emd: &Emd, (tensors, found): (pth::Tensors, Option<String>)) -> Result<Vec<(String, Tensor)>> {
    match emd.mark() {
        Some(expected) if found.as_deref() != Some(expected) => Err(Error::new(
            ErrorKind::Format,
            "the weights do not belong to the definition beside them",
        )
        .expected(format!("fingerprint {expected}"))
        .found(found.map_or("none".to_owned(), |found| found.escape_debug().to_string()))
        .help(
            "Two models were mixed. Put back the file that belongs here, or take the whole model from its .dlpk; if the \
             weights were replaced on purpose, remove `Weights` from the section `Geolearn` of the .emd.",
        )),
        _ => Ok(tensors),
    }
}

/// Restores older weights that a killed save left aside, if their definition is still there. Nobody else may be saving
/// here.
pub(super) fn settle(emd: &Path, pth: &Path) -> Result<()> {
    let aside = store::aside(pth, of(emd));
    if !aside.is_file() {
        return Ok(());
    }
    fs::rename(&aside, pth).map_err(|e| Error::io("the older weights cannot be restored", pth, e))
}

/// Returns a checksum that distinguishes a definition from its successor; 0 if there is none.
pub(super) fn of(emd: &Path) -> u32 {
    store::read_capped(emd, MAX_BYTES).map_or(0, |bytes| number(&bytes))
}

fn number(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// Checks that a link does not lead where a path may not.
fn check_within(folder: &Path, weights: &Path) -> Result<()> {
    let whole = |path: &Path| path.canonicalize().map_err(|e| Error::io("file cannot be found", path, e));
    let (folder, real) = (whole(folder)?, whole(weights)?);
    if real.starts_with(&folder) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Format, "the weights are a link out of the folder of their definition")
        .at(weights)
        .expected(format!("a file in {}", folder.display()))
        .found(real.display())
        .help("Name the .pth itself; or, if you trust the definition, use LoadOptions::weights_anywhere."))
}
