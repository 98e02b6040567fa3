//! Checks of options, and conversion of counts for libtorch.

use std::ops::RangeInclusive;

use crate::error::{Error, ErrorKind, Result};

/// Checks that an option is in its range.
pub(crate) fn within(name: &str, value: usize, range: RangeInclusive<usize>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let expected = format!("{} to {}", range.start(), range.end());
    Err(Error::new(ErrorKind::Usage, format!("{name} is out of range")).expected(expected).found(value))
}

/// Checks that an option is a valid loss weight.
pub(crate) fn weight(name: &str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, format!("{name} is out of range")).expected("zero or more").found(value))
}

/// Converts a count for libtorch; one that overflows is more than any memory holds.
pub(crate) fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
