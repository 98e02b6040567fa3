//! Converts half precision (IEEE 754 binary16) to single precision.

/// Converts samples of two bytes to samples of four, both in native byte order.
pub(super) fn widen(bytes: &[u8], to: &mut Vec<u8>) {
    to.extend(bytes.as_chunks::<2>().0.iter().flat_map(|half| single(u16::from_ne_bytes(*half)).to_ne_bytes()));
}

/// Every half has an exact single-precision value.
fn single(half: u16) -> f32 {
    let sign = if half >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(half >> 10 & 0x1f), half & 0x3ff);
    match exponent {
        0 => sign * f32::from(fraction) * 2f32.powi(-24),
        0x1f if fraction == 0 => sign * f32::INFINITY,
        0x1f => f32::from_bits(u32::from(half >> 15) << 31 | 0x7f80_0000 | u32::from(fraction) << 13),
        _ => sign * f32::from(fraction + 0x400) * 2f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the table in IEEE 754-2008, and of `numpy.frombuffer(bytes, "<f2")`.
    #[test]
    fn halves_are_widened_exactly() {
        let cases = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2f32.powi(-24)),
            (0x0400, 2f32.powi(-14)),
            (0x3555, 0.333_251_95),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (half, value) in cases {
            assert_eq!(single(half), value, "{half:#x}");
        }
        assert!(single(0x7e00).is_nan());
        assert!(single(0x8000).is_sign_negative());
    }
}
