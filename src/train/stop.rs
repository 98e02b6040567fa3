//! The stop signal as a callback.

use super::callback::{Callback, EpochReport, FitReport, Flow};
use crate::error::Result;
use crate::stop::StopSignal;

impl Callback for StopSignal {
    fn on_fit_start(&mut self, _: &FitReport<'_>) -> Result<Flow> {
        Ok(flow(self))
    }

    fn wants_to_stop(&self) -> bool {
        self.is_set()
    }

    fn on_epoch_end(&mut self, _: &EpochReport<'_>) -> Result<Flow> {
        Ok(flow(self))
    }
}

fn flow(signal: &StopSignal) -> Flow {
    if signal.is_set() { Flow::Stop } else { Flow::Continue }
}
