//! The bytes of an image: a file that is opened once, or memory. A name that only GDAL can open has no bytes.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tiff_reader::TiffError;
use tiff_reader::source::TiffSource;

use super::libgdal_name;
use crate::error::{Error, Result};
use crate::store;

/// What error messages call bytes without a file; [`Error::in_memory`] removes it from them.
pub(super) const IN_MEMORY: &str = "in memory";

/// Bytes that any number of threads can read at any position. Copies share the open file.
#[derive(Clone)]
pub(super) struct ByteSource {
    path: PathBuf,
    content: Content,
    length: u64,
}

#[derive(Clone)]
enum Content {
    File(Arc<File>),
    Memory(Arc<[u8]>),
    /// Only GDAL can find them.
    Elsewhere,
}

/// A reader for headers, starting at the first byte.
pub(super) type Reader<'a> = BufReader<Cursor<'a>>;

/// A position in the bytes of a source.
pub(super) struct Cursor<'a> {
    source: &'a ByteSource,
    position: u64,
}

#[cfg(test)]
thread_local! {
    static OPENED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts how often this thread has opened a file.
#[cfg(test)]
pub(super) fn opened() -> usize {
    OPENED.with(std::cell::Cell::get)
}

impl ByteSource {
    /// Opens a file, or accepts a name that only GDAL can open.
    pub fn open(path: &Path) -> Result<Self> {
        if libgdal_name::is_one(path) {
            return Ok(Self { path: path.to_path_buf(), content: Content::Elsewhere, length: 0 });
        }
        #[cfg(test)]
        OPENED.with(|opened| opened.set(opened.get() + 1));
        let file = File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
        let length = file.metadata().map_err(|e| Error::io("file cannot be read", path, e))?.len();
        Ok(Self { path: path.to_path_buf(), content: Content::File(Arc::new(file)), length })
    }

    pub fn in_memory(bytes: &[u8]) -> Self {
        Self { path: IN_MEMORY.into(), content: Content::Memory(Arc::from(bytes)), length: bytes.len() as u64 }
    }

    /// Returns the path of the file, or its substitute in messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the file, which may have others next to it.
    pub fn file(&self) -> Option<&Path> {
        match self.content {
            Content::File(_) => Some(&self.path),
            Content::Memory(_) | Content::Elsewhere => None,
        }
    }

    /// Returns whether this is only a name, which GDAL must open.
    pub fn is_a_name(&self) -> bool {
        matches!(self.content, Content::Elsewhere)
    }

    /// Reads the first bytes, at most `most` of them.
    pub fn opening(&self, most: u64) -> Result<Vec<u8>> {
        let mut start = Vec::new();
        let read = self.cursor().take(most).read_to_end(&mut start);
        read.map_err(|e| Error::io("file cannot be read", &self.path, e))?;
        Ok(start)
    }

    /// Returns a reader for all bytes; more than `cap` of them are an error.
    pub fn reader(&self, cap: u64) -> Result<Reader<'_>> {
        store::check_length(&self.path, self.length, cap)?;
        Ok(BufReader::new(self.cursor()))
    }

    /// Reads all bytes; more than `cap` of them are an error, detected before anything is read.
    pub fn bytes(&self, cap: u64) -> Result<Cow<'_, [u8]>> {
        store::check_length(&self.path, self.length, cap)?;
        if let Content::Memory(bytes) = &self.content {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.length).unwrap_or_default());
        let read = self.cursor().take(cap.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|e| Error::io("file cannot be read", &self.path, e))?;
        // It may have grown, or not be a regular file.
        store::check_length(&self.path, bytes.len() as u64, cap)?;
        Ok(Cow::Owned(bytes))
    }

    fn cursor(&self) -> Cursor<'_> {
        Cursor { source: self, position: 0 }
    }

    fn read_at(&self, position: u64, to: &mut [u8]) -> io::Result<usize> {
        match &self.content {
            Content::File(file) => read_at(file, position, to),
            Content::Memory(bytes) => {
                let rest = usize::try_from(position).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
                let length = rest.len().min(to.len());
                to[..length].copy_from_slice(&rest[..length]);
                Ok(length)
            }
            Content::Elsewhere => Ok(0),
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, position: u64, to: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, to, position)
}

#[cfg(windows)]
fn read_at(file: &File, position: u64, to: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, to, position)
}

impl Read for Cursor<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read_at(self.position, to)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.source.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl TiffSource for ByteSource {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, offset: u64, length: usize) -> std::result::Result<Vec<u8>, TiffError> {
        if offset.checked_add(length as u64).is_none_or(|end| end > self.length) {
            let (length, data_len) = (length as u64, self.length);
            return Err(TiffError::OffsetOutOfBounds { offset, length, data_len });
        }
        let mut bytes = vec![0; length];
        let mut cursor = Cursor { source: self, position: offset };
        cursor.read_exact(&mut bytes).map_err(|e| TiffError::Io(e, self.path.display().to_string()))?;
        Ok(bytes)
    }
}

impl std::fmt::Debug for ByteSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.content {
            Content::File(_) | Content::Elsewhere => write!(f, "{:?}", self.path),
            Content::Memory(bytes) => write!(f, "{} bytes in memory", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;

    use super::*;

    #[test]
    fn a_file_and_its_bytes_are_read_alike() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..20_000u32).map(|i| (i * i / 7) as u8).collect();
        std::fs::write(file.path(), &bytes).unwrap();
        for source in [ByteSource::open(file.path()).unwrap(), ByteSource::in_memory(&bytes)] {
            assert_eq!(source.opening(64).unwrap(), bytes[..64]);
            assert_eq!(source.bytes(20_000).unwrap(), &bytes[..]);
            assert!(source.bytes(19_999).is_err() && source.reader(19_999).is_err());
            assert_eq!(source.read_exact_at(19_990, 10).unwrap(), bytes[19_990..]);
            assert!(source.read_exact_at(19_990, 11).is_err() && source.read_exact_at(u64::MAX, 2).is_err());
            let mut reader = source.reader(20_000).unwrap();
            reader.seek_relative(15_000).unwrap();
            assert_eq!(reader.fill_buf().unwrap()[..100], bytes[15_000..15_100]);
            assert!(reader.seek(SeekFrom::Current(-20_000)).is_err());
        }
    }
}
