//! Images after the first one in a file: pages, which are not read, and a mask.

use tiff_reader::ByteOrder;
use tiff_reader::header::TiffHeader;
use tiff_reader::source::TiffSource;

const NEW_SUBFILE_TYPE: u64 = 254;
const REDUCED: u64 = 1;
const MASK: u64 = 4;
/// Largest number of directories to examine, since the chain may be a cycle.
const MOST: usize = 1000;
/// Largest number of entries in a plausible directory.
const MOST_ENTRIES: u64 = 4096;

/// The roles of the directories in a file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Pages {
    /// Number of images that are neither overviews nor masks.
    pub count: usize,
    /// Offset of the directory of the first mask at full resolution.
    pub mask: Option<u64>,
}

/// Examines the directories; the chain counts as far as it is readable.
pub(super) fn look(source: &dyn TiffSource, header: &TiffHeader) -> Pages {
    let mut next = Some(header.first_ifd_offset);
    let mut pages = Pages::default();
    for _ in 0..MOST {
        let Some(at) = next.filter(|next| *next > 0) else { break };
        let Some((kind, after)) = directory(source, header, at) else { break };
        match kind & (REDUCED | MASK) {
            0 => pages.count += 1,
            MASK => pages.mask = pages.mask.or(Some(at)),
            _ => {}
        }
        next = Some(after);
    }
    pages
}

/// Returns the role of the directory at this offset, and the offset of the next one.
fn directory(source: &dyn TiffSource, header: &TiffHeader, at: u64) -> Option<(u64, u64)> {
    let (count_bytes, entry_bytes, offset_bytes) = if header.is_bigtiff() { (8, 20, 8) } else { (2, 12, 4) };
    let number = |bytes: &[u8]| number(bytes, header.byte_order);
    let entries = number(&source.read_exact_at(at, count_bytes).ok()?);
    let length = usize::try_from(entries)
        .ok()
        .filter(|_| entries <= MOST_ENTRIES)?
        .checked_mul(entry_bytes)?
        .checked_add(offset_bytes)?;
    let bytes = source.read_exact_at(at.checked_add(count_bytes as u64)?, length).ok()?;
    let (entries, next) = bytes.split_at(length - offset_bytes);
    let kind = entries.chunks_exact(entry_bytes).find(|entry| number(&entry[..2]) == NEW_SUBFILE_TYPE);
    let kind = kind.map_or(0, |entry| number(&entry[entry_bytes - offset_bytes..][..4]));
    Some((kind, number(next)))
}

fn number(bytes: &[u8], order: ByteOrder) -> u64 {
    let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    match order {
        ByteOrder::LittleEndian => bytes.iter().rev().fold(0, fold),
        ByteOrder::BigEndian => bytes.iter().fold(0, fold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiff_reader::source::BytesSource;

    /// Directories of one entry each: the role of the image.
    fn chain(kinds: &[u32], last: u32) -> BytesSource {
        let mut bytes = [&b"II*\0"[..], &8u32.to_le_bytes()].concat();
        for (index, kind) in kinds.iter().enumerate() {
            let next = if index + 1 < kinds.len() { 8 + 18 * (index as u32 + 1) } else { last };
            let entry = [&1u16.to_le_bytes()[..], &254u16.to_le_bytes(), &4u16.to_le_bytes(), &1u32.to_le_bytes()];
            bytes.extend([&entry.concat()[..], &kind.to_le_bytes(), &next.to_le_bytes()].concat());
        }
        BytesSource::new(bytes)
    }

    fn pages(source: &BytesSource) -> Pages {
        look(source, &TiffHeader::parse(&source.read_exact_at(0, 8).unwrap()).unwrap())
    }

    #[test]
    fn overviews_and_masks_are_no_pages() {
        assert_eq!(pages(&chain(&[0, 1, 5, 4, 4], 0)), Pages { count: 1, mask: Some(8 + 3 * 18) });
        assert_eq!(pages(&chain(&[2, 2, 2, 1], 0)), Pages { count: 3, mask: None });
    }

    #[test]
    fn a_chain_that_is_damaged_or_a_ring_ends() {
        assert_eq!(pages(&chain(&[0, 0], 1_000_000)).count, 2);
        assert!(pages(&chain(&[0, 0], 8)).count <= MOST);
    }
}
