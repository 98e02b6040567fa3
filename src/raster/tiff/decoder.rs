//! Reads strips and tiles, row by row, into the samples of a part of the image.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use tiff_reader::Ifd;
use tiff_reader::source::TiffSource;

use super::blocks::{Block, Blocks, Size};
use super::codec::Codec;
use super::fault::Fault;
use super::input::Input;
use super::kept::Kept;
use super::layout::Layout;
use super::samples::Format;
use crate::raster::Samples;

const LOWEST_BIT_FIRST: u16 = 2;

/// Everything needed to read an image.
pub(super) struct Decoder {
    blocks: Blocks,
    codec: Codec,
    format: Format,
    is_reversed: bool,
    /// The sample that fills a missing block.
    filler: Vec<u8>,
    kept: Kept,
}

/// Rows and columns of the image.
pub(super) struct Part {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl Part {
    /// The rows that a block contributes to it.
    fn rows_of(&self, block: &Block) -> Range<usize> {
        self.rows.start.max(block.rows.start)..self.rows.end.min(block.rows.end)
    }

    /// Returns whether a block also has pixels outside it.
    fn cuts(&self, block: &Block) -> bool {
        let is_within =
            |inner: &Range<usize>, outer: &Range<usize>| outer.start <= inner.start && inner.end <= outer.end;
        !is_within(&block.rows, &self.rows) || !is_within(&block.columns, &self.columns)
    }
}

impl Decoder {
    pub fn of(
        ifd: &Ifd,
        layout: &Layout,
        photometric: u64,
        nodata: Option<f64>,
        source: &dyn TiffSource,
    ) -> Result<Self, Fault> {
        let codec = Codec::of(ifd, layout, photometric)?;
        Ok(Self {
            blocks: Blocks::of(ifd, layout, source.len())?,
            is_reversed: ifd.fill_order() == LOWEST_BIT_FIRST && codec.is_reversible(),
            codec,
            format: layout.format,
            filler: layout.format.filler(nodata),
            kept: Kept::default(),
        })
    }

    /// Returns the memory for decoding a block, as a multiple of its size, besides the resulting samples.
    pub fn copies(&self) -> u64 {
        if self.codec.is_stream() { 0 } else { 2 }
    }

    /// Fills `to`, which has the size of the part; blocks are cached for the next part within `spare` bytes.
    pub fn read(&self, source: &dyn TiffSource, part: &Part, spare: usize, to: &mut Samples) -> Result<(), Fault> {
        self.blocks.check()?;
        for block in self.blocks.within(part.rows.clone(), part.columns.clone()) {
            if block.is_sparse() {
                self.fill(&block, part, to);
            } else if let Some(samples) = self.kept.get(block.index) {
                self.put_block(&block, &samples, part, to);
            } else if part.cuts(&block) && self.is_worth_keeping(&block, spare) {
                let samples = Arc::new(self.decoded(source, &block)?);
                self.put_block(&block, &samples, part, to);
                self.kept.keep(block.index, samples);
            } else {
                let rows = part.rows_of(&block);
                self.each_row(source, &block, rows, |y, samples| self.put(&block, y, samples, part, to))?;
            }
        }
        Ok(())
    }

    /// Uncompressed rows can be located without decoding the previous ones.
    fn is_worth_keeping(&self, block: &Block, spare: usize) -> bool {
        let bytes = self.row_samples() * self.format.dtype.bytes() * block.rows.len();
        bytes <= spare && (!matches!(self.codec, Codec::Plain) || bytes <= Kept::BYTES)
    }

    /// Returns the rows of a block within the image, as samples.
    fn decoded(&self, source: &dyn TiffSource, block: &Block) -> Result<Vec<u8>, Fault> {
        let row_bytes = self.row_samples() * self.format.dtype.bytes();
        let mut samples = Vec::with_capacity(row_bytes * block.rows.len());
        self.each_row(source, block, block.rows.clone(), |_, row| {
            samples.extend_from_slice(row.get(..row_bytes).unwrap_or(row));
        })?;
        Ok(samples)
    }

    fn row_samples(&self) -> usize {
        self.blocks.stored_columns() * self.blocks.bands
    }

