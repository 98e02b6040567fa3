//! Finds subfolders of a folder of chips.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::{Listing, is_hidden};
use crate::error::{Error, ErrorKind, Result};

/// Number of folder entries listed in an error message.
const NAMED_AT_MOST: usize = 20;

/// Finds the only subfolder of `parent` with one of these lowercase names, in any letter case.
pub(super) fn only(parent: &Path, names: &[String]) -> Result<Option<PathBuf>> {
    let matches = |path: &PathBuf| file_name(path).is_some_and(|name| names.contains(&name.to_lowercase()));
    let mut found: Vec<PathBuf> = entries(parent)?.into_iter().filter(|path| matches(path) && path.is_dir()).collect();
    if found.len() > 1 {
        return Err(ambiguous(parent, &found));
    }
    Ok(found.pop())
}

/// Creates the error for several folders that could each be the right one.
pub(super) fn ambiguous(folder: &Path, found: &[PathBuf]) -> Error {
    let names: Vec<String> =
        found.iter().map(|path| format!("`{}`", path.strip_prefix(folder).unwrap_or(path).display())).collect();
    Error::new(ErrorKind::Layout, "more than one set of chips could be meant")
        .at(folder)
        .expected("folders of one form only")
        .found(names.join(" and "))
        .help("Move the set that is not wanted elsewhere.")
}

/// Describes the contents of a folder, for an error message.
pub(super) fn describe(folder: &Path) -> String {
    let entries = entries(folder).unwrap_or_default();
    let (folders, files): (Vec<_>, Vec<_>) = entries.iter().partition(|path| path.is_dir());
    let mut parts: Vec<String> = folders
        .iter()
        .take(NAMED_AT_MOST)
        .map(|path| format!("`{}/` ({})", file_name(path).unwrap_or_default(), Listing::glance(path).describe()))
        .collect();
    if folders.len() > NAMED_AT_MOST {
        parts.push(format!("{} more folders", folders.len() - NAMED_AT_MOST));
    }
    match files.len() {
        0 if parts.is_empty() => return "nothing".into(),
        0 => {}
        1 => parts.push("1 file".into()),
        n => parts.push(format!("{n} files")),
    }
    parts.join(", ")
}

/// Lists the entries of a folder, sorted, without hidden ones.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed =
        |e| Error::io("folder cannot be read", folder, e).help("Give the folder that holds the chips of both domains.");
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !is_hidden(&entry.file_name()) {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}
