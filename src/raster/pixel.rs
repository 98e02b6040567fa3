//! Sample types.

/// The common interface of all sample types.
pub(crate) trait Sample: Copy + PartialEq + Send + Sync + 'static {
    /// The smallest and the largest value, as closely as `f64` can represent them.
    const LEAST: f64;
    const MOST: f64;
    /// Whether single precision cannot represent all values.
    const IS_WIDE: bool;

    /// Exact for all but 64-bit integers above 2^53.
    fn to_f64(self) -> f64;

    /// Exact for integers of at most 16 bits.
    fn to_i32(self) -> i32;

    /// Returns the nearest value of this type: integers are rounded (halves away from zero) and clipped to their range,
    /// and NaN becomes 0.
    fn nearest(value: f64) -> Self;

    /// Returns the value that a number in a file represents, such as a nodata value; `None` if the type does not have
    /// it.
    fn meant_by(value: f64) -> Option<Self>;

    /// Returns whether this counts as the nodata value.
    fn is_like(self, nodata: Self) -> bool;

    /// Returns whether this is neither infinite nor NaN.
    fn is_finite(self) -> bool;

    /// Returns the value this many representable steps closer to 0; above it if this is 0.
    fn inward(self, steps: u64) -> Self;
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            const LEAST: f64 = <$type>::MIN as f64;
            const MOST: f64 = <$type>::MAX as f64;
            const IS_WIDE: bool = size_of::<$type>() > 2;

            fn to_f64(self) -> f64 {
                self as f64
            }

            fn to_i32(self) -> i32 {
                self as i32
            }

            fn nearest(value: f64) -> Self {
                // The cast saturates, and turns NaN into 0.
                value.round() as $type
            }

            fn meant_by(value: f64) -> Option<Self> {
                Some(value as $type).filter(|&own| own as f64 == value)
            }

            fn is_like(self, nodata: Self) -> bool {
                self == nodata
            }

            fn is_finite(self) -> bool {
                true
            }

            fn inward(self, steps: u64) -> Self {
                let steps = <$type>::try_from(steps).unwrap_or(<$type>::MAX);
                if self > 0 { self - steps.min(self) } else { self.saturating_add(steps) }
            }
        }
    )*};
}

macro_rules! floats {
    ($($type:ty: $bits:ty),*) => {$(
        impl Sample for $type {
            const LEAST: f64 = <$type>::MIN as f64;
            const MOST: f64 = <$type>::MAX as f64;
            const IS_WIDE: bool = size_of::<$type>() > 4;

            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn to_i32(self) -> i32 {
                self as i32
            }

            fn nearest(value: f64) -> Self {
                value as $type
            }

            /// Decimal digits in a file seldom represent a value of the type exactly.
            fn meant_by(value: f64) -> Option<Self> {
                Some(value as $type).filter(|own| own.is_finite() == value.is_finite())
            }

            /// Follows GDAL exactly (`ARE_REAL_EQUAL` in `gdal_priv.h`): a tolerance of a few units in the last place
            /// of single precision, and more if the sum overflows, as with -3.4e38 for `f32::MIN`.
            fn is_like(self, nodata: Self) -> bool {
                self == nodata || (self - nodata).abs() < f32::EPSILON as $type * (self + nodata).abs() * 2.0
            }

            fn is_finite(self) -> bool {
                <$type>::is_finite(self)
            }

            fn inward(self, steps: u64) -> Self {
                // Values of the same sign are ordered like their bits.
                let steps = <$bits>::try_from(steps).unwrap_or(<$bits>::MAX);
                let bits = self.abs().to_bits();
                if bits == 0 { Self::from_bits(steps) } else { Self::from_bits(bits.saturating_sub(steps)).copysign(self) }
            }
        }
    )*};
}

integers!(u8, i8, u16, i16, u32, i32, u64, i64);
floats!(f32: u32, f64: u64);

/// Determines which samples of an image are nodata: those that are not finite, and those with the nodata value, which
/// floating-point samples only need to match approximately.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap<T> {
    nodata: Option<T>,
}

impl<T: Sample> Gap<T> {
    pub fn new(nodata: Option<f64>) -> Self {
        Self { nodata: nodata.and_then(T::meant_by) }
    }

    pub fn holds(self, value: T) -> bool {
        !value.is_finite() || self.nodata.is_some_and(|nodata| value.is_like(nodata))
    }

    /// Returns a computed value, moved to the next valid value toward 0 if it happens to be the nodata value. Moving
    /// toward 0 keeps it within any range of values that contains 0.
    pub fn avoided_by(self, value: T) -> T {
        match self.nodata {
            Some(nodata) if value.is_finite() && value.is_like(nodata) => self.beside(nodata),
            _ => value,
        }
    }

