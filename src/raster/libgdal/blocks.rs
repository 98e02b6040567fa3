//! The order in which a window is read, so that what GDAL decodes for one band is reused for the others.

use std::ops::Range;

/// A rectangle of pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

/// Divides a window at block boundaries (height, width) into pieces of whole blocks with at most this many pixels, or
/// of a single block if it has more.
///
/// If a large window were read band by band, the blocks of one band would be evicted from GDAL's cache before the next
/// band is read, and each would be decoded again.
pub(super) fn pieces(part: &Part, block: (usize, usize), most_pixels: usize) -> Vec<Part> {
    let (block_height, block_width) = (block.0.max(1), block.1.max(1));
    let across = cuts(&part.columns, block_width, most_pixels / block_height);
    let widest = across.iter().map(Range::len).max().unwrap_or(1).max(1);
    let down = cuts(&part.rows, block_height, most_pixels / widest);
    let piece = |rows: &Range<usize>, columns: &Range<usize>| Part { rows: rows.clone(), columns: columns.clone() };
    down.iter().flat_map(|rows| across.iter().map(move |columns| piece(rows, columns))).collect()
}

/// Divides a range at multiples of `block`, into pieces of at most `most`, or of one block.
fn cuts(range: &Range<usize>, block: usize, most: usize) -> Vec<Range<usize>> {
    let step = (most / block).max(1).saturating_mul(block);
    let mut pieces = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let end = (start / block * block).saturating_add(step).min(range.end);
        pieces.push(start..end);
        start = end;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pieces_end_where_blocks_do() {
        assert_eq!(cuts(&(5..40), 16, 40), [5..32, 32..40]);
        assert_eq!(cuts(&(5..40), 16, 3), [5..16, 16..32, 32..40]);
        assert_eq!(cuts(&(5..40), 100, 1000), vec![5..40]);
        let whole = Part { rows: 0..100, columns: 0..80 };
        // If rows of the image are blocks: as many as fit.
        assert_eq!(pieces(&whole, (1, 80), 800).len(), 10);
        assert_eq!(pieces(&whole, (50, 40), 2000).len(), 4);
    }

    proptest! {
        #[test]
        fn each_pixel_is_read_once(
            (row, column) in (0usize..50, 0usize..50),
            (height, width) in (1usize..60, 1usize..60),
            block in (1usize..40, 1usize..40),
            most in 0usize..3000,
        ) {
            let part = Part { rows: row..row + height, columns: column..column + width };
            let mut seen = vec![0; 120 * 120];
            for piece in pieces(&part, block, most) {
                let pixels = piece.rows.len() * piece.columns.len();
                prop_assert!(pixels <= most.max(block.0 * block.1));
                for at in piece.rows.flat_map(|y| piece.columns.clone().map(move |x| y * 120 + x)) {
                    seen[at] += 1;
                }
            }
            let within = |at: &usize| part.rows.contains(&(at / 120)) && part.columns.contains(&(at % 120));
            prop_assert!((0..120 * 120).all(|at| seen[at] == usize::from(within(&at))));
        }
    }
}
