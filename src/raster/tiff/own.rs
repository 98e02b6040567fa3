//! Reading strips and tiles without the decoder: those of a compression of ours, and those that are not there.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use tiff_reader::source::TiffSource;
use tiff_reader::{ByteOrder, Ifd, filters};

use super::blocks::{Block, Blocks};
use super::codec::Codec;
use super::fault::Fault;
use super::layout::Layout;
use crate::raster::Dtype;

const LOWEST_BIT_FIRST: u16 = 2;

/// What the decoder does not do for an image.
pub(super) struct Own {
    blocks: Blocks,
    codec: Option<Codec>,
    samples: Stored,
    bands: usize,
    /// What stands in a block that is not there: one sample in the machine's byte order.
    filler: Vec<u8>,
    /// The block that was decoded last: where it is all of an image, parts of it are asked for again and again.
    last: Mutex<Option<(usize, Arc<Vec<u8>>)>>,
}

/// How samples lie in a block.
struct Stored {
    bits: usize,
    /// Bytes of a sample once it is unpacked.
    bytes: usize,
    predictor: u16,
    order: ByteOrder,
    is_reversed: bool,
}

/// Rows and columns of the image, and the samples of it: pixel-interleaved, in the machine's byte order.
pub(super) struct Part<'a> {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub bytes: &'a mut [u8],
}

impl Own {
    /// Nothing where the decoder does all.
    pub fn of(
        ifd: &Ifd,
        order: ByteOrder,
        layout: &Layout,
        photometric: u64,
        nodata: Option<f64>,
    ) -> Result<Option<Self>, Fault> {
        let (blocks, codec) = (Blocks::of(ifd, layout), Codec::of(ifd, photometric));
        let filler = filler(layout, nodata);
        if codec.is_none() && !(blocks.has_sparse() && filler.iter().any(|byte| *byte != 0)) {
            return Ok(None);
        }
        if !blocks.is_complete() {
            return Err(Fault::format("strips or tiles without offset or size"));
        }
        let raster = ifd.raster_layout()?;
        let bits = usize::from(raster.bits_per_sample);
        match codec {
            Some(Codec::Fax(_)) if (bits, layout.block_bands) != (1, 1) => {
                return Err(Fault::unsupported("a fax with more than one bit a pixel"));
            }
            Some(Codec::Jpeg { .. }) if bits != 8 => {
                return Err(Fault::unsupported(format!("JPEG with {bits} bits a sample")));
            }
            _ => {}
        }
        let is_reversed = ifd.fill_order() == LOWEST_BIT_FIRST && codec.as_ref().is_some_and(Codec::is_reversible);
        let samples = Stored { bits, bytes: raster.bytes_per_sample, predictor: raster.predictor, order, is_reversed };
        Ok(Some(Self { blocks, codec, samples, bands: layout.bands, filler, last: Mutex::default() }))
    }

    /// Whether no block is left to the decoder.
    pub fn reads_all(&self) -> bool {
        self.codec.is_some()
    }

    /// Fills in what the decoder has not read.
    pub fn fill(&self, source: &dyn TiffSource, part: &mut Part<'_>) -> Result<(), Fault> {
        for block in self.blocks.within(part.rows.clone(), part.columns.clone()) {
            match &self.codec {
                _ if block.is_sparse() => self.fill_empty(&block, part),
                Some(codec) => {
                    let samples = self.decoded(codec, source, &block)?;
                    self.put(&block, &samples, part);
                }
                None => {}
            }
        }
        Ok(())
    }

    fn decoded(&self, codec: &Codec, source: &dyn TiffSource, block: &Block) -> Result<Arc<Vec<u8>>, Fault> {
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((index, samples)) = &*last()
            && *index == block.index
        {
            return Ok(samples.clone());
        }
        let samples = Arc::new(self.decode(codec, source, block)?);
        *last() = Some((block.index, samples.clone()));
        Ok(samples)
    }

