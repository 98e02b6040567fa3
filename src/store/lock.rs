//! A lock on a set of files, while they are replaced.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use super::abandoned::{folder_of, prefix_of};
use crate::error::{Error, Result};

/// Keeps other threads and processes from replacing the same files. Where the file system has no locks, it holds
/// nobody back.
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Waits for whoever replaces `target` and the files that belong to it; its folder must exist.
    pub fn of(target: &Path) -> Result<Self> {
        let folder = folder_of(target);
        let path = folder.join(format!("{}lock", prefix_of(target)));
        loop {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|e| {
                Error::io("file cannot be written in this folder", folder, e)
                    .help("Choose a folder that can be written.")
            })?;
            // Without locks the set is as safe as it was before there were any.
            if file.lock().is_err() || is_at(&file, &path) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Elsewhere a file that others have open cannot be removed.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the path still leads to the file: its last holder removed it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata().map(place), fs::metadata(path).map(place)), (Ok(own), Ok(there)) if own == there)
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("f");
        let taken = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _lock = Lock::of(&target).unwrap();
                        assert!(!taken.swap(true, Ordering::SeqCst));
                        taken.store(false, Ordering::SeqCst);
                    }
                });
            }
        });
        if cfg!(unix) {
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
