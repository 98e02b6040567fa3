//! Stopping a fit from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::callback::{Callback, EpochReport, FitReport, Flow};
use crate::error::Result;

/// A switch that ends a fit after the step that it is in, for a handler of Ctrl-C or another thread. Clones share it.
///
/// With checkpoints on, the state within the epoch is kept, and [`FitOptions::resume`](crate::FitOptions::resume) goes
/// on from there.
///
/// ```
/// use geolearn::FitOptions;
/// use geolearn::train::StopSignal;
///
/// let signal = StopSignal::new();
/// let options = FitOptions::new(20).callback(signal.clone());
/// // In a handler: signal.stop()
/// assert!(!signal.is_set());
/// ```
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// A switch that is off.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the fit to end.
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether the fit was asked to end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn flow(&self) -> Result<Flow> {
        Ok(if self.is_set() { Flow::Stop } else { Flow::Continue })
    }
}

impl Callback for StopSignal {
    fn on_fit_start(&mut self, _: &FitReport<'_>) -> Result<Flow> {
        self.flow()
    }

    fn wants_to_stop(&self) -> bool {
        self.is_set()
    }

    fn on_epoch_end(&mut self, _: &EpochReport<'_>) -> Result<Flow> {
        self.flow()
    }
}
