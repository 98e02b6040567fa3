//! Files that are either whole or not there: written beside their place, synced, then renamed.

mod abandoned;
mod cache;
mod identity;
mod lock;
mod older;

pub(crate) use abandoned::{folder_of, is_temporary, remove_abandoned, remove_abandoned_of};
pub(crate) use cache::cache_folder;
pub(crate) use identity::Identity;
pub(crate) use lock::Lock;
pub(crate) use older::{aside, clear, publish_all};

use std::fs;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, ErrorKind, Result};

/// Makes a folder with its parents.
pub(crate) fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .map_err(|e| Error::io("folder cannot be made", path, e).help("Choose a place that can be written."))
}

/// Reads a file of at most `cap` bytes; a larger one is refused before it is read.
pub(crate) fn read_capped(path: &Path, cap: u64) -> Result<Vec<u8>> {
    let file = open_capped(path, cap)?;
    let mut bytes = Vec::new();
    file.take(cap.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| Error::io("file cannot be read", path, e))?;
    // It may have grown, or be no plain file.
    check_length(path, bytes.len() as u64, cap)?;
    Ok(bytes)
}

/// Opens a file of at most `cap` bytes.
pub(crate) fn open_capped(path: &Path, cap: u64) -> Result<fs::File> {
    let file = fs::File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
    let length = file.metadata().map_err(|e| Error::io("file cannot be read", path, e))?.len();
    check_length(path, length, cap)?;
    Ok(file)
}

/// Refuses what is longer than allowed.
pub(crate) fn check_length(path: &Path, length: u64, cap: u64) -> Result<()> {
    if length <= cap {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Limits, "file is too large").at(path).expected(format!("at most {cap} bytes")))
}

/// What follows the last dot of a name, in lower case; empty where there is none.
pub(crate) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// A file being written under a temporary name in the folder of its final one.
pub(crate) struct Pending {
    writer: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl Pending {
    /// Starts a file that will be called `target`; its folder must exist.
    pub fn create(target: &Path) -> Result<Self> {
        Self::create_as_of(target, target)
    }

    /// The same under a temporary name of the file `owner`, with whose leftovers it is removed after a kill.
    fn create_as_of(target: &Path, owner: &Path) -> Result<Self> {
        let folder = folder_of(target);
        let file = abandoned::temporary(folder, owner).map_err(|e| {
            Error::io("file cannot be written in this folder", folder, e).help("Choose a folder that can be written.")
        })?;
        Ok(Self { writer: BufWriter::new(file), target: target.to_path_buf() })
    }

    /// Writes what is left to the disk; after this only [`Ready::publish`] remains to be done.
    pub fn finish(self) -> Result<Ready> {
        let Self { writer, target } = self;
        let failed = |e| Error::io("file cannot be written", &target, e).help("Is the disk full?");
        let file = writer.into_inner().map_err(|e| failed(e.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        Ok(Ready { file, target })
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

impl Seek for Pending {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.writer.seek(to)
    }
}

/// A complete file that does not yet bear its final name.
pub(crate) struct Ready {
    file: NamedTempFile,
    target: PathBuf,
}

impl Ready {
    /// Where the file lies for now.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Gives the file its final name, in place of any file that had it.
    pub fn publish(self) -> Result<()> {
        let target = self.target;
        #[cfg(test)]
        crate::testing::kill_point();
        self.file.persist(&target).map_err(|e| Error::io("file cannot be renamed into place", &target, e.error))?;
        sync_folder(&target);
        Ok(())
    }

    /// Puts a copy of the file at `other`, in place of any file that is there. Not a second name for the same file:
    /// what happens to one of them must not happen to both.
    pub fn publish_copy(&self, other: &Path) -> Result<()> {
        let failed = |e| Error::io("file cannot be written", other, e).help("Is the disk full?");
        let mut copy = Pending::create_as_of(other, &self.target)?;
        let mut original = fs::File::open(self.file.path()).map_err(failed)?;
        std::io::copy(&mut original, &mut copy).map_err(failed)?;
        copy.finish()?.publish()
    }
}

/// A rename lasts through a power cut only when its folder is on the disk too. Not every file system can do that,
/// and the file itself is safe already.
fn sync_folder(file: &Path) {
    if let Some(folder) = file.parent().and_then(|folder| fs::File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

/// Writes a whole file at once, atomically.
pub(crate) fn write(target: &Path, bytes: &[u8]) -> Result<()> {
    ready(target, bytes)?.publish()
}

/// A whole file that lacks only its name.
pub(crate) fn ready(target: &Path, bytes: &[u8]) -> Result<Ready> {
    let mut file = Pending::create(target)?;
    file.write_all(bytes).map_err(|e| Error::io("file cannot be written", target, e).help("Is the disk full?"))?;
    file.finish()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_only_when_published() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write(&path, b"old").unwrap();
        let mut pending = Pending::create(&path).unwrap();
        pending.write_all(b"new").unwrap();
        let ready = pending.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        ready.publish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_copy_stays_when_the_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("f"), dir.path().join("g"));
        for text in [&b"first"[..], b"second"] {
            let mut pending = Pending::create(&path).unwrap();
            pending.write_all(text).unwrap();
            let ready = pending.finish().unwrap();
            if text == b"first" {
                ready.publish_copy(&copy).unwrap();
            }
            ready.publish().unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read(&copy).unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_abandoned_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(Pending::create(&dir.path().join("f")).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_over_the_cap_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write(&path, &[0; 11]).unwrap();
        assert_eq!(read_capped(&path, 11).unwrap().len(), 11);
        assert_eq!(read_capped(&path, 10).unwrap_err().kind(), ErrorKind::Limits);
    }
}
