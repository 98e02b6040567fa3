//! Unpacks samples of any number of bits, as in PNG and BMP.

/// Expands one line to whole bytes in native byte order; PNG packs the leftmost sample into the highest bits and is
/// big-endian.
pub(super) fn unpacked(line: &[u8], bits: usize, samples: usize) -> Vec<u8> {
    match bits {
        8 => line.iter().copied().take(samples).collect(),
        16 => line.as_chunks::<2>().0.iter().flat_map(|pair| u16::from_be_bytes(*pair).to_ne_bytes()).collect(),
        _ => {
            let mask = (1u8 << bits) - 1;
            let sample = |at: usize| line[at * bits / 8] >> (8 - bits - at * bits % 8) & mask;
            (0..samples).map(sample).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_samples_are_taken_apart() {
        assert_eq!(unpacked(&[0b1010_0000], 1, 3), [1, 0, 1]);
        assert_eq!(unpacked(&[0b0001_1011, 0b1100_0000], 2, 5), [0, 1, 2, 3, 3]);
        assert_eq!(unpacked(&[0x1f, 0x20], 4, 3), [1, 15, 2]);
        assert_eq!(unpacked(&[1, 2], 16, 1), 258u16.to_ne_bytes());
    }
}
