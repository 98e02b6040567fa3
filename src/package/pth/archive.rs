//! The zip around a state dict.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::PthLimits;
use super::container::StorageBytes;
use crate::error::{Error, ErrorKind, Result};

/// The entries of a `.pth`; all lie in one folder, whose name is free.
pub(super) struct Archive {
    zip: ZipArchive<BufReader<Rationed<File>>>,
    root: String,
    /// Bytes of the file.
    length: u64,
}

impl Archive {
    /// `length` is that of the file.
    pub(super) fn open(file: File, length: u64, limits: &PthLimits) -> Result<Self> {
        let ration = Rc::new(Cell::new(limits.directory_bytes));
        let reader = BufReader::new(Rationed { inner: file, left: Rc::clone(&ration) });
        let zip = ZipArchive::new(reader).map_err(refused)?;
        // From here each entry has its own cap.
        ration.set(u64::MAX);
        if zip.has_duplicate_names() {
            return Err(Error::new(ErrorKind::Format, "archive has two entries of one name"));
        }
        let root = root(&zip)?;
        let mut archive = Self { zip, root, length };
        archive.check_byte_order()?;
        Ok(archive)
    }

    /// The pickle that says what the storages mean.
    pub(super) fn pickle(&mut self, limits: &PthLimits) -> Result<Vec<u8>> {
        self.entry("data.pkl", limits.pickle_bytes)
    }

    /// The bytes of a storage, which must be exactly `length`.
    fn read_storage(&mut self, key: &str, length: u64) -> Result<Vec<u8>> {
        let name = format!("data/{key}");
        let bytes = self.entry(&name, length)?;
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        Err(Error::new(ErrorKind::Format, format!("entry {name:?} has a wrong length"))
            .expected(format!("{length} bytes"))
            .found(bytes.len()))
    }

    /// A whole entry. The length that it declares must be true, and not above `cap`, before memory is taken.
    fn entry(&mut self, name: &str, cap: u64) -> Result<Vec<u8>> {
        let full = format!("{}/{name}", self.root);
        let entry = self.zip.by_name(&full).map_err(|e| match e {
            ZipError::FileNotFound => Error::new(ErrorKind::Format, format!("entry {full:?} is missing")),
            other => refused(other),
        })?;
        let declared = entry.size();
        if declared > cap {
            return Err(Error::new(ErrorKind::Limits, format!("entry {full:?} is too large"))
                .expected(format!("at most {cap} bytes"))
                .found(declared));
        }
        // Neither what is declared nor what is there need be true: memory is taken ahead only as far as the
        // file itself reaches, and grows with what really comes out, up to one byte too many.
        let mut bytes = Vec::with_capacity(declared.min(self.length) as usize);
        let mut bounded = entry.take(declared.saturating_add(1));
        bounded.read_to_end(&mut bytes).map_err(|e| damaged(&full).because(e))?;
        if bytes.len() as u64 != declared {
            return Err(damaged(&full).expected(format!("{declared} bytes")).found(bytes.len()));
        }
        Ok(bytes)
    }

    /// Absent in files of torch before 2.0, which are of the machine's order, little on all that matter.
    fn check_byte_order(&mut self) -> Result<()> {
        if self.zip.index_for_name(&format!("{}/byteorder", self.root)).is_none() {
            return Ok(());
        }
        let ours: &[u8] = if cfg!(target_endian = "little") { b"little" } else { b"big" };
        let found = self.entry("byteorder", 16)?;
        if found == ours {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, "weights are in another byte order")
            .expected(String::from_utf8_lossy(ours))
            .found(String::from_utf8_lossy(&found).escape_debug()))
    }
}

impl StorageBytes for Archive {
    fn storage(&mut self, key: &str, length: u64) -> Result<Vec<u8>> {
        self.read_storage(key, length)
    }
}

/// The folder that holds `data.pkl`.
fn root<R: Read + Seek>(zip: &ZipArchive<R>) -> Result<String> {
    let roots: Vec<&str> = zip
        .file_names_raw()
        .filter_map(|name| std::str::from_utf8(name).ok()?.strip_suffix("/data.pkl"))
        .filter(|root| !root.is_empty() && !root.contains('/'))
        .take(2)
        .collect();
    match roots.as_slice() {
        [root] => Ok((*root).to_owned()),
        [] => Err(Error::new(ErrorKind::Format, "archive holds no data.pkl, so it is not of torch.save")),
        _ => Err(Error::new(ErrorKind::Format, "archive holds more than one data.pkl")),
    }
}

fn damaged(entry: &str) -> Error {
    Error::new(ErrorKind::Format, format!("entry {entry:?} is damaged"))
}

fn refused(error: ZipError) -> Error {
    let kind = match &error {
        // The ration, too, arrives as an I/O error.
        ZipError::Io(e) if e.get_ref().is_some_and(|inner| inner.is::<Exhausted>()) => ErrorKind::Limits,
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) | ZipError::InvalidPassword => {
            ErrorKind::Unsupported
        }
        _ => ErrorKind::Format,
    };
    Error::new(kind, "archive cannot be read").because(error)
}

/// A reader that gives up after so many bytes: the directory of a hostile archive can be the whole file.
struct Rationed<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let left = self.left.get().checked_sub(count as u64).ok_or_else(|| io::Error::other(Exhausted))?;
        self.left.set(left);
        Ok(count)
    }
}

impl<R: Seek> Seek for Rationed<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("its directory is too large")]
struct Exhausted;
