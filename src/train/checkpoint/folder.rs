//! The folder of a fit's checkpoints.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::file::{self, Contents};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{self, Pending};
use crate::train::snapshot::Snapshot;

const LAST: &str = "last.safetensors";
const BEST: &str = "best.safetensors";
/// Also holds the record of [`Folder::note_reported`].
const LOCK: &str = ".geolearn-lock";
const LONGEST_NUMBER: u64 = 20;

/// A folder that only this process writes to.
#[derive(Debug)]
pub(in crate::train) struct Folder {
    path: PathBuf,
    /// The operating system releases the lock when the process ends, however it ends.
    lock: File,
}

impl Folder {
    /// Creates the folder if it is missing, locks it for this process, and removes half-written files of a killed one.
    pub fn open(path: &Path) -> Result<Self> {
        store::create_dir(path)?;
        let place = path.join(LOCK);
        let lock = File::options().create(true).truncate(false).read(true).write(true).open(&place).map_err(|e| {
            Error::io("checkpoints cannot be written to this folder", path, e)
                .help("Choose a writable folder with FitOptions::checkpoint_dir.")
        })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(ErrorKind::Usage, "another fit is writing its checkpoints here")
                    .at(path)
                    .help("Wait for it to end, or choose another folder with FitOptions::checkpoint_dir."));
            }
            // Some network file systems do not support locks; they are a safeguard, nothing more.
            Err(TryLockError::Error(error)) => tracing::warn!(%error, "the folder of checkpoints cannot be locked"),
        }
        store::remove_abandoned(path);
        // Reported before training, not after the first epoch.
        drop(Pending::create(&path.join(LAST))?);
        Ok(Self { path: path.to_path_buf(), lock })
    }

    /// Returns the newest checkpoint, if there is one, and the bytes of its file.
    pub fn newest(&self) -> Result<Option<(Vec<u8>, Contents)>> {
        let path = self.path.join(LAST);
        if !path.exists() {
            return Ok(None);
        }
        file::read_bytes(&path)
            .map(Some)
            .map_err(|e| e.help("Remove the file to start over, or replace it with another checkpoint of the folder."))
    }

    /// Saves the current state: as the newest, if `best` as the best, and if `numbered` under the number of its epoch.
    ///
    /// The newest comes last: if the process is killed before, the older newest one remains, and resuming from it
    /// produces the same files again.
    pub fn keep(&self, snapshot: &Snapshot<'_>, best: bool, numbered: bool) -> Result<()> {
        let path = self.path.join(LAST);
        let ready = file::write(&path, snapshot)?;
        let number = format!("epoch_{:04}.safetensors", snapshot.epochs());
        for (name, wanted) in [(number.as_str(), numbered), (BEST, best)] {
            if wanted {
                ready.publish_copy(&self.path.join(name))?;
            }
        }
        ready.publish()?;
        tracing::info!(path = %path.display(), epochs = snapshot.epochs(), best, numbered, "checkpoint written");
        Ok(())
    }

    /// Returns the last epoch of the model's life that was reported to all callbacks, if that was recorded.
    pub fn reported(&self) -> Option<usize> {
        let mut text = String::new();
        let mut file = &self.lock;
        file.rewind().and_then(|()| file.take(LONGEST_NUMBER).read_to_string(&mut text)).ok()?;
        text.parse().ok()
    }

    /// Records the last epoch that was reported to all callbacks. Without a complete record it is reported again.
    pub fn note_reported(&self, epochs: usize) {
        let mut file = &self.lock;
        let noted = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{epochs}"));
        if let Err(error) = noted {
            tracing::warn!(%error, "a resumed fit will report epoch {epochs} to its callbacks again");
        }
    }

    /// Moves the checkpoints of an earlier fit into their own folder, so that a new fit loses nothing.
    pub fn set_aside(&self) -> Result<()> {
        self.note_reported(0);
        let entries = fs::read_dir(&self.path).map_err(|e| Error::io("folder cannot be read", &self.path, e))?;
        let ours: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_ours(path)).collect();
        if ours.is_empty() {
            return Ok(());
        }
        let free = (1u32..).map(|n| self.path.join(format!("earlier_{n}"))).find(|path| !path.exists());
        let into = free.unwrap_or_else(|| self.path.join("earlier"));
        store::create_dir(&into)?;
        for path in ours {
            let to = into.join(path.file_name().unwrap_or_default());
            fs::rename(&path, &to).map_err(|e| Error::io("older checkpoint cannot be moved", &path, e))?;
        }
        tracing::info!(folder = %into.display(), "checkpoints of an earlier fit were moved");
        Ok(())
    }
}

fn is_ours(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let number = name.strip_prefix("epoch_").and_then(|rest| rest.strip_suffix(".safetensors"));
    name == LAST || name == BEST || number.is_some_and(|n| n.len() >= 4 && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_moved() {
        for (name, ours) in [
            ("last.safetensors", true),
            ("best.safetensors", true),
            ("epoch_0012.safetensors", true),
            ("epoch_12345.safetensors", true),
            ("epoch_one.safetensors", false),
            ("model.safetensors", false),
            ("notes.txt", false),
        ] {
            assert_eq!(is_ours(Path::new(name)), ours, "{name}");
        }
    }

    #[test]
    fn an_earlier_fit_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        for n in 1..3 {
            fs::write(dir.path().join(LAST), n.to_string()).unwrap();
            fs::write(dir.path().join("notes.txt"), "mine").unwrap();
            folder.set_aside().unwrap();
            assert_eq!(fs::read_to_string(dir.path().join(format!("earlier_{n}")).join(LAST)).unwrap(), n.to_string());
        }
        folder.set_aside().unwrap();
        assert!(dir.path().join("notes.txt").exists() && !dir.path().join("earlier_3").exists());
    }

    #[test]
    fn reported_epochs_are_recorded_until_another_fit_begins() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        assert_eq!(folder.reported(), None);
        folder.note_reported(123);
        folder.note_reported(45);
        assert_eq!(folder.reported(), Some(45));
        drop(folder);
        let folder = Folder::open(place.path()).unwrap();
        assert_eq!(folder.reported(), Some(45));
        folder.set_aside().unwrap();
        assert_eq!(folder.reported(), Some(0));
        drop(folder);
        fs::write(place.path().join(LOCK), [0xff; 100]).unwrap();
        assert_eq!(Folder::open(place.path()).unwrap().reported(), None);
    }

    #[test]
    fn a_folder_serves_one_fit_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Folder::open(folder.path()).unwrap();
        let error = Folder::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("another fit"), "{error}");
        drop(first);
        Folder::open(folder.path()).unwrap();
    }
}
