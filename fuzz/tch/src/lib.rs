//! Stub of `tch`: the error that `src/error.rs` converts from, which never occurs here, and the element types.

/// An error of libtorch.
#[derive(Debug)]
pub enum TchError {
    /// Its message.
    Torch(String),
}

impl std::fmt::Display for TchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Torch(words) = self;
        f.write_str(words)
    }
}

impl std::error::Error for TchError {}

/// A tensor of which only the shape is known.
#[derive(Debug)]
pub struct Tensor(Vec<i64>);

impl Tensor {
    /// Checks what libtorch requires of its caller: sides whose product does not overflow, and enough bytes.
    pub fn f_from_data_size(data: &[u8], size: &[i64], kind: Kind) -> Result<Self, TchError> {
        assert!(size.iter().all(|&side| side >= 0), "{size:?}");
        let elements = size.iter().try_fold(1i64, |count, &side| count.checked_mul(side)).expect("a number");
        match usize::try_from(elements).ok().and_then(|count| count.checked_mul(kind.elt_size_in_bytes())) {
            Some(bytes) if bytes <= data.len() => Ok(Self(size.to_vec())),
            _ => Err(TchError::Torch("too few bytes".into())),
        }
    }

    /// Returns the shape.
    pub fn size(&self) -> Vec<i64> {
        self.0.clone()
    }

    /// Returns the number of elements.
    pub fn numel(&self) -> usize {
        self.0.iter().product::<i64>() as usize
    }
}

/// The element types of weights.
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
    /// Returns the bytes per element.
    pub fn elt_size_in_bytes(self) -> usize {
        match self {
            Self::Uint8 | Self::Int8 => 1,
            Self::Int16 | Self::Half | Self::BFloat16 => 2,
            Self::Int | Self::Float => 4,
            Self::Int64 | Self::Double => 8,
        }
    }
}
