//! Writes the final file: directories first, then blocks, starting with the smallest overview.

use std::io::Write;
use std::path::Path;

use tiff_core::{
    Compression, PhotometricInterpretation, SampleFormat, TAG_BITS_PER_SAMPLE, TAG_COMPRESSION, TAG_IMAGE_LENGTH,
    TAG_IMAGE_WIDTH, TAG_NEW_SUBFILE_TYPE, TAG_PHOTOMETRIC_INTERPRETATION, TAG_PLANAR_CONFIGURATION, TAG_SAMPLE_FORMAT,
    TAG_SAMPLES_PER_PIXEL, TAG_TILE_BYTE_COUNTS, TAG_TILE_LENGTH, TAG_TILE_OFFSETS, TAG_TILE_WIDTH,
};
use tiff_reader::{Tag, TagValue};

use super::super::fault::fault;
use super::super::spec::BigTiff;
use super::super::tags;
use super::header::{self, Directory, Form};
use super::level::{Kept, Level, is_one_plane};
use super::mask;
use crate::error::Result;
use crate::store::{Pending, Scratch};

/// Bits of the tag that describes an image's role in the file.
const REDUCED: u32 = 1;
const MASK: u32 = 4;
/// Location of the mask of a block without nodata: none.
const FULL: u64 = u64::MAX;
/// Number of bytes before a block, which contain its length, and after it.
const LEADER: u64 = 4;

/// An image in the file: samples or mask of a level.
#[derive(Clone, Copy)]
struct Part<'a> {
    level: &'a Level,
    is_overview: bool,
    is_mask: bool,
}

/// A block, in file order.
struct Piece {
    part: usize,
    index: usize,
    kept: Kept,
}

/// Writes the levels, largest first, whose blocks are in `scratch`, and renames the file to its final name.
pub(super) fn write(levels: &[Level], scratch: &mut Scratch, path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| fault(path, error.into());
    let has_masks = levels[0].has_masks();
    let parts = parts(levels, has_masks);
    // GDAL may locate the next block by the length of the previous one, which works if a block contains all bands.
    let is_promised = is_one_plane(&levels[0].spec);
    let promises = if is_promised { header::promises(has_masks) } else { String::new() };
    let grid = levels[0].grid;
    let full_mask = mask::full(grid.block_width, grid.block_height).map_err(failed)?;
    let pieces = pieces(&parts, is_promised, full_mask.len() as u32);
    let header = header(&parts, &pieces, &promises, path)?;
    let mut file = Pending::create(path)?;
    file.write_all(&header).map_err(failed)?;
    for Piece { kept, .. } in &pieces {
        let bytes = match kept.start {
            FULL => Ok(full_mask.clone()),
            start => scratch.read(start, kept.length as usize),
        };
        bytes.and_then(|bytes| put(&mut file, &bytes, is_promised)).map_err(failed)?;
    }
    file.finish()?.publish()
}

/// Returns the images in the order of their directories: GDAL puts masks of overviews after all overviews.
fn parts(levels: &[Level], has_masks: bool) -> Vec<Part<'_>> {
    let of = |index: usize, is_mask| Part { level: &levels[index], is_overview: index > 0, is_mask };
    let (first, overviews) = (0..1, 1..levels.len());
    let runs = [(first.clone(), false), (first, true), (overviews.clone(), false), (overviews, true)];
    let wanted = runs.into_iter().filter(|(_, is_mask)| has_masks || !is_mask);
    wanted.flat_map(|(run, is_mask)| run.map(move |index| of(index, is_mask))).collect()
}

