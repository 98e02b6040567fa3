//! A file on its way: written beside its place, synced, renamed.

use std::fs;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::abandoned::{folder_of, temporary};
use crate::error::{Error, Result};

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
        let file = temporary(folder, owner).map_err(|e| {
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
    pub(super) target: PathBuf,
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
pub(super) fn sync_folder(file: &Path) {
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
}
