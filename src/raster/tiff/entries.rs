//! The first directory of a TIFF, entry by entry: where each value lies, before any decoder looks at it.

use tiff_reader::TiffError;
use tiff_reader::source::TiffSource;

type Result<T> = std::result::Result<T, TiffError>;

const SHORT: u16 = 3;
const LONG: u16 = 4;

/// The first directory, and where in the file its parts stand.
pub(super) struct Directory {
    little_endian: bool,
    big: bool,
    entries: Vec<Entry>,
    /// Where the offset of the next directory stands.
    next: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    position: u64,
    tag: u16,
    kind: u16,
    count: u64,
}

impl Directory {
    pub fn read(source: &dyn TiffSource) -> Result<Self> {
        let head = source.read_exact_at(0, 8)?;
        let little_endian = head.starts_with(b"II");
        let big = number(&head[2..4], little_endian) == 43;
        let start = match big {
            true => number(&source.read_exact_at(8, 8)?, little_endian),
            false => number(&head[4..8], little_endian),
        };
        let count_size = if big { 8 } else { 2 };
        let count = number(&source.read_exact_at(start, count_size)?, little_endian);
        let size = if big { 20 } else { 12 };
        let first = start.saturating_add(count_size as u64);
        let length = count.checked_mul(size).and_then(|l| usize::try_from(l).ok()).unwrap_or(usize::MAX);
        let bytes = source.read_exact_at(first, length)?;
        let entry = |(index, bytes): (usize, &[u8])| Entry {
            position: first + index as u64 * size,
            tag: number(&bytes[..2], little_endian) as u16,
            kind: number(&bytes[2..4], little_endian) as u16,
            count: number(&bytes[4..if big { 12 } else { 8 }], little_endian),
        };
        let entries = bytes.chunks_exact(size as usize).enumerate().map(entry).collect();
        Ok(Self { little_endian, big, entries, next: first + length as u64 })
    }

    /// The first value of a tag of whole numbers.
    pub fn first_value(&self, source: &dyn TiffSource, tag: u16) -> Result<Option<u64>> {
        let Some(entry) = self.entries.iter().find(|entry| entry.tag == tag && entry.count > 0) else {
            return Ok(None);
        };
        let size = match entry.kind {
            SHORT => 2,
            LONG => 4,
            _ => return Ok(None),
        };
        let (field, room) = self.field();
        let value = entry.position + field;
        let position = match entry.count.saturating_mul(size) <= room {
            true => value,
            false => number(&source.read_exact_at(value, room as usize)?, self.little_endian),
        };
        Ok(Some(number(&source.read_exact_at(position, size as usize)?, self.little_endian)))
    }

    /// What would have to stand where in the file for a tag to hold one short value. Nothing where there is no tag.
    pub fn replacing(&self, tag: u16, value: u16) -> Option<(u64, Vec<u8>)> {
        let entry = self.entries.iter().find(|entry| entry.tag == tag)?;
        let (field, room) = self.field();
        let mut bytes = self.bytes(u64::from(SHORT), 2);
        bytes.extend(self.bytes(1, field as usize - 4));
        bytes.extend(self.bytes(u64::from(value), 2));
        bytes.resize(field as usize - 2 + room as usize, 0);
        Some((entry.position + 2, bytes))
    }

    /// What would have to stand where in the file for this directory to be the only one.
    pub fn ending(&self) -> (u64, Vec<u8>) {
        (self.next, vec![0; if self.big { 8 } else { 4 }])
    }

    /// Where the value stands within an entry, and how many bytes it has there.
    fn field(&self) -> (u64, u64) {
        if self.big { (12, 8) } else { (8, 4) }
    }

    fn bytes(&self, value: u64, size: usize) -> Vec<u8> {
        match self.little_endian {
            true => value.to_le_bytes()[..size].to_vec(),
            false => value.to_be_bytes()[8 - size..].to_vec(),
        }
    }
}

fn number(bytes: &[u8], little_endian: bool) -> u64 {
    let fold = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
    match little_endian {
        true => bytes.iter().rev().fold(0, fold),
        false => bytes.iter().fold(0, fold),
    }
}
