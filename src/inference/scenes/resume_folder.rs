//! The folder beside an output that keeps its finished pieces: names, ownership, removal.

use std::fs::{self, TryLockError};
use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::store;

/// The file with the fingerprint of the unfinished output.
pub(super) const JOB: &str = "job.json";
/// The file that describes the complete output.
pub(super) const DONE: &str = "done.json";
/// The file that the working process locks.
pub(super) const LOCK: &str = "lock";
/// Upper bound for descriptions: more than the names of a hundred thousand files take.
const MOST_BYTES: u64 = 64 << 20;
/// Suffix of the folder's name.
const ENDING: &str = ".parts";
/// The longest name on most file systems, in bytes.
const LONGEST_NAME: usize = 255;
/// Characters that are kept of a name that is too long.
const BEGIN: usize = 50;
/// Prefix of the names of pieces.
const PIECE: &str = "piece_";

/// Returns the folder for the pieces of an output. A name that would be too long is cut.
pub(super) fn folder_of(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    if name.len() + ENDING.len() > LONGEST_NAME {
        let begin: String = name.to_string_lossy().chars().take(BEGIN).collect();
        name = format!("{begin}-{:08x}", crc32c::crc32c(name.as_encoded_bytes())).into();
    }
    name.push(ENDING);
    output.with_file_name(name)
}

/// Returns the fingerprint of the output whose pieces are in a folder.
pub(super) fn job_in(folder: &Path) -> Option<Value> {
    let job: Value = read(&folder.join(JOB))?;
    job.get("geolearn").is_some().then_some(job)
}

/// Returns the name of the piece that starts at this row and column.
pub(super) fn piece_name((row, column): (usize, usize)) -> String {
    format!("{PIECE}{row:08}_{column:08}.tif")
}

/// Removes our files from a folder, and the folder itself if nothing else is in it.
pub(super) fn remove(folder: &Path) -> Result<()> {
    // The description is removed last: pieces without one would be taken for somebody else's.
    remove_files(folder, |name| name != JOB)?;
    remove_files(folder, |_| true)?;
    match fs::remove_dir(folder) {
        Err(e) if !matches!(e.kind(), IoKind::NotFound | IoKind::DirectoryNotEmpty) => {
            Err(Error::io("folder cannot be removed", folder, e))
        }
        _ => Ok(()),
    }
}

/// Reads a JSON file; returns `None` if it is missing or broken.
pub(super) fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&store::read_capped(path, MOST_BYTES).ok()?).ok()
}

pub(super) fn is_piece(name: &str) -> bool {
    name.starts_with(PIECE) && name.ends_with(".tif")
}

fn is_own(name: &str) -> bool {
    is_piece(name) || [JOB, DONE, LOCK].contains(&name) || store::is_temporary(name)
}

/// Returns the names of all entries of a folder; empty if it is gone.
fn names_in(folder: &Path) -> Result<Vec<String>> {
    let failed = |e| Error::io("folder cannot be read", folder, e);
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == IoKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    entries.map(|entry| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned())).collect()
}

/// Checks that a folder is ours. Somebody else's has no description of an output, or files of other names, and is not
/// touched.
pub(super) fn check_own(folder: &Path) -> Result<()> {
    let names = names_in(folder)?;
    let begun = names.iter().all(|name| name == LOCK || store::is_temporary(name));
    match names.iter().find(|name| !is_own(name)) {
        None if begun || job_in(folder).is_some() => Ok(()),
        found => {
            let error =
                Error::new(ErrorKind::Usage, "this folder is needed for finished pieces, but contains something else")
                    .at(folder)
                    .help("Move it, or choose another name for the output.");
            Err(match found {
                Some(name) => error.found(name),
                None => error,
            })
        }
    }
}

/// Keeps other processes from writing the same pieces while the file is held. On file systems without locks, it has no
/// effect.
pub(super) fn locked(folder: &Path) -> Result<fs::File> {
    let path = folder.join(LOCK);
    let opened = fs::File::options().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|e| Error::io("file cannot be written", &path, e))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::new(ErrorKind::Usage, "another process is making this output")
            .at(folder)
            .help("Wait until it is done, or choose another name for the output.")),
        _ => Ok(file),
    }
}

/// Removes those of our files that satisfy `meant`.
pub(super) fn remove_files(folder: &Path, meant: impl Fn(&str) -> bool) -> Result<()> {
    for name in names_in(folder)?.iter().filter(|name| is_own(name) && meant(name)) {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != IoKind::NotFound => return Err(Error::io("file cannot be removed", &path, e)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_are_never_too_long() {
        assert_eq!(folder_of(Path::new("a/out.tif")), Path::new("a/out.tif.parts"));
        let long = |letter: &str| PathBuf::from(format!("a/{}.tif", letter.repeat(125)));
        let (one, other) = (folder_of(&long("\u{e9}")), folder_of(&long("\u{e8}")));
        assert!(one != other && one.starts_with("a") && one.file_name().unwrap().len() <= LONGEST_NAME);
        assert_ne!(folder_of(&long("\u{e9}")), folder_of(&long("\u{e9}").with_extension("x.tif")));
    }
}
