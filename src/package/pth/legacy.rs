//! The format that `torch.save` wrote before torch 1.6, and still writes with `_use_new_zipfile_serialization=False`:
//! five pickles in a row (magic number, protocol, properties of the machine, the object, keys of the storages), then
//! the storages in the order of their keys, each after its length.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use super::PthLimits;
use super::storage::StorageBytes;
use crate::error::{Error, ErrorKind, Result};
use crate::package::pickle::{self, Pickle, Value};

/// `LONG1` of torch's magic number, 0x1950a86a20f9469cfc6c, and `STOP`.
const MAGIC: &[u8] = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// The only version of the format.
const PROTOCOL: i64 = 1001;

/// Returns the beginning of the file, which contains all pickles if they are within the limits.
pub(super) fn head(file: &mut impl Read, limits: &PthLimits) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limits.pickle_bytes)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::new(ErrorKind::Io, "file cannot be read").because(e))?;
    Ok(bytes)
}

/// The relevant pickles of a file.
pub(super) struct Parts<'a> {
    pub object: Pickle<'a>,
    keys: Pickle<'a>,
    /// Offset of the storages.
    end: usize,
}

impl<'a> Parts<'a> {
    pub(super) fn read(head: &'a [u8], limits: &PthLimits) -> Result<Self> {
        let mut end = magic(head)?;
        let mut next = || {
            let (pickle, length) = pickle::read_first(head.get(end..).unwrap_or_default(), limits.values)
                .map_err(|e| cut_by_limit(e, head, limits))?;
            end += length;
            Ok::<_, Error>(pickle)
        };
        let (protocol, machine, object, keys) = (next()?, next()?, next()?, next()?);
        if protocol.top() != Value::Int(PROTOCOL) {
            return Err(Error::new(ErrorKind::Unsupported, "the format of the file is unknown")
                .expected(format!("protocol {PROTOCOL}"))
                .found(protocol.describe(protocol.top())));
        }
        check_byte_order(&machine)?;
        Ok(Self { object, keys, end })
    }

    /// Returns the position of each storage, from the lengths in the file; all must agree with the pickle and end with
    /// the file.
    pub(super) fn storages<R: Read + Seek>(
        &self,
        mut file: R,
        file_length: u64,
        limits: &PthLimits,
    ) -> Result<Stream<R>> {
        let widths: HashMap<&str, u64> =
            self.object.storages().map(|storage| (storage.key, storage.dtype.width())).collect();
        let keys = self.keys.list(self.keys.top()).ok_or_else(|| broken("its keys of storages are not a list"))?;
        let mut places = HashMap::new();
        let mut at = self.end as u64;
        for key in keys {
            let Value::Str(key) = *key else { return Err(broken("a storage's key is not a string")) };
            let width = *widths.get(key).ok_or_else(|| broken("it has a storage that the object does not mention"))?;
            let length =
                elements_at(&mut file, at)?.checked_mul(width).ok_or_else(|| broken("a storage is too long"))?;
            let begin = at + 8;
            at = begin.checked_add(length).filter(|&end| end <= file_length).ok_or_else(|| truncated(key))?;
            if places.insert(key.to_owned(), (begin, length)).is_some() {
                return Err(broken("a storage occurs twice"));
            }
            // Each key takes at least one byte of the pickle, and its position some more.
            if places.len() > limits.values {
                return Err(Error::new(ErrorKind::Limits, "file has too many storages"));
            }
        }
        match at == file_length {
            true => Ok(Stream { file, places }),
            false => Err(broken("something follows the last storage")),
        }
    }
}

/// The storages of a file.
pub(super) struct Stream<R> {
    file: R,
    /// Start and length in bytes.
    places: HashMap<String, (u64, u64)>,
}

impl<R: Read + Seek> StorageBytes for Stream<R> {
    fn storage(&mut self, key: &str, length: u64) -> Result<Vec<u8>> {
        let &(begin, found) = self.places.get(key).ok_or_else(|| broken(&format!("storage {key:?} is missing")))?;
        if found != length {
            return Err(broken(&format!("storage {key:?} has a wrong length"))
                .expected(format!("{length} bytes"))
                .found(found));
        }
        // The position is within the file, so no more memory is allocated than the file has bytes.
        let mut bytes = Vec::with_capacity(length as usize);
        let sought = self.file.seek(SeekFrom::Start(begin));
        let read = sought.and_then(|_| self.file.by_ref().take(length).read_to_end(&mut bytes));
        read.map_err(|e| Error::new(ErrorKind::Io, "file cannot be read").because(e))?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(truncated(key)) }
    }

    fn fingerprint(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}

/// Returns the length of the first pickle, which must be the magic number; some protocols have frames around it.
fn magic(head: &[u8]) -> Result<usize> {
    let frames = [2, 11];
    let end = frames.into_iter().find_map(|begin| {
        let end = begin + MAGIC.len();
        (head.get(begin..end)? == MAGIC).then_some(end)
    });
    end.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "the file is a pickle, but torch.save did not write it")
            .help("In Python, save `model.state_dict()` with torch.save.")
    })
}

/// Checks the third pickle's `little_endian`.
fn check_byte_order(machine: &Pickle) -> Result<()> {
    let facts = machine.dict(machine.top()).unwrap_or_default();
    let little = facts.iter().find(|(key, _)| *key == Value::Str("little_endian"));
    if little.is_none_or(|(_, value)| *value == Value::Bool(cfg!(target_endian = "little"))) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "weights are in another byte order"))
}

fn elements_at(file: &mut (impl Read + Seek), at: u64) -> Result<u64> {
    let mut bytes = [0; 8];
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(|e| broken("it ends before a storage").because(e))?;
    Ok(u64::from_le_bytes(bytes))
}

/// A pickle that seems truncated where reading stopped is a large one.
fn cut_by_limit(error: Error, head: &[u8], limits: &PthLimits) -> Error {
    if head.len() as u64 == limits.pickle_bytes && error.kind() == ErrorKind::Format {
        return Error::new(ErrorKind::Limits, "pickles are too large, or broken")
            .expected(format!("at most {} bytes", limits.pickle_bytes))
            .because(error);
    }
    error
}

fn truncated(key: &str) -> Error {
    broken(&format!("storage {key:?} reaches beyond its end"))
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::Format, format!("file is broken: {why}"))
}