    /// Returns the nearest value on the side of 0 that does not count as nodata.
    fn beside(self, nodata: T) -> T {
        let holds = |steps: u64| self.holds(nodata.inward(steps));
        let mut most = 1;
        while holds(most) && most < 1 << 62 {
            most *= 2;
        }
        let mut least = most / 2;
        while most - least > 1 {
            let middle = least + (most - least) / 2;
            if holds(middle) { least = middle } else { most = middle }
        }
        nodata.inward(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_rounded_and_cut() {
        assert_eq!([-3.0, 0.5, 2.4, 254.5, 300.0, f64::NAN].map(u8::nearest), [0, 1, 2, 255, 255, 0]);
        assert_eq!([-0.5, -40_000.0, 1.5].map(i16::nearest), [-1, i16::MIN, 2]);
        assert_eq!(f32::nearest(0.1), 0.1f32);
    }

    #[test]
    fn nodata_is_a_value_of_the_type_or_nothing() {
        assert!(Gap::<u8>::new(Some(255.0)).holds(255));
        assert!(!Gap::<u8>::new(Some(-9999.0)).holds(0), "no such value in a byte");
        assert!(!Gap::<i16>::new(Some(0.5)).holds(0));
        assert!(Gap::<f32>::new(Some(-3.402_823_466_385_29e38)).holds(f32::MIN), "as GDAL writes it");
        assert!(Gap::<f32>::new(None).holds(f32::NAN) && Gap::<f64>::new(Some(f64::NAN)).holds(f64::NAN));
        assert!(!Gap::<u16>::new(None).holds(0));
        assert!(!Gap::<f32>::new(Some(1e39)).holds(f32::MAX), "beyond the type");
    }

    #[test]
    fn a_computed_value_gives_way_to_nodata_towards_zero() {
        let moved = |nodata: f64, value: f32| Gap::<f32>::new(Some(nodata)).avoided_by(value);
        assert_eq!(moved(0.0, 0.0).to_bits(), 1, "the smallest of all");
        assert_eq!((moved(1.0, 1.0), moved(1.0, 0.5)), (1.0 - 4.0 * f32::EPSILON, 0.5));
        assert!((-2.9e35..-2.7e35).contains(&moved(-3.4e38, f32::MIN)));
        assert!(moved(0.0, f32::NAN).is_nan());
        assert_eq!(Gap::<u8>::new(Some(255.0)).avoided_by(255), 254);
        assert_eq!(Gap::<u8>::new(Some(0.0)).avoided_by(0), 1);
        assert_eq!(Gap::<i16>::new(Some(-32768.0)).avoided_by(-32768), -32767);
        assert_eq!(Gap::<i64>::new(Some(9.0)).avoided_by(9), 8);
    }

    proptest::proptest! {
        #[test]
        fn what_gave_way_is_data_and_no_further_from_zero(bits: u32) {
            let nodata = f32::from_bits(bits);
            let gap = Gap::<f32>::new(Some(nodata.into()));
            if nodata.is_finite() {
                let moved = gap.avoided_by(nodata);
                proptest::prop_assert!(!gap.holds(moved), "{nodata} to {moved}");
                proptest::prop_assert!(moved.abs() <= nodata.abs() || nodata == 0.0);
                proptest::prop_assert!((moved - nodata).abs() <= 1e-6 * nodata.abs().max(1e-38) || nodata.abs() > 1e38);
            }
        }
    }

    /// The mask that GDAL 3.10.3 returns (`read_masks` of rasterio 1.4.4).
    #[test]
    fn floats_match_nodata_as_in_gdal() {
        let masked = |nodata: f64, value: f32| Gap::<f32>::new(Some(nodata)).holds(value);
        let near = |ulps: u32| f32::from_bits((-9999f32).to_bits() - ulps);
        assert!(masked(-9999.0, near(4)) && !masked(-9999.0, near(5)));
        assert!([-3.4028235e38, -1e38, -3e35].iter().all(|&value| masked(-3.4e38, value)));
        assert!([-2.8e35, -1e30, 3.4e38].iter().all(|&value| !masked(-3.4e38, value)));
        assert!(masked(0.0, -0.0) && !masked(0.0, 1e-45) && !masked(1e-40, 1.1e-40));
        let wide = |value: f64| Gap::<f64>::new(Some(-9999.0)).holds(value);
        assert!(wide(-9999.0 + 0.0047) && !wide(-9999.0 + 0.0048));
    }
}
