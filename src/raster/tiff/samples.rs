//! Converts the bytes of a row, as in an uncompressed file, to whole samples in native byte order.

use tiff_reader::{ByteOrder, filters};

use super::fault::Fault;
use super::half;
use crate::raster::Dtype;

/// How samples are stored in a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    /// The type to which they are converted.
    pub dtype: Dtype,
    /// The size of one stored sample.
    pub bits: usize,
    pub predictor: u16,
    pub order: ByteOrder,
}

impl Format {
    /// Returns the bytes in a row with this many samples.
    pub fn row_bytes(&self, samples: usize) -> Option<usize> {
        samples.checked_mul(self.bits).map(|bits| bits.div_ceil(8))
    }

    /// Makes the samples of a row, in `row` itself or in `made`, and returns them.
    pub fn unpack<'a>(&self, row: &'a mut [u8], bands: usize, made: &'a mut Vec<u8>) -> Result<&'a [u8], Fault> {
        made.clear();
        if !matches!(self.bits, 8 | 16 | 32 | 64) {
            match self.bits {
                // Highest bit first, like the others, but libtiff swaps them in a big-endian file.
                24 => row.as_chunks::<3>().0.iter().for_each(|bytes| self.put(made, self.number(bytes))),
                _ => self.take_apart(row, made),
            }
            return Ok(made);
        }
        let bands = u16::try_from(bands).map_err(|_| Fault::format(format!("{bands} bands")))?;
        filters::fix_endianness_and_predict(row, self.bits as u16, bands, self.order, self.predictor)?;
        if self.bits == 16 && self.dtype == Dtype::F32 {
            half::widen(row, made);
            return Ok(made);
        }
        Ok(row)
    }

    fn number(&self, bytes: &[u8; 3]) -> u64 {
        let [a, b, c] = bytes.map(u64::from);
        match self.order {
            ByteOrder::LittleEndian => a << 16 | b << 8 | c,
            ByteOrder::BigEndian => a | b << 8 | c << 16,
        }
    }

    /// Packed samples have their highest bit first, whatever the byte order.
    fn take_apart(&self, row: &[u8], made: &mut Vec<u8>) {
        let (mut kept, mut kept_bits) = (0u64, 0);
        for byte in row {
            kept = kept << 8 | u64::from(*byte);
            kept_bits += 8;
            while kept_bits >= self.bits {
                kept_bits -= self.bits;
                self.put(made, kept >> kept_bits);
                kept &= (1 << kept_bits) - 1;
            }
        }
    }

    fn put(&self, made: &mut Vec<u8>, value: u64) {
        match self.dtype {
            Dtype::U8 => made.push(value as u8),
            Dtype::U16 => made.extend((value as u16).to_ne_bytes()),
            _ => made.extend((value as u32).to_ne_bytes()),
        }
    }

    /// Returns a sample for areas that are not stored: GDAL uses nodata, or 0.
    pub fn filler(&self, nodata: Option<f64>) -> Vec<u8> {
        let value = nodata.unwrap_or(0.0);
        let whole = value.round();
        match self.dtype {
            Dtype::U8 => vec![whole as u8],
            Dtype::I8 => (whole as i8).to_ne_bytes().to_vec(),
            Dtype::U16 => (whole as u16).to_ne_bytes().to_vec(),
            Dtype::I16 => (whole as i16).to_ne_bytes().to_vec(),
            Dtype::U32 => (whole as u32).to_ne_bytes().to_vec(),
            Dtype::I32 => (whole as i32).to_ne_bytes().to_vec(),
            Dtype::U64 => (whole as u64).to_ne_bytes().to_vec(),
            Dtype::I64 => (whole as i64).to_ne_bytes().to_vec(),
            Dtype::F32 => (value as f32).to_ne_bytes().to_vec(),
            Dtype::F64 => value.to_ne_bytes().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(bits: usize, dtype: Dtype, order: ByteOrder, row: &[u8]) -> Vec<u8> {
        let format = Format { dtype, bits, predictor: 1, order };
        let mut made = Vec::new();
        format.unpack(&mut row.to_vec(), 1, &mut made).unwrap().to_vec()
    }

    #[test]
    fn packed_samples_have_their_highest_bit_first() {
        let order = ByteOrder::LittleEndian;
        assert_eq!(unpacked(3, Dtype::U8, order, &[0b0010_1001, 0b1000_0000]), [1, 2, 3, 0, 0]);
        let wide = unpacked(20, Dtype::U32, order, &[0x12, 0x34, 0x5a, 0xbc, 0xde]);
        assert_eq!(wide, [0x12345u32.to_ne_bytes(), 0xabcdeu32.to_ne_bytes()].concat());
    }

    #[test]
    fn three_bytes_are_turned_around_in_a_big_endian_file() {
        let of = |order| unpacked(24, Dtype::U32, order, &[1, 2, 3]);
        assert_eq!(of(ByteOrder::LittleEndian), 0x010203u32.to_ne_bytes());
        assert_eq!(of(ByteOrder::BigEndian), 0x030201u32.to_ne_bytes());
    }
}
