//! The error of `tch`, which `src/error.rs` converts from; nothing makes one here.

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
