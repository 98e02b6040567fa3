//! Names of files and folders to be written.

use std::fs;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Makes a folder with its parents.
pub(crate) fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .map_err(|e| Error::io("folder cannot be made", path, e).help("Choose a place that can be written."))
}

/// What follows the last dot of a name, in lower case; empty where there is none.
pub(crate) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// The path of a file to be written, in a folder that is made where it is missing.
///
/// # Errors
/// `Usage` for a folder, or a path without a last part.
pub(crate) fn path_of_file(path: &Path) -> Result<&Path> {
    let wrong = |found| Error::new(ErrorKind::Usage, "this cannot be a file's name").at(path).found(found);
    if path.is_dir() {
        return Err(wrong("a folder").help("Add the name of a file."));
    }
    if path.file_name().is_none() {
        return Err(wrong("a path without a last part"));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_dir(folder)?;
    }
    Ok(path)
}
