//! LZW as used in TIFF. Some writers omit the end code, which libtiff does not require.

use std::io::{self, BufRead, Read};

use weezl::decode::{Configuration, Decoder};
use weezl::{BitOrder, LzwStatus};

/// Decompresses what it reads.
pub(super) struct Lzw<R> {
    input: R,
    decoder: Decoder,
}

impl<R: BufRead> Lzw<R> {
    pub fn new(mut input: R) -> io::Result<Self> {
        // Before the specification was final, codes were stored lowest bit first and grew one code later.
        let is_old = matches!(input.fill_buf()?, [0, second, ..] if second & 1 == 1);
        let coding = match is_old {
            true => Configuration::new(BitOrder::Lsb, 8),
            false => Configuration::with_tiff_size_switch(BitOrder::Msb, 8),
        };
        Ok(Self { input, decoder: coding.with_yield_on_full_buffer(true).build() })
    }
}

impl<R: BufRead> Read for Lzw<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        // The decoder may make no progress once between two codes.
        let mut idle = 0;
        while idle < 2 && !to.is_empty() {
            let packed = self.input.fill_buf()?;
            let done = self.decoder.decode_bytes(packed, to);
            self.input.consume(done.consumed_in);
            if done.consumed_out > 0 {
                return Ok(done.consumed_out);
            }
            match done.status {
                Err(e) => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("LZW: {e}"))),
                Ok(LzwStatus::Done) => return Ok(0),
                Ok(_) => idle = if done.consumed_in == 0 { idle + 1 } else { 0 },
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zeros and ramps, as packed by libtiff, in pieces of every size.
    #[test]
    fn pieces_of_any_size_make_up_the_whole() {
        let bytes: Vec<u8> = (0..20_000u32).map(|i| if i % 5000 < 2500 { 0 } else { (i * i / 7) as u8 }).collect();
        let packed = weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8).encode(&bytes).unwrap();
        for size in [1, 7, 16, 100, 8192] {
            let (mut lzw, mut unpacked) = (Lzw::new(&packed[..]).unwrap(), Vec::new());
            while unpacked.len() < bytes.len() {
                let mut piece = vec![0; size.min(bytes.len() - unpacked.len())];
                lzw.read_exact(&mut piece).unwrap();
                unpacked.extend(piece);
            }
            assert!(unpacked == bytes, "in pieces of {size}");
        }
    }
}
