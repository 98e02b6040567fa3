//! `.dlpk`: a deep learning package, the zip of a model's folder that ArcGIS opens as one file.

use std::fs::{self, File};
use std::io::{Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::{SimpleFileOptions, StreamWriter};

use super::emd::{Emd, MAX_BYTES, Opening, Reach};
use super::pth;
use super::zipped::{Zipped, check_length, not_written, open_capped, unpack};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{self, Pending, Ready};

/// Weights shrink by a fourteenth at most: from 47 MB, level 1 makes 50, and levels 2 and 4 make 43.6.
const LEVEL: i64 = 2;
/// Limits of reading a package: the file, its unpacked contents, and the directory of its entries.
const MOST_BYTES: u64 = 8 << 30;
const DIRECTORY_BYTES: u64 = 64 << 20;

/// Zips files, each with its name in the archive, into a file that will become `target`.
pub(super) fn write(target: &Path, files: &[(String, &Ready)]) -> Result<Ready> {
    let mut zip = ZipWriter::new_stream(Pending::create(target)?);
    for (name, file) in files {
        add(&mut zip, name, file.path()).map_err(|e| not_written(target, e))?;
    }
    zip.finish().map_err(|e| not_written(target, e))?.into_inner().finish()
}

fn add<W: Write>(zip: &mut ZipWriter<StreamWriter<W>>, name: &str, path: &Path) -> zip::result::ZipResult<()> {
    let mut file = File::open(path)?;
    let options = SimpleFileOptions::default()
        .compression_level(Some(LEVEL))
        .large_file(file.metadata()?.len() >= u32::MAX.into());
    zip.start_file(name, options)?;
    std::io::copy(&mut file, zip)?;
    Ok(())
}

/// The definition and the weights of a package, in a temporary folder that is removed with this value.
pub(super) struct Unpacked {
    pub emd: Emd,
    pub weights: PathBuf,
    /// Contains the file of the weights.
    pub folder: TempDir,
}

/// Checks that a package that was just written can be opened again.
pub(super) fn check(path: &Path) -> Result<()> {
    open_capped(path, MOST_BYTES).map(drop)
}

/// Unpacks definition and weights from a package, and nothing else. Both get names of our own, so that no name in the
/// archive can be used as a path.
pub(super) fn unpack_model(path: &Path, opening: Opening) -> Result<Unpacked> {
    unpack_within(path, opening, MOST_BYTES).map_err(|e| e.at(path))
}

pub(super) fn unpack_within(path: &Path, opening: Opening, most: u64) -> Result<Unpacked> {
    let (file, length) = open_capped(path, most)?;
    let Opened { mut archive, emd, weights, plausible } = Opened::within(file, opening, length, most)?;
    let folder = tempfile::tempdir().map_err(|e| {
        Error::io("package cannot be unpacked", std::env::temp_dir(), e).help("Set TMPDIR to a folder with space.")
    })?;
    let unpacked = folder.path().join("weights.pth");
    let entry = archive.entry(&weights, plausible)?;
    let mut out = File::create_new(&unpacked).map_err(|e| Error::io("file cannot be written", &unpacked, e))?;
    unpack(entry, &weights, &mut out)?;
    Ok(Unpacked { emd, weights: unpacked, folder })
}

/// Returns the definition of a package in memory, and the bytes of its weights.
pub(super) fn unpack_bytes(bytes: &[u8], opening: Opening) -> Result<(Emd, Vec<u8>)> {
    unpack_bytes_within(bytes, opening, MOST_BYTES)
}

pub(super) fn unpack_bytes_within(bytes: &[u8], opening: Opening, most: u64) -> Result<(Emd, Vec<u8>)> {
    let length = bytes.len() as u64;
    check_length(length, most)?;
    let Opened { mut archive, emd, weights, plausible } = Opened::within(Cursor::new(bytes), opening, length, most)?;
    Ok((emd, archive.bytes(&weights, plausible)?))
}

/// A package whose definition has been read.
struct Opened<R: Read + Seek> {
    archive: Zipped<R>,
    emd: Emd,
    /// Name and maximum length of the entry of the weights.
    weights: String,
    plausible: u64,
}

impl<R: Read + Seek> Opened<R> {
    fn within(package: R, opening: Opening, length: u64, most: u64) -> Result<Self> {
        let mut archive = Zipped::open(package, length, DIRECTORY_BYTES.min(most))?;
        let definition = definition(&archive)?;
        let emd =
            Emd::parse(&archive.bytes(&definition, MAX_BYTES.min(most))?, Opening { reach: Reach::Folder, ..opening })?;
        let weights = beside(&definition, &emd);
        // A package that claims to contain far more than its own length is an attack.
        Ok(Self { archive, emd, weights, plausible: pth::plausible(length).min(most) })
    }
}

/// Returns the name of the only model definition.
fn definition<R: Read + Seek>(archive: &Zipped<R>) -> Result<String> {
    let is_definition = |name: &&str| store::extension(name.as_ref()) == "emd" && !is_of_macos(name.as_ref());
    let names = archive.zip.file_names_raw().filter_map(|name| std::str::from_utf8(name).ok());
    let names: Vec<&str> = names.filter(is_definition).take(2).collect();
    match names.as_slice() {
        [name] => Ok((*name).to_owned()),
        [] => Err(Error::new(ErrorKind::Format, "the package contains no model definition (.emd)")),
        several => Err(Error::new(ErrorKind::Format, "the package contains several model definitions")
            .found(several.join(" and "))
            .help("Unpack it, and open the .emd that you want.")),
    }
}

/// Returns the name of the weights of a definition with this name; the separator in archives is `/`.
fn beside(name: &str, emd: &Emd) -> String {
    let folder = name.rfind('/').map_or("", |slash| name.split_at(slash + 1).0);
    format!("{folder}{}", emd.weights_within().unwrap_or_default().join("/"))
}

/// Returns whether a file is one of those that macOS adds beside others.
pub(super) fn is_of_macos(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"._"));
    hidden || path.components().any(|part| part.as_os_str() == "__MACOSX")
}

/// Returns whether a file has the extension of a package and exists.
pub(super) fn is_package(path: &Path) -> bool {
    store::extension(path) == "dlpk" && fs::metadata(path).is_ok_and(|found| found.is_file())
}
