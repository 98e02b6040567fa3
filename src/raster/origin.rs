//! Where the bytes of an image are: in a file, or in memory.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tiff_reader::TiffError;
use tiff_reader::source::{FileSource, TiffSource};

use crate::error::{Error, Result};
use crate::store;

/// What messages call bytes that have no file; errors are freed of it by [`Error::in_memory`].
pub(super) const IN_MEMORY: &str = "in memory";

#[derive(Clone)]
pub(super) enum Origin {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

/// What the headers of pictures are read from.
pub(super) trait Reader: BufRead + Seek {}

impl<R: BufRead + Seek> Reader for R {}

impl Origin {
    /// The file, or what stands for one in messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory(_) => Path::new(IN_MEMORY),
        }
    }

    /// The file; there are others beside it then.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory(_) => None,
        }
    }

    /// The first bytes, at most so many.
    pub fn opening(&self, most: u64) -> Result<Vec<u8>> {
        let path = self.path();
        let mut start = Vec::new();
        match self {
            Self::File(_) => {
                let file = File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
                file.take(most).read_to_end(&mut start)
            }
            Self::Memory(bytes) => bytes.take(most).read_to_end(&mut start),
        }
        .map_err(|e| Error::io("file cannot be read", path, e))?;
        Ok(start)
    }

    /// All of at most `cap` bytes, to be read from the first on.
    pub fn reader(&self, cap: u64) -> Result<Box<dyn Reader + '_>> {
        Ok(match self {
            Self::File(path) => Box::new(BufReader::new(store::open_capped(path, cap)?)),
            Self::Memory(bytes) => {
                store::check_length(self.path(), bytes.len() as u64, cap)?;
                Box::new(Cursor::new(bytes.as_ref()))
            }
        })
    }

    /// All of at most `cap` bytes.
    pub fn bytes(&self, cap: u64) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::File(path) => store::read_capped(path, cap).map(Cow::Owned),
            Self::Memory(bytes) => {
                store::check_length(self.path(), bytes.len() as u64, cap)?;
                Ok(Cow::Borrowed(bytes))
            }
        }
    }

    /// Any part, in any order.
    pub fn parts(&self) -> std::result::Result<Box<dyn TiffSource>, TiffError> {
        Ok(match self {
            Self::File(path) => Box::new(FileSource::open(path)?),
            Self::Memory(bytes) => Box::new(Parts(bytes.clone())),
        })
    }
}

/// The decoder's own source of bytes cannot share them.
struct Parts(Arc<[u8]>);

impl TiffSource for Parts {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, offset: u64, length: usize) -> std::result::Result<Vec<u8>, TiffError> {
        let start = usize::try_from(offset).ok();
        let part = start.and_then(|start| self.0.get(start..start.checked_add(length)?));
        part.map(<[u8]>::to_vec).ok_or(TiffError::OffsetOutOfBounds {
            offset,
            length: length as u64,
            data_len: self.len(),
        })
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{path:?}"),
            Self::Memory(bytes) => write!(f, "{} bytes in memory", bytes.len()),
        }
    }
}
