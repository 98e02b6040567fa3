//! The bits of entropy-coded data (ITU T.81, F.2.2.5).

use super::{Result, damaged};

pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, buffer: 0, count: 0 }
    }

    /// Takes up bytes until the buffer is full or a marker comes: `ff 00` is a data byte.
    fn fill(&mut self) {
        if let Some(word) = self.plain_word() {
            let bytes = (64 - self.count) / 8;
            self.buffer |= word >> (64 - 8 * bytes) << (64 - self.count - 8 * bytes);
            self.count += 8 * bytes;
            self.at += bytes as usize;
            return;
        }
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            let mut next = self.at + 1;
            if byte == 0xff {
                while self.bytes.get(next) == Some(&0xff) {
                    next += 1;
                }
                if self.bytes.get(next) != Some(&0) {
                    return;
                }
                next += 1;
            }
            self.at = next;
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next eight bytes, where none of them is `ff`.
    fn plain_word(&self) -> Option<u64> {
        let word = u64::from_be_bytes(*self.bytes.get(self.at..)?.first_chunk()?);
        let has_ff = (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 != 0;
        (!has_ff).then_some(word)
    }

    /// The next 16 bits; zeros follow the last one.
    #[inline]
    pub fn peek16(&mut self) -> u32 {
        if self.count < 16 {
            self.fill();
        }
        (self.buffer >> 48) as u32
    }

    #[inline]
    pub fn skip(&mut self, count: u32) -> Result<()> {
        if count > self.count {
            return damaged("coded data that end before the image does");
        }
        self.buffer <<= count;
        self.count -= count;
        Ok(())
    }

    /// A number of up to 16 bits.
    #[inline]
    pub fn take(&mut self, count: u32) -> Result<i32> {
        let value = self.peek16() >> (16 - count);
        self.skip(count)?;
        Ok(value as i32)
    }

    /// A signed number of `size` bits (T.81, F.2.2.1, EXTEND).
    #[inline]
    pub fn signed(&mut self, size: u32) -> Result<i32> {
        if size == 0 {
            return Ok(0);
        }
        let value = self.take(size)?;
        Ok(if value < 1 << (size - 1) { value - (1 << size) + 1 } else { value })
    }

    /// Goes over the restart marker of this number, which must come next.
    pub fn restart(&mut self, number: u8) -> Result<()> {
        let rest = self.rest();
        let skipped = rest.iter().take_while(|byte| **byte == 0xff).count();
        if skipped == 0 || rest.get(skipped) != Some(&(0xd0 + number)) {
            return damaged("no restart marker where one is due");
        }
        *self = Self::new(rest.get(skipped + 1..).unwrap_or_default());
        Ok(())
    }

    /// What has not been taken up.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}
