//! Events of `tracing` about a call.

use std::path::Path;
use std::time::Instant;

use crate::error::{ErrorKind, Result};
use crate::inference::strategy::Progress;

/// Tells that a call begins, of this many scenes, outputs and pixels of outputs.
pub(super) fn tell_begin((input, output): (&Path, &Path), scenes: usize, outputs: usize, pixels: u64) {
    let (input, output) = (input.display(), output.display());
    tracing::info!(%input, %output, scenes, outputs, pixels, "translation begins");
}

/// Tells that one output is complete.
pub(super) fn tell_output(output: &Path, pixels: u64, begun: Instant) {
    let (output, seconds) = (output.display(), begun.elapsed().as_secs_f64());
    tracing::info!(%output, pixels, seconds, "scene translated");
}

/// Tells how a call ended.
pub(super) fn tell_end<T>(result: &Result<T>, progress: &Progress, begun: Instant) {
    let (network_pixels, seconds) = (progress.network_pixels(), begun.elapsed().as_secs_f64());
    match result {
        Ok(_) => tracing::info!(network_pixels, seconds, "translation ends"),
        Err(error) if error.kind() == ErrorKind::Stopped => {
            tracing::info!(network_pixels, seconds, "translation stopped");
        }
        Err(error) => tracing::info!(%error, network_pixels, seconds, "translation failed"),
    }
}
