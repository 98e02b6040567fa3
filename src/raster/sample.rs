//! One sample, of any type that a file may hold.

/// What all types of samples have in common.
pub(crate) trait Sample: Copy + PartialEq + Send + Sync + 'static {
    /// Exact for all but 64-bit integers above 2^53.
    fn to_f64(self) -> f64;

    /// Exact for integers of at most 16 bits.
    fn to_i32(self) -> i32;

    /// The nearest value of this type: integers are rounded (halves away from zero) and cut to their range, and take
    /// what is not a number to 0.
    fn nearest(value: f64) -> Self;

    /// The value that a file means by this number, such as its nodata value; none where the type does not have it.
    fn meant_by(value: f64) -> Option<Self>;

    /// Whether this counts as the nodata value.
    fn is_like(self, nodata: Self) -> bool;

    /// Whether this is neither infinite nor "not a number".
    fn is_finite(self) -> bool;
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            fn to_f64(self) -> f64 {
                self as f64
            }

            fn to_i32(self) -> i32 {
                self as i32
            }

            fn nearest(value: f64) -> Self {
                // The cast saturates, and takes what is not a number to 0.
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
        }
    )*};
}

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn to_i32(self) -> i32 {
                self as i32
            }

            fn nearest(value: f64) -> Self {
                value as $type
            }

            /// Decimal digits in a file seldom name a value of the type exactly.
            fn meant_by(value: f64) -> Option<Self> {
                Some(value as $type).filter(|own| own.is_finite() == value.is_finite())
            }

            /// GDAL's rule to the letter (`ARE_REAL_EQUAL` in `gdal_priv.h`): a few units in the last place of single
            /// precision, and more where the sum overflows, as with -3.4e38 for `f32::MIN`.
            fn is_like(self, nodata: Self) -> bool {
                self == nodata || (self - nodata).abs() < f32::EPSILON as $type * (self + nodata).abs() * 2.0
            }

            fn is_finite(self) -> bool {
                <$type>::is_finite(self)
            }
        }
    )*};
}

integers!(u8, i8, u16, i16, u32, i32, u64, i64);
floats!(f32, f64);

/// Which samples of an image hold no data: those that are not finite, and those of the nodata value, which floating-point
/// samples need not match to the last digit.
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

    /// What GDAL 3.10.3 masks (`read_masks` of rasterio 1.4.4).
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
