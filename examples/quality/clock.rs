//! Measures the time per training step.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use geolearn::Result;
use geolearn::train::{Callback, Flow, StepReport};

/// Steps before timing starts.
const WARM_UP: usize = 10;
const LEAST_STEPS: usize = 10;

/// Ends a fit as soon as the time per step has been measured for long enough.
pub struct Clock {
    enough: Duration,
    begin: Option<(Instant, usize)>,
    seconds: Arc<OnceLock<f64>>,
}

impl Clock {
    /// Creates a clock that measures for at least `enough`, and the cell that receives the seconds per step.
    pub fn new(enough: Duration) -> (Self, Arc<OnceLock<f64>>) {
        let seconds = Arc::new(OnceLock::new());
        (Self { enough, begin: None, seconds: seconds.clone() }, seconds)
    }
}

impl Callback for Clock {
    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        if report.steps < WARM_UP {
            return Ok(Flow::Continue);
        }
        let (begin, before) = *self.begin.get_or_insert_with(|| (Instant::now(), report.steps));
        let (time, steps) = (begin.elapsed(), report.steps - before);
        if steps < LEAST_STEPS || time < self.enough {
            return Ok(Flow::Continue);
        }
        self.seconds.get_or_init(|| time.as_secs_f64() / steps as f64);
        Ok(Flow::Stop)
    }
}