/// Returns all blocks in file order.
fn pieces(parts: &[Part<'_>], is_promised: bool, full_mask: u32) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut images: Vec<usize> = (0..parts.len()).filter(|index| !parts[*index].is_mask).collect();
    images.reverse();
    for image in images {
        let level = parts[image].level;
        let mask = parts.iter().position(|part| part.is_mask && std::ptr::eq(part.level, level));
        let of_mask = |index: usize| {
            let kept = level.masks[index];
            let kept = if kept.length > 0 { kept } else { Kept { start: FULL, length: full_mask } };
            mask.map(|part| Piece { part, index, kept })
        };
        for (index, kept) in level.blocks.iter().enumerate() {
            pieces.push(Piece { part: image, index, kept: *kept });
            if is_promised {
                pieces.extend(of_mask(index));
            }
        }
        if !is_promised {
            pieces.extend((0..level.masks.len()).filter_map(of_mask));
        }
    }
    pieces
}

/// Returns the bytes before the blocks, with the offsets of all blocks.
fn header(parts: &[Part<'_>], pieces: &[Piece], promises: &str, path: &Path) -> Result<Vec<u8>> {
    let mut directories = parts.iter().map(|part| part.directory(path)).collect::<Result<Vec<_>>>()?;
    let around = if promises.is_empty() { 0 } else { LEADER };
    let blocks: u64 = pieces.iter().map(|piece| 2 * around + u64::from(piece.kept.length)).sum();
    let classic = header::bytes(&directories, Form::Classic, promises);
    let form = match parts[0].level.spec.big_tiff {
        BigTiff::Auto => Form::of_length(classic.len() as u64 + blocks),
        BigTiff::Always => Form::Big,
    };
    let mut start = header::bytes(&directories, form, promises).len() as u64;
    for Piece { part, index, kept } in pieces {
        start += around;
        directories[*part].blocks[*index] = (start, kept.length);
        start += u64::from(kept.length) + around;
    }
    Ok(header::bytes(&directories, form, promises))
}

fn put(file: &mut Pending, bytes: &[u8], is_promised: bool) -> std::io::Result<()> {
    if !is_promised {
        return file.write_all(bytes);
    }
    file.write_all(&(bytes.len() as u32).to_le_bytes())?;
    file.write_all(bytes)?;
    file.write_all(&bytes[bytes.len().saturating_sub(LEADER as usize)..])
}

impl Part<'_> {
    fn directory(&self, path: &Path) -> Result<Directory> {
        let count = if self.is_mask { self.level.masks.len() } else { self.level.blocks.len() };
        let tags = if self.is_mask { self.mask_tags() } else { self.image_tags(path)? };
        Ok(Directory { tags, blocks: vec![(0, 0); count] })
    }

    fn image_tags(&self, path: &Path) -> Result<Vec<Tag>> {
        let Level { spec, grid, .. } = self.level;
        let of = if self.is_overview { tags::overview } else { tags::image };
        let mut tags = of(spec, grid, path)?.checked_build_tags(false).map_err(|error| fault(path, error))?;
        // Created once all offsets are known.
        tags.retain(|tag| ![TAG_TILE_OFFSETS, TAG_TILE_BYTE_COUNTS].contains(&tag.code));
        Ok(tags)
    }

    fn mask_tags(&self) -> Vec<Tag> {
        let (_, height, width) = self.level.spec.shape();
        let grid = &self.level.grid;
        let short = |code, value| Tag::new(code, TagValue::Short(vec![value]));
        let long = |code, value| Tag::new(code, TagValue::Long(vec![value]));
        vec![
            long(TAG_NEW_SUBFILE_TYPE, if self.is_overview { MASK | REDUCED } else { MASK }),
            long(TAG_IMAGE_WIDTH, width as u32),
            long(TAG_IMAGE_LENGTH, height as u32),
            short(TAG_BITS_PER_SAMPLE, 1),
            short(TAG_COMPRESSION, Compression::Deflate.to_code()),
            short(TAG_PHOTOMETRIC_INTERPRETATION, PhotometricInterpretation::Mask.to_code()),
            short(TAG_SAMPLES_PER_PIXEL, 1),
            short(TAG_PLANAR_CONFIGURATION, 1),
            long(TAG_TILE_WIDTH, grid.block_width as u32),
            long(TAG_TILE_LENGTH, grid.block_height as u32),
            short(TAG_SAMPLE_FORMAT, SampleFormat::Uint.to_code()),
        ]
    }
}
