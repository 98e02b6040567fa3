//! The stored bytes of one block, read on demand.

use std::io::{self, BufRead, Read};

use tiff_reader::source::TiffSource;

const CHUNK_BYTES: u64 = 64 << 10;

/// A part of the file. A strip may be as large as the file, so it is not read at once.
pub(super) struct Input<'a> {
    source: &'a dyn TiffSource,
    next: u64,
    end: u64,
    /// Fax writers may store the lowest bit of each byte first.
    is_reversed: bool,
    chunk: Vec<u8>,
    used: usize,
}

impl<'a> Input<'a> {
    pub fn new(source: &'a dyn TiffSource, offset: u64, count: u64, is_reversed: bool) -> Self {
        let end = offset.saturating_add(count);
        Self { source, next: offset, end, is_reversed, chunk: Vec::new(), used: 0 }
    }

    /// Reads all of it, for decoders that need that.
    pub fn whole(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn load(&mut self) -> io::Result<()> {
        let length = (self.end - self.next).min(CHUNK_BYTES);
        self.chunk = self.source.read_exact_at(self.next, length as usize).map_err(io::Error::other)?;
        if self.is_reversed {
            self.chunk.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        self.next += length;
        self.used = 0;
        Ok(())
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used >= self.chunk.len() && self.next < self.end {
            self.load()?;
        }
        Ok(self.chunk.get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.used = self.used.saturating_add(amount).min(self.chunk.len());
    }
}

impl Read for Input<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let length = from.len().min(to.len());
        to[..length].copy_from_slice(&from[..length]);
        self.consume(length);
        Ok(length)
    }
}
