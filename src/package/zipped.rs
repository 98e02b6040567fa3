//! Opening a zip archive that nobody vouches for.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config, ZipFile, ZipReadOptions};
use zip::result::ZipError;

use crate::error::{Error, ErrorKind, Result};

/// An archive whose directory was read within bounds; no two of its entries have the same name.
pub(super) struct Zipped<R: Read + Seek> {
    pub zip: ZipArchive<BufReader<Rationed<R>>>,
    /// Bytes of the whole.
    pub length: u64,
}

/// An entry being read.
pub(super) type Entry<'a, R> = ZipFile<'a, BufReader<Rationed<R>>>;

impl<R: Read + Seek> Zipped<R> {
    /// Opens a file or bytes, `length` of them, whose place is at their start. At most `directory_bytes` are read to find the entries.
    pub(super) fn open(file: R, length: u64, directory_bytes: u64) -> Result<Self> {
        let ration = Rc::new(Cell::new(directory_bytes));
        let reader = BufReader::new(Rationed { inner: file, left: Rc::clone(&ration) });
        // Where an archive may begin later, the zip64 records of torch can make it seem to.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let zip = ZipArchive::with_config(config, reader).map_err(refused)?;
        // From here each entry has its own cap.
        ration.set(u64::MAX);
        if zip.has_duplicate_names() {
            return Err(Error::new(ErrorKind::Format, "archive has two entries of one name"));
        }
        Ok(Self { zip, length })
    }

    /// The entry of that name. The length that it declares is not above `cap`.
    pub(super) fn entry(&mut self, name: &str, cap: u64) -> Result<Entry<'_, R>> {
        let missing = || Error::new(ErrorKind::Format, format!("entry {name:?} is missing"));
        let index = self.zip.index_for_name(name).ok_or_else(missing)?;
        // torch can be told to write no checksums, and then writes 0.
        let unchecked = self.zip.by_index_raw(index).map_err(refused)?.crc32() == 0;
        let options = ZipReadOptions::new().ignore_crc32(unchecked);
        let entry = self.zip.by_index_with_options(index, options).map_err(refused)?;
        if entry.size() > cap {
            return Err(Error::new(ErrorKind::Limits, format!("entry {name:?} is too large"))
                .expected(format!("at most {cap} bytes"))
                .found(entry.size()));
        }
        Ok(entry)
    }

    /// A whole entry in memory; see [`Self::entry`].
    pub(super) fn bytes(&mut self, name: &str, cap: u64) -> Result<Vec<u8>> {
        let length = self.length;
        let entry = self.entry(name, cap)?;
        // Neither what is declared nor what is there need be true: memory is taken ahead only as far as the
        // file itself reaches, and grows with what really comes out, up to one byte too many.
        let mut bytes = Vec::with_capacity(entry.size().min(length) as usize);
        unpack(entry, name, &mut bytes)?;
        Ok(bytes)
    }
}

/// Writes what an entry holds, which must be as long as it declares.
pub(super) fn unpack<R: Read>(entry: Entry<'_, R>, name: &str, into: &mut impl io::Write) -> Result<()> {
    let declared = entry.size();
    let mut bounded = entry.take(declared.saturating_add(1));
    let found = io::copy(&mut bounded, into).map_err(|e| damaged(name).because(e))?;
    if found == declared {
        return Ok(());
    }
    Err(damaged(name).expected(format!("{declared} bytes")).found(found))
}

/// Opens a file of at most so many bytes; gives its length too.
pub(super) fn open_capped(path: &Path, cap: u64) -> Result<(File, u64)> {
    let file = File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
    let length = file.metadata().map_err(|e| Error::io("file cannot be read", path, e))?.len();
    check_length(length, cap).map(|()| (file, length))
}

/// Refuses what is longer than allowed.
pub(super) fn check_length(length: u64, cap: u64) -> Result<()> {
    if length <= cap {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Limits, "file is too large").expected(format!("at most {cap} bytes")).found(length))
}

/// What went wrong while an archive was written.
pub(super) fn not_written(target: &Path, error: ZipError) -> Error {
    match error {
        ZipError::Io(e) => Error::io("file cannot be written", target, e).help("Is the disk full?"),
        other => Error::new(ErrorKind::Limits, "archive cannot be written").at(target).because(other),
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
pub(super) struct Rationed<R> {
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
