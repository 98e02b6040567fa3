//! Files that are either whole or not there: written beside their place, synced, then renamed.

use std::fs;
use std::io::{BufWriter, Read, Write};
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
    let file = fs::File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
    let mut bytes = Vec::new();
    file.take(cap + 1).read_to_end(&mut bytes).map_err(|e| Error::io("file cannot be read", path, e))?;
    if bytes.len() as u64 > cap {
        return Err(Error::new(ErrorKind::Limits, "file is too large")
            .at(path)
            .expected(format!("at most {cap} bytes")));
    }
    Ok(bytes)
}

/// A file being written under a temporary name in the folder of its final one.
pub(crate) struct Pending {
    writer: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl Pending {
    /// Starts a file that will be called `target`; its folder must exist.
    pub fn create(target: &Path) -> Result<Self> {
        let folder = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new().prefix(".geolearn-").suffix(".part").tempfile_in(folder).map_err(|e| {
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

/// A complete file that does not yet bear its final name.
pub(crate) struct Ready {
    file: NamedTempFile,
    target: PathBuf,
}

impl Ready {
    /// Gives the file its final name, in place of any file that had it.
    pub fn publish(self) -> Result<()> {
        let target = self.target;
        set_usual_mode(&self.file);
        self.file.persist(&target).map_err(|e| Error::io("file cannot be renamed into place", &target, e.error))?;
        Ok(())
    }
}

/// Temporary files are private (0600); a finished one gets what a plain new file would have.
#[cfg(unix)]
fn set_usual_mode(file: &NamedTempFile) {
    use std::os::unix::fs::PermissionsExt;
    let _ = file.as_file().set_permissions(fs::Permissions::from_mode(0o644));
}

#[cfg(not(unix))]
fn set_usual_mode(_: &NamedTempFile) {}

/// Writes a whole file at once, atomically.
pub(crate) fn write(target: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = Pending::create(target)?;
    file.write_all(bytes).map_err(|e| Error::io("file cannot be written", target, e).help("Is the disk full?"))?;
    file.finish()?.publish()
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
