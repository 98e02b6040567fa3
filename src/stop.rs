//! A switch by which work is ended from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A switch that ends a fit after the step that it is in, for a handler of Ctrl-C or another thread. Clones share it. Other
/// long work, such as [`ExportTrainingData`](crate::dataset::ExportTrainingData), takes one too.
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
    ///
    /// ```
    /// let signal = geolearn::train::StopSignal::new();
    /// assert!(!signal.is_set());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the fit to end.
    ///
    /// ```
    /// let signal = geolearn::train::StopSignal::new();
    /// signal.clone().stop();
    /// assert!(signal.is_set());
    /// ```
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether the fit was asked to end.
    ///
    /// ```
    /// assert!(!geolearn::train::StopSignal::new().is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
