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
                Some(value as $type)
            }

            fn is_finite(self) -> bool {
                <$type>::is_finite(self)
            }
        }
    )*};
}

integers!(u8, i8, u16, i16, u32, i32, u64, i64);
floats!(f32, f64);

/// Which samples of an image hold no data: those that are not finite, and those of the nodata value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap<T> {
    nodata: Option<T>,
}

impl<T: Sample> Gap<T> {
    pub fn new(nodata: Option<f64>) -> Self {
        Self { nodata: nodata.and_then(T::meant_by) }
    }

    pub fn holds(self, value: T) -> bool {
        !value.is_finite() || self.nodata == Some(value)
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
    }
}
