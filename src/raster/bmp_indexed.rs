//! Reads BMP of at most 8 bits per pixel: a palette and indices, optionally run-length encoded.
//!
//! The `image` crate returns colors instead of indices below 8 bits, and panics when asked for run-length encoded
//! indices.

use super::packed::unpacked;

/// The error is a description of what is wrong with the file.
type Result<T> = std::result::Result<T, String>;

/// Offsets of the fields in `BITMAPFILEHEADER` and `BITMAPINFOHEADER`.
mod at {
    pub const PIXELS: usize = 10;
    pub const INFO: usize = 14;
    pub const WIDTH: usize = 18;
    pub const HEIGHT: usize = 22;
    pub const BITS: usize = 28;
    pub const COMPRESSION: usize = 30;
    pub const COLORS: usize = 46;
}
/// The size of `BITMAPCOREHEADER`, which has 16-bit numbers.
const CORE: usize = 12;
/// The smallest size of the other headers.
const INFO: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    None,
    Runs,
}

#[derive(Debug)]
pub(super) struct Indexed {
    pub height: usize,
    pub width: usize,
    pub palette: Vec<[u8; 3]>,
    pub bits: usize,
    coding: Coding,
    is_downwards: bool,
    start: usize,
}

impl Indexed {
    /// Reads the header; `None` if the pixels are colors.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let field = |at, size| number(bytes, at, size).ok_or_else(short);
        let size = field(at::INFO, 4)?;
        let is_core = size == CORE;
        if !is_core && size < INFO {
            return Ok(None);
        }
        let bits = if is_core { field(24, 2)? } else { field(at::BITS, 2)? };
        if !matches!(bits, 1 | 2 | 4 | 8) {
            return Ok(None);
        }
        let coding = match (if is_core { 0 } else { field(at::COMPRESSION, 4)? }, bits) {
            (0, _) => Coding::None,
            (1, 8) | (2, 4) => Coding::Runs,
            (other, _) => return Err(format!("compression {other} of {bits} bits a pixel")),
        };
        let (width, height) =
            if is_core { (field(18, 2)?, field(20, 2)?) } else { (field(at::WIDTH, 4)?, field(at::HEIGHT, 4)?) };
        let (width, height) = (width as u32 as i32, height as u32 as i32);
        let is_downwards = height < 0;
        if width < 0 || (is_downwards && coding == Coding::Runs) {
            return Err(format!("{width} x {height} pixels"));
        }
        let used = if is_core { 0 } else { field(at::COLORS, 4)? };
        let colors = if used == 0 { 1 << bits } else { used.min(1 << bits) };
        let palette = palette(bytes, at::INFO + size, if is_core { 3 } else { 4 }, colors)?;
        let (width, height) = (width.unsigned_abs() as usize, height.unsigned_abs() as usize);
        Ok(Some(Self { height, width, palette, bits, coding, is_downwards, start: field(at::PIXELS, 4)? }))
    }

    /// Returns all indices, the top line first.
    pub fn indices(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let data = bytes.get(self.start..).ok_or_else(short)?;
        let mut lines = match self.coding {
            Coding::None => self.lines(data)?,
            Coding::Runs => self.runs(data)?,
        };
        if !self.is_downwards {
            let half = lines.len() / self.width / 2 * self.width;
            let (upper, lower) = lines.split_at_mut(half);
            for (a, b) in upper.chunks_exact_mut(self.width).zip(lower.rchunks_exact_mut(self.width)) {
                a.swap_with_slice(b);
            }
        }
        Ok(lines)
    }

    /// Decodes uncompressed lines, padded to whole words.
    fn lines(&self, data: &[u8]) -> Result<Vec<u8>> {
        let stride = (self.width * self.bits).div_ceil(32) * 4;
        // The last line may lack its padding.
        let needed = stride * (self.height - 1) + (self.width * self.bits).div_ceil(8);
        let lines = data.get(..needed).ok_or_else(short)?;
        Ok(lines.chunks(stride).flat_map(|line| unpacked(line, self.bits, self.width)).collect())
    }

    /// Decodes runs and literal pixels; skipped pixels have index 0.
    fn runs(&self, data: &[u8]) -> Result<Vec<u8>> {
        let mut canvas = Canvas { lines: vec![0; self.width * self.height], width: self.width, row: 0, column: 0 };
        let mut rest = data;
        loop {
            let Some(([count, value], after)) = rest.split_first_chunk::<2>() else {
                // Some writers omit the final end marker.
                return if canvas.is_full() { Ok(canvas.lines) } else { Err(short()) };
            };
            rest = after;
            match (count, value) {
                (0, 0) => canvas.move_by(1, None),
                (0, 1) => return Ok(canvas.lines),
                (0, 2) => {
                    let ([right, down], after) = rest.split_first_chunk::<2>().ok_or_else(short)?;
                    canvas.move_by((*down).into(), Some((*right).into()));
                    rest = after;
                }
                (0, literal) => {
                    let count = usize::from(*literal);
                    let used = (count * self.bits).div_ceil(8);
                    let line = rest.get(..used).ok_or_else(short)?;
                    canvas.put(&unpacked(line, self.bits, count));
                    // Padded to whole 16-bit words.
                    rest = rest.get(used.next_multiple_of(2)..).unwrap_or_default();
                }
                (count, value) => canvas.put(&unpacked(&[*value; 255], self.bits, usize::from(*count))),
            }
        }
    }
}

/// The image into which runs are decoded. Anything outside it is discarded.
struct Canvas {
    lines: Vec<u8>,
    width: usize,
    row: usize,
    column: usize,
}

impl Canvas {
    fn put(&mut self, indices: &[u8]) {
        let line = self.lines.chunks_exact_mut(self.width).nth(self.row).unwrap_or_default();
        let free = line.get_mut(self.column..).unwrap_or_default();
        free.iter_mut().zip(indices).for_each(|(to, index)| *to = *index);
        self.column += indices.len();
    }

    /// Moves to the beginning of a line, or to the right.
    fn move_by(&mut self, down: usize, right: Option<usize>) {
        self.row += down;
        self.column = right.map_or(0, |right| self.column + right);
    }

    fn is_full(&self) -> bool {
        let rows = self.lines.len() / self.width;
        self.row >= rows || (self.row + 1 == rows && self.column >= self.width)
    }
}

/// Reads entries of blue, green, red, and an unused byte.
fn palette(bytes: &[u8], start: usize, entry: usize, colors: usize) -> Result<Vec<[u8; 3]>> {
    let table = start.checked_add(entry * colors).and_then(|end| bytes.get(start..end)).ok_or_else(short)?;
    Ok(table.chunks_exact(entry).map(|bytes| [bytes[2], bytes[1], bytes[0]]).collect())
}

fn short() -> String {
    "a file that ends early".into()
}

/// Reads a little-endian number.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let field = bytes.get(at..at + size)?;
    Some(field.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}
