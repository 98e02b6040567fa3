//! Names and marks of files that are being written, by which what a killed process left is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;

/// How files begin and end that are being written.
pub(super) const PREFIX: &str = ".geolearn-";
pub(super) const SUFFIX: &str = ".part";
/// Where files cannot be marked, one that nobody has written to for so long is nobody's.
const LONG_AGO: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a temporary file is made anew when another process took it for abandoned.
const TRIES: usize = 100;

/// Whether a file bears the name of one that is being written.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Removes what killed processes left half written in a folder. What somebody is still writing stays.
pub(crate) fn remove_abandoned(folder: &Path) {
    remove(folder, is_temporary);
}

/// Removes what killed processes left half written of these files, however much of each; what somebody is still writing
/// stays.
pub(crate) fn remove_abandoned_of<'a>(targets: impl IntoIterator<Item = &'a Path>) {
    // A folder of thousands of outputs is looked through once.
    let mut folders: BTreeMap<&Path, BTreeSet<String>> = BTreeMap::new();
    for target in targets {
        folders.entry(folder_of(target)).or_default().insert(prefix_of(target));
    }
    for (folder, prefixes) in folders {
        let length = prefix_of(folder).len();
        remove(folder, |name| is_temporary(name) && name.get(..length).is_some_and(|start| prefixes.contains(start)));
    }
}

fn remove(folder: &Path, is_meant: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_str().is_some_and(&is_meant) && File::open(&path).is_ok_and(|file| is_free(&file)) {
            // It does no harm where it cannot be removed.
            let _ = fs::remove_file(&path);
        }
    }
}

/// How temporary names of a file begin: short, whatever the length of its own.
pub(super) fn prefix_of(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default();
    format!("{PREFIX}{:08x}-", crc32c::crc32c(name.as_encoded_bytes()))
}

/// Returns the folder that a file lies in.
pub(crate) fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A new file in `folder` under a temporary name of the file `owner`, marked as being written.
pub(super) fn temporary(folder: &Path, owner: &Path) -> io::Result<NamedTempFile> {
    let prefix = prefix_of(owner);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX);
    usual_mode(&mut builder);
    for _ in 0..TRIES {
        let file = builder.tempfile_in(folder)?;
        mark_as_ours(file.as_file());
        // Before it was marked, it could be taken for abandoned.
        if file.path().exists() {
            return Ok(file);
        }
    }
    Err(io::Error::other("temporary files are removed by another program"))
}

/// Temporary files are private by default; these will be what a plain new file would be, as the umask has it.
#[cfg(unix)]
fn usual_mode(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn usual_mode(_: &mut tempfile::Builder<'_, '_>) {}

/// Marks a file as being written, as long as it is open: waits for who looks at it just now. Not every file system can
/// do that. On Windows a marked file could not be read by others.
fn mark_as_ours(file: &File) {
    if cfg!(unix) {
        let _ = file.lock();
    }
}

/// Whether nobody is writing the file.
fn is_free(file: &File) -> bool {
    let marked = if cfg!(unix) { file.try_lock() } else { Err(TryLockError::Error(io::ErrorKind::Unsupported.into())) };
    match marked {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        // Without marks, its age has to tell.
        Err(TryLockError::Error(_)) => {
            let written = file.metadata().and_then(|data| data.modified()).ok();
            written.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > LONG_AGO)
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// As a killed process leaves it: without a mark.
    fn left(folder: &Path, owner: &str) -> PathBuf {
        temporary(folder, Path::new(owner)).unwrap().keep().unwrap().1
    }

    #[test]
    fn what_was_abandoned_of_a_file_goes_and_what_is_being_written_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (own, others) = (left(dir.path(), "f"), left(dir.path(), "g"));
        let written = temporary(dir.path(), Path::new("f")).unwrap();
        remove_abandoned_of([dir.path().join("f").as_path()]);
        assert!(!own.exists() && others.exists() && written.path().exists());
    }

    #[test]
    fn of_a_folder_all_that_was_abandoned_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let abandoned = [left(dir.path(), "f"), left(dir.path(), "g"), dir.path().join(".geolearn-last.part")];
        fs::write(&abandoned[2], "of an older release").unwrap();
        let mine = dir.path().join("notes.part");
        fs::write(&mine, "mine").unwrap();
        let written = temporary(dir.path(), Path::new("h")).unwrap();
        remove_abandoned(dir.path());
        assert!(abandoned.iter().all(|path| !path.exists()) && mine.exists() && written.path().exists());
    }

    /// One thread makes files, another removes all that seem abandoned: none of those in use is lost.
    #[test]
    fn a_file_is_safe_from_the_moment_that_it_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    remove_abandoned(dir.path());
                }
            });
            let lost = (0..2000).filter(|_| !temporary(dir.path(), Path::new("f")).unwrap().path().exists()).count();
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(lost, 0);
        });
    }
}
