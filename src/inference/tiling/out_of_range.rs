//! The error for a setting that is out of range.

use std::fmt::Display;

use crate::error::{Error, ErrorKind};

/// Returns the error that `name` is `found` but should be `expected`.
pub(crate) fn out_of_range(name: &str, expected: impl Display, found: impl Display) -> Error {
    Error::new(ErrorKind::Usage, format!("{name} is out of range"))
        .expected(expected.to_string())
        .found(found.to_string())
        .help("Choose a value in this range, or leave it out: the default suits the model.")
}
