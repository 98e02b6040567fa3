//! Huffman tables (ITU T.81, annex C and F.2.2.3).

use super::bits::Bits;
use super::{Result, damaged};

const FAST_BITS: u32 = 9;

#[derive(Clone)]
pub(super) struct Huffman {
    /// For each beginning of nine bits, length and symbol of its code; length 0 where the code is longer.
    fast: Vec<(u8, u8)>,
    /// For each length, the first code that is longer, moved to the left of 16 bits.
    limits: [u32; 17],
    /// For each length, what leads from a code to its symbol.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Huffman {
    /// From the number of codes of each length, 1 to 16, and the symbols in order of their codes.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self> {
        let mut table =
            Self { fast: vec![(0, 0); 1 << FAST_BITS], limits: [0; 17], offsets: [0; 17], symbols: symbols.to_vec() };
        let (mut code, mut index) = (0u32, 0usize);
        for (length, count) in (1u32..).zip(counts) {
            table.offsets[length as usize] = index as i32 - code as i32;
            for _ in 0..*count {
                let symbol = symbols.get(index).copied().unwrap_or_default();
                table.put_fast(code, length, symbol);
                (code, index) = (code + 1, index + 1);
            }
            if code > 1 << length {
                return damaged("a Huffman table with too many codes");
            }
            table.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok(table)
    }

    fn put_fast(&mut self, code: u32, length: u32, symbol: u8) {
        if length <= FAST_BITS {
            let spare = FAST_BITS - length;
            let first = (code << spare) as usize;
            if let Some(entries) = self.fast.get_mut(first..first + (1 << spare)) {
                entries.fill((length as u8, symbol));
            }
        }
    }

    #[inline]
    pub fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8> {
        let ahead = bits.peek16();
        let (length, symbol) = self.fast[(ahead >> (16 - FAST_BITS)) as usize];
        if length > 0 {
            bits.skip(length.into())?;
            return Ok(symbol);
        }
        for length in FAST_BITS + 1..=16 {
            if ahead < self.limits[length as usize] {
                bits.skip(length)?;
                let index = (ahead >> (16 - length)) as i32 + self.offsets[length as usize];
                return Ok(usize::try_from(index).ok().and_then(|i| self.symbols.get(i)).copied().unwrap_or_default());
            }
        }
        damaged("a code that is not in its Huffman table")
    }
}
