//! Writes tensors to a `.pth`.

use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::path::Path;

use tch::{Kind, Tensor};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use super::archive::FINGERPRINT;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::bytes_of;
use crate::package::pickle;
use crate::package::zipped::not_written;
use crate::store::{Pending, Ready};

/// Alignment that torch requires for the data of an entry, so that it can map a file.
const ALIGNMENT: u16 = 64;
/// The header of torch's own padding ("FB").
const PADDING_ID: u16 = 0x4246;
/// Torch's version of the archive's layout, in its file `version`.
const VERSION: &[u8] = b"3\n";

/// Writes tensors as float32 beside `target`; [`Ready::publish`] renames the file. Also returns the file's fingerprint,
/// by which [`read_marked`](super::read_marked) distinguishes it from others.
///
/// The file is what `torch.save` would write: `data.pkl` is the same byte for byte, and the entries have the same
/// names, order and alignment. `modules` become `_metadata` (see [`crate::package::keys`]); readers also accept an
/// empty list. Tensors may be on any device and have any strides.
pub(crate) fn write(
    target: &Path,
    tensors: &[(String, &Tensor)],
    modules: &[(String, u32)],
) -> Result<(Ready, String)> {
    let shapes = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.size())).collect::<Vec<_>>();
    let pickle = pickle::state_dict(&shapes, modules)?;
    let mut archive = Archive::create(target)?;
    archive.entry("data.pkl", &pickle)?;
    archive.entry(".format_version", b"1")?;
    archive.entry(".storage_alignment", ALIGNMENT.to_string().as_bytes())?;
    archive.entry("byteorder", if cfg!(target_endian = "little") { b"little" } else { b"big" })?;
    let mut buffer = Vec::new();
    for (index, (name, tensor)) in tensors.iter().enumerate() {
        bytes_of(tensor, Kind::Float, &mut buffer).map_err(|e| {
            Error::new(ErrorKind::Torch, format!("`{name}` cannot be read from its device")).at(target).because(e)
        })?;
        archive.entry(&format!("data/{index}"), &buffer)?;
    }
    archive.entry("version", VERSION)?;
    let fingerprint = archive.entry_of_fingerprint()?;
    Ok((archive.finish()?, fingerprint))
}

struct Archive<'a> {
    zip: ZipWriter<StreamWriter<Pending>>,
    target: &'a Path,
    root: String,
    names: DefaultHasher,
    contents: DefaultHasher,
}

impl<'a> Archive<'a> {
    fn create(target: &'a Path) -> Result<Self> {
        // Torch names the folder after the file, or "archive" if the name is not plain.
        let stem = target.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.is_ascii());
        let root = stem.unwrap_or("archive").to_owned();
        Ok(Self {
            zip: ZipWriter::new_stream(Pending::create(target)?),
            target,
            root,
            names: DefaultHasher::new(),
            contents: DefaultHasher::new(),
        })
    }

    fn entry(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.names.write(name.as_bytes());
        self.contents.write(bytes);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .with_alignment_and_header_id(ALIGNMENT, PADDING_ID)
            .large_file(bytes.len() >= u32::MAX as usize);
        let written = self
            .zip
            .start_file(format!("{}/{name}", self.root), options)
            .and_then(|()| Ok(self.zip.write_all(bytes)?));
        written.map_err(|e| not_written(self.target, e))
    }

    /// Writes a fingerprint of names and contents, as two numbers of 20 digits; torch uses its own hashes.
    fn entry_of_fingerprint(&mut self) -> Result<String> {
        let fingerprint = format!("{:020}{:020}", self.names.finish(), self.contents.finish());
        self.entry(FINGERPRINT, fingerprint.as_bytes())?;
        Ok(fingerprint)
    }

    fn finish(self) -> Result<Ready> {
        let stream = self.zip.finish().map_err(|e| not_written(self.target, e))?;
        stream.into_inner().finish()
    }
}
