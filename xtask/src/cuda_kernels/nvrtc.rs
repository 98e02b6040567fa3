//! NVRTC, NVIDIA's runtime CUDA compiler, from the wheel that PyTorch's release for CUDA 13.0 depends on.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::checksum::sha256;
use crate::pip;
use crate::python::Python;
use crate::store::{Placed, Store};
use crate::trouble::{Result, Trouble};

const PACKAGE: &str = "nvidia-cuda-nvrtc==13.0.88";
const FILE: &str = "nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl";
const SHA256: &str = "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575";
const LIBRARIES: [&str; 2] = ["nvidia/cu13/lib/libnvrtc.so.13", "nvidia/cu13/lib/libnvrtc-builtins.so.13.0"];

/// Downloads the wheel, once for all checkouts of the user.
pub fn fetch() -> Result<PathBuf> {
    let is_whole = |path: &Path| Ok(sha256(path)?.is_some_and(|found| found == SHA256));
    let placed = Store::of_user()?.place_file(FILE, is_whole, |work, lock| {
        eprintln!("xtask: downloading {PACKAGE} (90 MB), which compiles CUDA");
        pip::download(&Python::of_user(), PACKAGE, work, lock).map_err(|trouble| {
            trouble.advice(format!(
                "pip says above what failed; it is for Linux on x86-64; or get {FILE} in another way and run \
                 `cargo xtask cuda-kernels --wheel {FILE}`"
            ))
        })?;
        Ok(work.join(FILE))
    })?;
    match placed {
        Placed::Before(path) | Placed::Now(path) => Ok(path),
    }
}

/// Extracts the libraries of a wheel into `folder`.
pub fn unpack(wheel: &Path, folder: &Path) -> Result<()> {
    match sha256(wheel)? {
        Some(found) if found == SHA256 => {}
        found => {
            let found = found.map_or_else(|| "the file does not exist".into(), |found| format!("found {found}"));
            return Err(Trouble::new(format!("{} is not {FILE}: expected SHA-256 {SHA256}, {found}", wheel.display()))
                .advice(format!("pass the wheel that `pip download {PACKAGE}` downloads, or omit --wheel")));
        }
    }
    let unpack = || -> io::Result<()> {
        let mut archive = ZipArchive::new(File::open(wheel)?)?;
        for name in LIBRARIES {
            let file = name.rsplit('/').next().unwrap_or(name);
            io::copy(&mut archive.by_name(name)?, &mut File::create(folder.join(file))?)?;
        }
        Ok(())
    };
    unpack().map_err(Trouble::file("cannot unpack", wheel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_file_that_is_not_the_wheel_is_refused() {
        let scratch = Scratch::new("nvrtc-wheel").unwrap();
        let wheel = scratch.path().join("other.whl");
        let refused = || unpack(&wheel, scratch.path()).unwrap_err().to_string();
        assert!(refused().contains("the file does not exist"), "{}", refused());
        std::fs::write(&wheel, "PK").unwrap();
        assert!(refused().contains(SHA256), "{}", refused());
    }
}
