//! The zip around a state dict.

use std::io::{Read, Seek};

use zip::ZipArchive;

use super::PthLimits;
use super::storage::StorageBytes;
use crate::error::{Error, ErrorKind, Result};
use crate::package::zipped::Zipped;

/// Where torch, too, stores a fingerprint of names and contents.
pub(super) const FINGERPRINT: &str = ".data/serialization_id";

/// The entries of a `.pth`; all are in one folder with any name.
pub(super) struct Archive<R: Read + Seek> {
    zipped: Zipped<R>,
    root: String,
}

impl<R: Read + Seek> Archive<R> {
    /// `length` is that of the file.
    pub(super) fn open(file: R, length: u64, limits: &PthLimits) -> Result<Self> {
        let zipped = Zipped::open(file, length, limits.directory_bytes)?;
        let root = root(&zipped.zip)?;
        let mut archive = Self { zipped, root };
        archive.check_byte_order()?;
        Ok(archive)
    }

    /// Returns the pickle that describes the storages.
    pub(super) fn pickle(&mut self, limits: &PthLimits) -> Result<Vec<u8>> {
        self.entry("data.pkl", limits.pickle_bytes)
    }

    /// Reads the bytes of a storage, which must be exactly `length`.
    fn read_storage(&mut self, key: &str, length: u64) -> Result<Vec<u8>> {
        let name = format!("data/{key}");
        let bytes = self.entry(&name, length)?;
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        Err(Error::new(ErrorKind::Format, format!("entry {name:?} has a wrong length"))
            .expected(format!("{length} bytes"))
            .found(bytes.len()))
    }

    fn has(&self, name: &str) -> bool {
        self.zipped.zip.index_for_name(&format!("{}/{name}", self.root)).is_some()
    }

    /// Reads a complete entry of at most `cap` bytes.
    fn entry(&mut self, name: &str, cap: u64) -> Result<Vec<u8>> {
        self.zipped.bytes(&format!("{}/{name}", self.root), cap)
    }

    /// Checks the byte order. It is missing in files of torch before 2.0, which use the machine's order: little-endian
    /// on all relevant ones.
    fn check_byte_order(&mut self) -> Result<()> {
        if !self.has("byteorder") {
            return Ok(());
        }
        let ours: &[u8] = if cfg!(target_endian = "little") { b"little" } else { b"big" };
        let found = self.entry("byteorder", 16)?;
        if found == ours {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, "weights are in another byte order")
            .expected(String::from_utf8_lossy(ours))
            .found(String::from_utf8_lossy(&found).escape_debug()))
    }
}

impl<R: Read + Seek> StorageBytes for Archive<R> {
    fn storage(&mut self, key: &str, length: u64) -> Result<Vec<u8>> {
        self.read_storage(key, length)
    }

    fn fingerprint(&mut self) -> Result<Option<String>> {
        if !self.has(FINGERPRINT) {
            return Ok(None);
        }
        self.entry(FINGERPRINT, 256).map(|bytes| Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// Returns the folder that contains `data.pkl`.
fn root<R: Read + Seek>(zip: &ZipArchive<R>) -> Result<String> {
    let roots: Vec<&str> = zip
        .file_names_raw()
        .filter_map(|name| std::str::from_utf8(name).ok()?.strip_suffix("/data.pkl"))
        .filter(|root| !root.is_empty() && !root.contains('/'))
        .take(2)
        .collect();
    match roots.as_slice() {
        [root] => Ok((*root).to_owned()),
        [] => Err(Error::new(ErrorKind::Format, "the archive contains no data.pkl, so torch.save did not write it")),
        _ => Err(Error::new(ErrorKind::Format, "the archive contains more than one data.pkl")),
    }
}
