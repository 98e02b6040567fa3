//! The bytes before the blocks: header, a description of the block order for GDAL, and the directories of all images.

use tiff_core::{ByteOrder, TAG_TILE_BYTE_COUNTS, TAG_TILE_OFFSETS};
use tiff_reader::{Tag, TagValue};

const ORDER: ByteOrder = ByteOrder::LittleEndian;
/// The guarantees that GDAL relies on if it finds them (worded as in the documentation of its COG driver); a later
/// editor of the file changes the last line to `YES`.
const PROMISES: &str = "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n\
    BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n ";
const MASKS_TOO: &str = "MASK_INTERLEAVED_WITH_IMAGERY=YES\n";

/// An image as described in the file.
pub(super) struct Directory {
    /// Sorted by code, without the lists of blocks.
    pub tags: Vec<Tag>,
    /// The offset and length of each block.
    pub blocks: Vec<(u64, u32)>,
}

/// Whether offsets have 32 bits or 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Classic,
    Big,
}

impl Form {
    /// The shortest that can point to all of a file of this length.
    pub fn of_length(length: u64) -> Self {
        if length <= u64::from(u32::MAX) { Self::Classic } else { Self::Big }
    }

    /// Bytes per offset, which is also the space for a value in an entry.
    fn offset(self) -> usize {
        match self {
            Self::Classic => 4,
            Self::Big => 8,
        }
    }

    /// Writes a number as wide as an offset.
    fn put(self, to: &mut Vec<u8>, number: usize) {
        match self {
            Self::Classic => to.extend((number as u32).to_le_bytes()),
            Self::Big => to.extend((number as u64).to_le_bytes()),
        }
    }

    /// Bytes of a directory, without the values that do not fit into its entries.
    fn directory(self, entries: usize) -> usize {
        match self {
            Self::Classic => 2 + 12 * entries + 4,
            Self::Big => 8 + 20 * entries + 8,
        }
    }

    fn offsets(self, blocks: &[(u64, u32)]) -> TagValue {
        let starts = blocks.iter().map(|(start, _)| *start);
        match self {
            Self::Classic => TagValue::Long(starts.map(|start| start as u32).collect()),
            Self::Big => TagValue::Long8(starts.collect()),
        }
    }
}

/// Text after the header that guarantees the order of blocks to GDAL.
pub(super) fn promises(has_masks: bool) -> String {
    let text = format!("{PROMISES}{}", if has_masks { MASKS_TOO } else { "" });
    format!("GDAL_STRUCTURAL_METADATA_SIZE={:06} bytes\n{text}", text.len())
}

/// Returns all bytes before the blocks; their number does not depend on the offsets of blocks.
///
/// Lists of blocks come after all directories, so that a reader gets the directories at once, however large the image
/// is.
pub(super) fn bytes(directories: &[Directory], form: Form, promises: &str) -> Vec<u8> {
    let tags: Vec<Vec<Tag>> = directories.iter().map(|directory| directory.all_tags(form)).collect();
    let mut header = match form {
        Form::Classic => b"II*\0".to_vec(),
        Form::Big => b"II+\0\x08\0\0\0".to_vec(),
    };
    let first = (header.len() + form.offset() + promises.len()).next_multiple_of(2);
    form.put(&mut header, first);
    header.extend_from_slice(promises.as_bytes());
    header.resize(first, 0);
    let lengths: Vec<usize> = tags.iter().map(|tags| length(tags, form)).collect();
    let mut lists = Lists { start: first + lengths.iter().sum::<usize>(), bytes: Vec::new() };
    for (index, (tags, length)) in tags.iter().zip(lengths).enumerate() {
        let next = if index + 1 < directories.len() { header.len() + length } else { 0 };
        put_directory(&mut header, tags, next, form, &mut lists);
    }
    header.append(&mut lists.bytes);
    header
}

/// Values after the directories.
struct Lists {
    start: usize,
    bytes: Vec<u8>,
}

impl Directory {
    fn all_tags(&self, form: Form) -> Vec<Tag> {
        let counts = self.blocks.iter().map(|(_, length)| *length).collect();
        let lists = [
            Tag::new(TAG_TILE_OFFSETS, form.offsets(&self.blocks)),
            Tag::new(TAG_TILE_BYTE_COUNTS, TagValue::Long(counts)),
        ];
        let mut tags: Vec<Tag> = self.tags.iter().cloned().chain(lists).collect();
        tags.sort_by_key(|tag| tag.code);
        tags
    }
}

fn is_list(tag: &Tag) -> bool {
    matches!(tag.code, TAG_TILE_OFFSETS | TAG_TILE_BYTE_COUNTS)
}

/// Bytes of a directory with its values, except for lists.
fn length(tags: &[Tag], form: Form) -> usize {
    let lengths = tags.iter().filter(|tag| !is_list(tag)).map(|tag| tag.value.encoded_len());
    let apart = lengths.filter(|length| *length > form.offset()).map(|length| length.next_multiple_of(2));
    form.directory(tags.len()) + apart.sum::<usize>()
}

fn put_directory(to: &mut Vec<u8>, tags: &[Tag], next: usize, form: Form, lists: &mut Lists) {
    let mut apart = Lists { start: to.len() + form.directory(tags.len()), bytes: Vec::new() };
    match form {
        Form::Classic => to.extend((tags.len() as u16).to_le_bytes()),
        Form::Big => to.extend((tags.len() as u64).to_le_bytes()),
    }
    for tag in tags {
        to.extend(tag.code.to_le_bytes());
        to.extend(tag.tag_type.to_code().to_le_bytes());
        form.put(to, tag.count as usize);
        put_value(to, tag.value.encode(ORDER), form, if is_list(tag) { &mut *lists } else { &mut apart });
    }
    form.put(to, next);
    to.append(&mut apart.bytes);
}

/// Writes a value into its entry, or into free space with its offset in the entry.
fn put_value(entry: &mut Vec<u8>, mut value: Vec<u8>, form: Form, room: &mut Lists) {
    if value.len() <= form.offset() {
        value.resize(form.offset(), 0);
        entry.append(&mut value);
        return;
    }
    form.put(entry, room.start + room.bytes.len());
    // Values begin at even offsets.
    value.resize(value.len().next_multiple_of(2), 0);
    room.bytes.append(&mut value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_beyond_four_gigabytes_have_wide_offsets() {
        assert_eq!(Form::of_length((1 << 32) - 1), Form::Classic);
        assert_eq!(Form::of_length(1 << 32), Form::Big);
    }

    #[test]
    fn promises_are_as_long_as_they_say() {
        for (has_masks, length) in [(false, "000140"), (true, "000174")] {
            let text = promises(has_masks);
            assert!(text.starts_with(&format!("GDAL_STRUCTURAL_METADATA_SIZE={length} bytes\n")), "{text}");
        }
    }

    #[test]
    fn the_length_does_not_depend_on_where_blocks_begin() {
        let directory = |start| Directory {
            tags: vec![Tag::new(256, TagValue::Short(vec![7])), Tag::new(42113, TagValue::Ascii("-9999".into()))],
            blocks: vec![(start, 5), (start + 5, 6), (start + 11, 7)],
        };
        for form in [Form::Classic, Form::Big] {
            let of = |start| bytes(&[directory(start), directory(start + 100)], form, "odd");
            assert_eq!(of(0).len(), of(5_000_000).len());
            assert_eq!(of(0).len() % 2, 0);
        }
    }
}
