//! Files of a limited size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

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
fn open_capped(path: &Path, cap: u64) -> Result<File> {
    let file = File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_over_the_cap_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, [0; 11]).unwrap();
        assert_eq!(read_capped(&path, 11).unwrap().len(), 11);
        assert_eq!(read_capped(&path, 10).unwrap_err().kind(), ErrorKind::Limits);
    }
}
