//! `tracing` events about a call.

use std::path::Path;
use std::time::Instant;

use crate::error::{ErrorKind, Result};
use crate::inference::strategy::Progress;

/// Reports that a call starts, with its numbers of scenes, outputs and output pixels.
pub(super) fn tell_begin((input, output): (&Path, &Path), scenes: usize, outputs: usize, pixels: u64) {
    let (input, output) = (input.display(), output.display());
    tracing::info!(%input, %output, scenes, outputs, pixels, "translation begins");
}

/// Reports that one output is complete.
pub(super) fn tell_output(output: &Path, pixels: u64, begun: Instant) {
    let (output, seconds) = (output.display(), begun.elapsed().as_secs_f64());
    tracing::info!(%output, pixels, seconds, "scene translated");
}

/// Reports how a call ended.
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
