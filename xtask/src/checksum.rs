//! Checksums of downloaded files.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::trouble::{Result, Trouble};

/// Returns the SHA-256 of a file in hexadecimal, or `None` if the file does not exist.
pub fn sha256(path: &Path) -> Result<Option<String>> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(Trouble::file("cannot open", path))?,
    };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(Trouble::file("cannot read", path))? {
            0 => return Ok(Some(format!("{:x}", hash.finalize()))),
            n => hash.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_checksum_is_of_the_whole_file() {
        let scratch = Scratch::new("sha256").unwrap();
        let path = scratch.path().join("file");
        assert_eq!(sha256(&path).unwrap(), None);
        std::fs::write(&path, "abc").unwrap();
        // The first example in FIPS 180-2.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap().unwrap(), known);
    }
}
