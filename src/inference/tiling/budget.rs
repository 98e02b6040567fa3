//! The memory budget of a translation.

use crate::error::{Error, ErrorKind, Result};

/// Pixels that should go through the network at a time: small chips and tiles are batched up to about this many.
const BATCH_PIXELS: usize = 1 << 18;
/// Maximum number of chips or tiles that go through the network together.
const MOST_AT_ONCE: usize = 64;
const MIB: f64 = (1u64 << 20) as f64;

/// Memory for a translation, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Free memory on the network's device; `None` if unknown.
    pub free: Option<u64>,
    /// Memory of the network for each pixel that goes through it at a time.
    pub network_pixel: f64,
}

impl Budget {
    /// Returns the bytes that the network takes for this many pixels at a time.
    pub fn network(&self, pixels: f64) -> f64 {
        self.network_pixel * pixels
    }

    /// Returns whether this many bytes are free, as far as known.
    pub fn has(&self, bytes: f64) -> bool {
        self.free.is_none_or(|free| bytes <= free as f64)
    }

    /// Checks that the bytes for `what` are free.
    ///
    /// # Errors
    /// `Limits` if they are not.
    pub fn check(&self, what: &str, bytes: f64) -> Result<()> {
        match self.free.filter(|_| !self.has(bytes)) {
            None => Ok(()),
            Some(free) => Err(Error::new(ErrorKind::Limits, format!("not enough free memory for {what}"))
                .expected(format!("at most the {:.0} MiB that are free", free as f64 / MIB))
                .found(format!("about {:.0} MiB", bytes / MIB))
                .help("Choose a smaller RasterOptions::tile_size or window, or close other programs.")),
        }
    }
}

/// Returns how many chips or tiles of this side go through the network together.
pub(crate) fn at_once(side: usize) -> usize {
    (BATCH_PIXELS / (side * side).max(1)).clamp(1, MOST_AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_free_memory_is_an_error_with_both_numbers() {
        let budget = Budget { free: Some(3 << 20), network_pixel: 1024.0 };
        budget.check("tiles", budget.network(3072.0)).unwrap();
        let error = budget.check("tiles", budget.network(4096.0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limits);
        let text = error.to_string();
        assert!(text.contains("for tiles") && text.contains("3 MiB") && text.contains("4 MiB"), "{text}");
        Budget { free: None, ..budget }.check("tiles", f64::MAX).unwrap();
    }

    #[test]
    fn small_chips_are_batched() {
        assert_eq!([8, 64, 128, 512, 1024, usize::MAX >> 32].map(at_once), [64, 64, 16, 1, 1, 1]);
    }
}
