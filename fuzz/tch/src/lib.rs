//! The error of `tch`, which `src/error.rs` converts from and nothing makes here, and the types of elements.

/// What libtorch would have said.
#[derive(Debug)]
pub enum TchError {
    /// Its words.
    Torch(String),
}

impl std::fmt::Display for TchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Torch(words) = self;
        f.write_str(words)
    }
}

impl std::error::Error for TchError {}

/// The types of elements that weights have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Uint8,
    Int8,
    Int16,
    Int,
    Int64,
    Half,
    Float,
    Double,
    BFloat16,
}

impl Kind {
    /// Bytes of an element.
    pub fn elt_size_in_bytes(self) -> usize {
        match self {
            Self::Uint8 | Self::Int8 => 1,
            Self::Int16 | Self::Half | Self::BFloat16 => 2,
            Self::Int | Self::Float => 4,
            Self::Int64 | Self::Double => 8,
        }
    }
}
