//! Listings of folders with models, for finding models and for messages.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};

/// Maximum number of names of a folder in a message.
const MAX_LISTED: usize = 20;

/// Returns the paths in a folder, sorted; empty if it cannot be read.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Returns the error for a saved model, or a part of it, that is not where it should be, with a listing of `folders`.
pub(super) fn missing<'a>(what: &str, wanted: &Path, folders: impl IntoIterator<Item = &'a Path>) -> Error {
    let found: Vec<String> = folders.into_iter().map(listing).collect();
    Error::new(ErrorKind::Layout, what)
        .at(wanted)
        .expected("<name>.emd with <name>.pth in a folder, or <name>.dlpk")
        .found(found.join("; "))
}

/// Lists a folder for messages.
fn listing(folder: &Path) -> String {
    let shown = folder.display();
    if !folder.is_dir() {
        return format!("no folder {shown}");
    }
    let names: Vec<String> =
        entries(folder).iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    let more = names.len().saturating_sub(MAX_LISTED);
    let mut listed = names.into_iter().take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        listed += &format!(" and {more} more");
    }
    if listed.is_empty() {
        return format!("nothing in {shown}");
    }
    format!("in {shown}: {listed}")
}
