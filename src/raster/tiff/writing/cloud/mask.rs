//! Masks of blocks: one bit per pixel, set if it has data.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use ndarray::{Array2, ArrayView2, s};

use super::super::grid::Block;

/// Returns the compressed mask of a block of these rows; `None` if all of its pixels have data.
pub(super) fn packed(valid: ArrayView2<'_, bool>, block: &Block) -> io::Result<Option<Vec<u8>>> {
    let (height, width) = valid.dim();
    let (bottom, right) = ((block.top + block.height).min(height), (block.left + block.width).min(width));
    let part = valid.slice(s![block.top..bottom, block.left..right]);
    if part.iter().all(|&holds| holds) {
        return Ok(None);
    }
    let mut bytes = vec![0; block.height * block.width / 8];
    for (line, row) in bytes.chunks_exact_mut(block.width / 8).zip(part.rows()) {
        for (x, _) in row.iter().enumerate().filter(|(_, holds)| **holds) {
            line[x / 8] |= 0x80 >> (x % 8);
        }
    }
    deflated(&bytes).map(Some)
}

/// Returns the mask of a block without nodata.
pub(super) fn full(width: usize, height: usize) -> io::Result<Vec<u8>> {
    deflated(&vec![0xff; height * width / 8])
}

/// Copies the mask of a block into that of the surrounding pixels, at the block's position.
pub(super) fn unpack(bytes: &[u8], block: &Block, to: &mut Array2<bool>) -> io::Result<()> {
    let mut bits = vec![0; block.height * block.width / 8];
    ZlibDecoder::new(bytes).read_exact(&mut bits)?;
    let mut part = to.slice_mut(s![block.top.., block.left..]);
    for (line, row) in bits.chunks_exact(block.width / 8).zip(part.rows_mut()) {
        let places = row.into_iter().take(block.width).enumerate();
        places.for_each(|(x, holds)| *holds = line[x / 8] & (0x80 >> (x % 8)) != 0);
    }
    Ok(())
}

fn deflated(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(top: usize, left: usize) -> Block {
        Block { index: 0, bands: 0..1, top, left, height: 16, width: 32 }
    }

    #[test]
    fn masks_are_found_again_at_the_edges_too() {
        let valid = Array2::from_shape_fn((20, 70), |(y, x)| (y * 70 + x) % 3 != 0);
        let mut found = Array2::from_elem((20, 70), true);
        for (top, left) in [(0, 0), (0, 32), (0, 64), (16, 0), (16, 32), (16, 64)] {
            let bytes = packed(valid.view(), &block(top, left)).unwrap().unwrap();
            unpack(&bytes, &block(top, left), &mut found).unwrap();
        }
        assert_eq!(found, valid);
    }

    #[test]
    fn blocks_without_gaps_need_none() {
        let mut valid = Array2::from_elem((16, 64), true);
        valid[(3, 40)] = false;
        assert!(packed(valid.view(), &block(0, 0)).unwrap().is_none());
        assert!(packed(valid.view(), &block(0, 32)).unwrap().is_some());
        let mut found = Array2::from_elem((16, 32), false);
        unpack(&full(32, 16).unwrap(), &block(0, 0), &mut found).unwrap();
        assert!(found.iter().all(|&holds| holds));
    }
}