    /// Decodes a block as far as needed and passes on these rows of it, each with the samples of all its columns.
    fn each_row(
        &self,
        source: &dyn TiffSource,
        block: &Block,
        rows: Range<usize>,
        mut give: impl FnMut(usize, &[u8]),
    ) -> Result<(), Fault> {
        let row_bytes = self.format.row_bytes(self.row_samples()).ok_or_else(|| Fault::format("rows without end"))?;
        let mut skipped = rows.start - block.rows.start;
        let input = self.input(source, block, row_bytes, &mut skipped)?;
        let size = Size {
            columns: self.blocks.stored_columns(),
            rows: block.stored_rows,
            most_rows: block.full_rows,
            bands: self.blocks.bands,
        };
        let mut bytes = self.codec.open(input, size)?;
        let (mut row, mut made) = (vec![0; row_bytes], Vec::new());
        for y in rows.start - skipped..rows.end {
            let read = read_fully(&mut bytes, &mut row)?;
            if read < row_bytes {
                return Err(too_short(block, (y - block.rows.start) * row_bytes + read, row_bytes));
            }
            if y >= rows.start {
                give(y, self.format.unpack(&mut row, self.blocks.bands, &mut made)?);
            }
        }
        if rows.end == block.rows.end {
            self.finish(bytes, block, row_bytes)?;
        }
        Ok(())
    }

    /// Returns the stored bytes of a block, starting at the first requested row if its position is known.
    fn input<'a>(
        &self,
        source: &'a dyn TiffSource,
        block: &Block,
        row_bytes: usize,
        skipped: &mut usize,
    ) -> Result<Input<'a>, Fault> {
        let end = block.offset.saturating_add(block.count);
        if block.offset == 0 {
            return Err(Fault::format(format!("strip or tile {} at byte 0, where the header is", block.index)));
        }
        if let Codec::Plain = self.codec {
            // The size specified in the file does not apply here, as in libtiff.
            let start = block.offset.saturating_add((*skipped * row_bytes) as u64);
            let length = (block.stored_rows - *skipped) * row_bytes;
            *skipped = 0;
            return Ok(Input::new(source, start, length as u64, self.is_reversed));
        }
        if end > source.len() {
            let (index, length) = (block.index, source.len());
            return Err(Fault::format(format!("strip or tile {index} up to byte {end} of a file of {length}")));
        }
        // No compression has a higher ratio, so anything beyond is something else.
        let most = (row_bytes * block.full_rows) as u64 * 16 + (64 << 10);
        let count = if self.codec.is_stream() { block.count } else { block.count.min(most) };
        Ok(Input::new(source, block.offset, count, self.is_reversed))
    }

    /// Reads the part of a tile below the image, and the checksum after it.
    fn finish(&self, mut bytes: Box<dyn Read + '_>, block: &Block, row_bytes: usize) -> Result<(), Fault> {
        let rest = (block.stored_rows - block.rows.len()) * row_bytes;
        let read = io::copy(&mut bytes.by_ref().take(rest as u64), &mut io::sink())?;
        if read < rest as u64 {
            return Err(too_short(block, block.rows.len() * row_bytes + read as usize, row_bytes));
        }
        if self.codec.has_end() {
            read_fully(&mut bytes, &mut [0])?;
        }
        Ok(())
    }

    fn put_block(&self, block: &Block, samples: &[u8], part: &Part, to: &mut Samples) {
        let row_bytes = self.row_samples() * self.format.dtype.bytes();
        let rows = part.rows_of(block);
        let stored = samples.chunks_exact(row_bytes).skip(rows.start - block.rows.start);
        stored.zip(rows).for_each(|(row, y)| self.put(block, y, row, part, to));
    }

    fn fill(&self, block: &Block, part: &Part, to: &mut Samples) {
        let row = self.filler.repeat(self.row_samples());
        part.rows_of(block).for_each(|y| self.put(block, y, &row, part, to));
    }

    /// Copies the overlap of a part with a row of a block.
    fn put(&self, block: &Block, y: usize, row: &[u8], part: &Part, to: &mut Samples) {
        let columns = block.columns.start.max(part.columns.start)..block.columns.end.min(part.columns.end);
        let pixel = self.blocks.bands * self.format.dtype.bytes();
        let within = (columns.start - block.columns.start) * pixel..(columns.end - block.columns.start) * pixel;
        let corner = (y - part.rows.start, columns.start - part.columns.start);
        let bands = block.band..block.band + self.blocks.bands;
        to.put_pixels(corner, bands, row.get(within).unwrap_or_default());
    }
}

fn read_fully(bytes: &mut dyn Read, to: &mut [u8]) -> Result<usize, Fault> {
    let mut read = 0;
    while read < to.len() {
        match bytes.read(&mut to[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(read)
}

fn too_short(block: &Block, found: usize, row_bytes: usize) -> Fault {
    let wanted = row_bytes * block.stored_rows;
    Fault::format(format!("strip or tile {} of {found} bytes instead of {wanted}", block.index))
}
