//! Complaints about a stream, which do not know the name of its file.

/// What is wrong with a stream.
#[derive(Debug)]
pub(in super::super) enum Fault {
    /// It is truncated or damaged.
    Format(String),
    /// It uses a feature that cannot be read.
    Unsupported(String),
}

pub(super) type Result<T> = std::result::Result<T, Fault>;

pub(super) fn damaged<T>(found: impl Into<String>) -> Result<T> {
    Err(Fault::Format(found.into()))
}
