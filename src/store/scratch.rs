//! A file for what does not fit into memory on the way to another one.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::abandoned::{folder_of, temporary};
use crate::error::{Error, Result};

/// A file that grows at its end and is read anywhere, beside the file that is made of it. It goes when it is dropped; what
/// a killed process leaves of it goes with the leftovers of that file.
pub(crate) struct Scratch {
    file: NamedTempFile,
    length: u64,
}

impl Scratch {
    /// Starts a file in the folder of `target`, which must exist.
    ///
    /// # Errors
    /// `Io` where the folder cannot be written.
    pub fn create_beside(target: &Path) -> Result<Self> {
        let folder = folder_of(target);
        let file = temporary(folder, target).map_err(|e| {
            Error::io("file cannot be written in this folder", folder, e).help("Choose a folder that can be written.")
        })?;
        Ok(Self { file, length: 0 })
    }

    /// Adds bytes at the end, and says where they begin.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let start = self.length;
        self.file.seek(SeekFrom::Start(start))?;
        self.file.write_all(bytes)?;
        self.length = start + bytes.len() as u64;
        Ok(start)
    }

    /// Reads bytes that were added.
    pub fn read(&mut self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_read_in_any_order_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::create_beside(&dir.path().join("f")).unwrap();
        let starts = [&b"one"[..], b"", b"three"].map(|bytes| scratch.append(bytes).unwrap());
        assert_eq!(starts, [0, 3, 3]);
        assert_eq!(scratch.read(3, 5).unwrap(), b"three");
        assert_eq!(scratch.append(b"4").unwrap(), 8);
        assert_eq!(scratch.read(0, 9).unwrap(), b"onethree4");
        assert!(scratch.read(8, 2).is_err());
        drop(scratch);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
