//! Errors in a stream, without the name of its file.

/// What is wrong with a stream.
#[derive(Debug)]
pub(in super::super) enum Fault {
    /// It is truncated or damaged.
    Format(String),
    /// It uses an unsupported feature.
    Unsupported(String),
}

pub(super) type Result<T> = std::result::Result<T, Fault>;

pub(super) fn damaged<T>(found: impl Into<String>) -> Result<T> {
    Err(Fault::Format(found.into()))
}
