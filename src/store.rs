//! Files that are either whole or not there: written beside their place, synced, then renamed.

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

/// How files begin and end that are being written.
const PREFIX: &str = ".geolearn-";
const SUFFIX: &str = ".part";

/// Whether a file bears the name of one that is being written.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Removes what a killed process left half written in a folder. Nobody else may be writing there.
pub(crate) fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(is_temporary) {
            // It does no harm where it cannot be removed.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes what killed processes left half written of this one file, however many of them; what somebody is still
/// writing stays.
pub(crate) fn remove_abandoned_of(target: &Path) {
    let own = prefix_of(target);
    for entry in fs::read_dir(folder_of(target)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_own = name.to_str().is_some_and(|name| name.starts_with(&own) && name.ends_with(SUFFIX));
        if is_own && fs::File::open(entry.path()).is_ok_and(|file| is_free(&file)) {
            // It does no harm where it cannot be removed.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// How temporary names of a file begin: short, whatever the length of its own.
fn prefix_of(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default();
    format!("{PREFIX}{:08x}-", crc32c::crc32c(name.as_encoded_bytes()))
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Marks a file as being written, as long as it is open. Not every file system can do that; nothing is taken for
/// abandoned there. On Windows a marked file could not be read by others.
fn mark_as_ours(file: &fs::File) {
    if cfg!(unix) {
        let _ = file.try_lock();
    }
}

/// Whether nobody has marked the file.
fn is_free(file: &fs::File) -> bool {
    cfg!(unix) && file.try_lock().is_ok()
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
        let (folder, prefix) = (folder_of(target), prefix_of(target));
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(SUFFIX);
        usual_mode(&mut builder);
        let file = builder.tempfile_in(folder).map_err(|e| {
            Error::io("file cannot be written in this folder", folder, e).help("Choose a folder that can be written.")
        })?;
        mark_as_ours(file.as_file());
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

/// Temporary files are private by default; these will be what a plain new file would be, as the umask has it.
#[cfg(unix)]
fn usual_mode(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn usual_mode(_: &mut tempfile::Builder<'_, '_>) {}

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
        self.file.persist(&target).map_err(|e| Error::io("file cannot be renamed into place", &target, e.error))?;
        sync_folder(&target);
        Ok(())
    }

    /// Puts a copy of the file at `other`, in place of any file that is there. Not a second name for the same file:
    /// what happens to one of them must not happen to both.
    pub fn publish_copy(&self, other: &Path) -> Result<()> {
        let failed = |e| Error::io("file cannot be written", other, e).help("Is the disk full?");
        let name = other.file_name().unwrap_or_default().to_string_lossy();
        let aside = other.with_file_name(format!("{PREFIX}{name}{SUFFIX}"));
        let copied = fs::copy(self.file.path(), &aside).and_then(|_| fs::File::open(&aside)?.sync_all());
        copied.and_then(|()| fs::rename(&aside, other)).map_err(|e| {
            let _ = fs::remove_file(&aside);
            failed(e)
        })?;
        sync_folder(other);
        Ok(())
    }

    /// The same, but the file that had the name can still be put back.
    pub fn publish_keeping_older(self) -> Result<Older> {
        let target = self.target.clone();
        // A name of ours alone: a leftover under it may be removed.
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let aside = target.with_file_name(format!(".geolearn-{name}.older"));
        let was_there = target.exists();
        if was_there {
            // A second name for the old file, so that its place is never empty.
            let _ = fs::remove_file(&aside);
            fs::hard_link(&target, &aside)
                .or_else(|_| fs::copy(&target, &aside).map(drop))
                .map_err(|e| Error::io("older file cannot be kept", &target, e))?;
        }
        let older = Older { target, aside: was_there.then_some(aside) };
        match self.publish() {
            Ok(()) => Ok(older),
            Err(error) => {
                older.discard()?;
                Err(error)
            }
        }
    }
}

/// What a published file replaced.
pub(crate) struct Older {
    target: PathBuf,
    aside: Option<PathBuf>,
}

impl Older {
    /// Undoes the publishing.
    pub fn put_back(self) -> Result<()> {
        let undone = match &self.aside {
            Some(aside) => fs::rename(aside, &self.target),
            None => fs::remove_file(&self.target),
        };
        undone.map_err(|e| Error::io("older file cannot be put back", &self.target, e))
    }

    /// Lets the older file go.
    pub fn discard(self) -> Result<()> {
        let gone = self.aside.map_or(Ok(()), fs::remove_file);
        gone.map_err(|e| Error::io("older file cannot be removed", &self.target, e))
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
    fn what_was_replaced_can_be_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let publish = |bytes: &[u8]| {
            let mut pending = Pending::create(&path).unwrap();
            pending.write_all(bytes).unwrap();
            pending.finish().unwrap().publish_keeping_older().unwrap()
        };
        publish(b"first").put_back().unwrap();
        assert!(!path.exists());
        publish(b"first").discard().unwrap();
        publish(b"second").put_back().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        publish(b"second").discard().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
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
        fs::write(dir.path().join(".geolearn-x.part"), b"half").unwrap();
        remove_abandoned(dir.path());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    #[cfg(unix)]
    fn what_was_abandoned_of_a_file_goes_and_what_is_being_written_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("f"), dir.path().join("g"));
        let abandoned = |path: &Path| {
            let mut file = Pending::create(path).unwrap();
            file.write_all(b"half").unwrap();
            let (_, kept) = file.finish().unwrap().file.keep().unwrap();
            kept
        };
        let (own, others) = (abandoned(&path), abandoned(&other));
        let pending = Pending::create(&path).unwrap();
        remove_abandoned_of(&path);
        assert!(!own.exists() && others.exists());
        assert!(pending.writer.get_ref().path().exists());
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
