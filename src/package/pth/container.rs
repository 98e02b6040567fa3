//! The containers of a `.pth`: the zip that torch has written since 1.6, or the bare pickles of earlier releases.

use std::io::{Read, Seek};
use std::path::Path;

use super::PthLimits;
use super::archive::Archive;
use super::legacy;
use super::storage::StorageBytes;
use super::views::{Views, tensor_views};
use crate::error::{Error, ErrorKind, Result};
use crate::package::pickle;
use crate::package::zipped::open_capped;

/// Opens a file and passes its checked state dict, with the bytes of its storages, to `make`.
pub(crate) fn open<T>(
    path: &Path,
    limits: &PthLimits,
    make: impl FnOnce(Views, &mut dyn StorageBytes) -> Result<T>,
) -> Result<T> {
    let (file, length) = open_capped(path, limits.file_bytes)?;
    open_in(file, length, limits, make)
}

/// Does the same for any reader of a known length, positioned at its start.
pub(super) fn open_in<R: Read + Seek, T>(
    mut file: R,
    length: u64,
    limits: &PthLimits,
    make: impl FnOnce(Views, &mut dyn StorageBytes) -> Result<T>,
) -> Result<T> {
    let limits = &limits.for_file(length);
    match form(&mut file)? {
        Form::Zip => {
            let mut archive = Archive::open(file, length, limits)?;
            let bytes = archive.pickle(limits)?;
            let pickle = pickle::read(&bytes, limits.values)?;
            make(tensor_views(&pickle, limits)?, &mut archive)
        }
        Form::Legacy => {
            let head = legacy::head(&mut file, limits)?;
            let parts = legacy::Parts::read(&head, limits)?;
            let mut stream = parts.storages(file, length, limits)?;
            make(tensor_views(&parts.object, limits)?, &mut stream)
        }
    }
}

enum Form {
    Zip,
    Legacy,
}

/// Offset at which a tar names its format.
const TAR_MAGIC: usize = 257;

/// Distinguishes the formats from each other, and from other files with the extension `.pth`.
fn form(file: &mut (impl Read + Seek)) -> Result<Form> {
    let mut start = Vec::new();
    file.by_ref()
        .take(TAR_MAGIC as u64 + 5)
        .read_to_end(&mut start)
        .and_then(|_| file.rewind())
        .map_err(|e| Error::new(ErrorKind::Io, "file cannot be read").because(e))?;
    let refused = |kind| Error::new(kind, "file is neither a zip archive nor a pickle of torch.save");
    match start.as_slice() {
        [b'P', b'K', 3, 4, ..] => Ok(Form::Zip),
        [0x80, ..] => Ok(Form::Legacy),
        bytes if bytes.get(TAR_MAGIC..).is_some_and(|rest| rest == b"ustar") => Err(refused(ErrorKind::Unsupported)
            .found("a tar, as torch before 0.1.10 wrote it")
            .help("In Python: torch.save(torch.load(path, weights_only=True), path).")),
        _ => Err(refused(ErrorKind::Format)),
    }
}