    fn decode(&self, codec: &Codec, source: &dyn TiffSource, block: &Block) -> Result<Vec<u8>, Fault> {
        let row_samples = self.blocks.stored_columns() * self.blocks.bands;
        let row_bytes = (row_samples * self.samples.bits).div_ceil(8);
        let wanted = row_bytes * block.stored_rows;
        let length = usize::try_from(block.count).ok().filter(|length| *length / 16 <= wanted + 4096);
        let length = length.ok_or_else(|| Fault::format(format!("block {} of {} bytes", block.index, block.count)))?;
        let mut bytes = source.read_exact_at(block.offset, length)?;
        if self.samples.is_reversed {
            bytes.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        let size = (self.blocks.stored_columns(), block.stored_rows, self.blocks.bands);
        let mut decoded = codec.decode(&bytes, size, wanted)?;
        decoded.truncate(wanted);
        self.samples.unpack(decoded, row_bytes, row_samples, self.blocks.bands)
    }

    fn put(&self, block: &Block, samples: &[u8], part: &mut Part<'_>) {
        let (bytes, bands) = (self.samples.bytes, self.blocks.bands);
        let stride = self.blocks.stored_columns() * bands * bytes;
        self.each_line(block, part, |y, columns, to| {
            let start = (y - block.rows.start) * stride + (columns.start - block.columns.start) * bands * bytes;
            let from = samples.get(start..start + columns.len() * bands * bytes).unwrap_or_default();
            to.zip(from.chunks_exact(bands * bytes)).for_each(|(to, from)| to.copy_from_slice(from));
        });
    }

    fn fill_empty(&self, block: &Block, part: &mut Part<'_>) {
        let filler = self.filler.repeat(self.blocks.bands);
        self.each_line(block, part, |_, _, to| to.for_each(|to| to.copy_from_slice(&filler)));
    }

    /// Hands out, line by line, the pixels of a part that are a block's, each cut to the bands of the block.
    fn each_line<'a>(
        &self,
        block: &Block,
        part: &'a mut Part<'_>,
        mut work: impl FnMut(usize, Range<usize>, &mut dyn Iterator<Item = &'a mut [u8]>),
    ) {
        let pixel = self.bands * self.samples.bytes;
        let width = part.columns.len();
        let columns = block.columns.start.max(part.columns.start)..block.columns.end.min(part.columns.end);
        let rows = block.rows.start.max(part.rows.start)..block.rows.end.min(part.rows.end);
        let bands = block.band * self.samples.bytes..(block.band + self.blocks.bands) * self.samples.bytes;
        let lines = part.bytes.chunks_exact_mut(width * pixel).enumerate();
        for (index, line) in lines.skip(rows.start - part.rows.start).take(rows.len()) {
            let first = columns.start - part.columns.start;
            let pixels = line.chunks_exact_mut(pixel).skip(first).take(columns.len());
            work(part.rows.start + index, columns.clone(), &mut pixels.map(|pixel| &mut pixel[bands.clone()]));
        }
    }
}

impl Stored {
    /// From the bytes of a block to whole samples in the machine's byte order.
    fn unpack(&self, mut block: Vec<u8>, row_bytes: usize, row_samples: usize, bands: usize) -> Result<Vec<u8>, Fault> {
        if !self.bits.is_multiple_of(8) {
            return Ok(block.chunks_exact(row_bytes).flat_map(|row| self.taken_apart(row, row_samples)).collect());
        }
        for row in block.chunks_exact_mut(row_bytes) {
            filters::fix_endianness_and_predict(row, self.bits as u16, bands as u16, self.order, self.predictor)?;
        }
        Ok(block)
    }

    /// Packed samples have their highest bit first, whatever the byte order.
    fn taken_apart(&self, row: &[u8], samples: usize) -> Vec<u8> {
        let bit = |at: usize| row.get(at / 8).map_or(0, |byte| u16::from(byte >> (7 - at % 8) & 1));
        let sample = |at: usize| (0..self.bits).fold(0u16, |sum, n| sum << 1 | bit(at * self.bits + n));
        let values = (0..samples).map(sample);
        match self.bytes {
            1 => values.map(|value| value as u8).collect(),
            _ => values.flat_map(u16::to_ne_bytes).collect(),
        }
    }
}

/// GDAL gives nodata for a block that is not there, or 0.
fn filler(layout: &Layout, nodata: Option<f64>) -> Vec<u8> {
    let value = nodata.unwrap_or(0.0);
    if layout.is_half {
        return vec![0; 2];
    }
    match layout.dtype {
        Dtype::U8 => (value as u8).to_ne_bytes().to_vec(),
        Dtype::I8 => (value as i8).to_ne_bytes().to_vec(),
        Dtype::U16 => (value as u16).to_ne_bytes().to_vec(),
        Dtype::I16 => (value as i16).to_ne_bytes().to_vec(),
        Dtype::U32 => (value as u32).to_ne_bytes().to_vec(),
        Dtype::I32 => (value as i32).to_ne_bytes().to_vec(),
        Dtype::U64 => (value as u64).to_ne_bytes().to_vec(),
        Dtype::I64 => (value as i64).to_ne_bytes().to_vec(),
        Dtype::F32 => (value as f32).to_ne_bytes().to_vec(),
        Dtype::F64 => value.to_ne_bytes().to_vec(),
    }
}
