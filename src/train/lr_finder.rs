//! A sweep over learning rates (Smith 2017, arXiv:1506.01186, section 3.3).

use super::loan::Loan;
use super::memory::advise;
use super::translator::{StepContext, Translator};
use crate::dataset::DataBunch;
use crate::error::{Error, ErrorKind, Result};
use crate::optim::AdamOptions;
use crate::progress::{Counter, Observer};
use crate::stop::StopSignal;

/// Weight of older losses in the smoothed curve, at each step.
const SMOOTHING: f64 = 0.9;
/// The sweep ends when the smoothed loss is so many times its lowest value.
const DIVERGED: f64 = 4.0;
/// A curve must fall by this share of where it begins to suggest anything: single batches differ by as much.
const LEAST_FALL: f64 = 0.05;

/// How [`CycleGan::lr_find`](crate::CycleGan::lr_find_with) sweeps.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `start` | 1e-7 | first rate | > 0 |
/// | `end` | 1 | last rate | above `start` |
/// | `steps` | 100 | steps of training from one to the other | ≥ 2 |
/// | `adam` | as in a fit | numbers of the optimiser | |
/// | `stop_signal` | none | ends the sweep from outside | |
/// | `progress` | on | shows steps and the time left | |
/// | `on_progress` | none | is told the share of the steps that are done | |
///
/// ```
/// let quick = geolearn::train::LrFindOptions::default().start(1e-5).end(1e-1).steps(40);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct LrFindOptions {
    start: f64,
    end: f64,
    steps: usize,
    adam: AdamOptions,
    stop: Option<StopSignal>,
    progress: bool,
    observer: Option<Observer>,
}

impl Default for LrFindOptions {
    fn default() -> Self {
        let adam = AdamOptions::default();
        Self { start: 1e-7, end: 1.0, steps: 100, adam, stop: None, progress: true, observer: None }
    }
}

impl LrFindOptions {
    /// Sets the first rate. Default: 1e-7.
    pub fn start(mut self, lr: f64) -> Self {
        self.start = lr;
        self
    }

    /// Sets the last rate. Default: 1.
    pub fn end(mut self, lr: f64) -> Self {
        self.end = lr;
        self
    }

    /// Sets the number of steps. Default: 100.
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the numbers of Adam. Default: as in a fit.
    pub fn adam(mut self, adam: AdamOptions) -> Self {
        self.adam = adam;
        self
    }

    /// Ends the sweep after the step that it is in once `signal` is set, with [`ErrorKind::Stopped`]. The model is as it
    /// was before, to the bit.
    ///
    /// ```
    /// use geolearn::train::{LrFindOptions, StopSignal};
    ///
    /// let signal = StopSignal::new();
    /// let options = LrFindOptions::default().stop_signal(signal.clone());
    /// // In a handler: signal.stop()
    /// # assert!(!signal.is_set());
    /// ```
    pub fn stop_signal(mut self, signal: StopSignal) -> Self {
        self.stop = Some(signal);
        self
    }

    /// Shows progress on standard error where that is a terminal, or not. Default: on.
    pub fn progress(mut self, on: bool) -> Self {
        self.progress = on;
        self
    }

    /// Calls `tell` with the share of the steps that are done, after each of them; 1 comes last, also where the loss
    /// diverges before the last rate. A sweep that is stopped or fails does not get there.
    ///
    /// ```
    /// let options = geolearn::train::LrFindOptions::default().on_progress(|share| println!("{:.0} %", 100.0 * share));
    /// ```
    pub fn on_progress(mut self, tell: impl FnMut(f64) + Send + 'static) -> Self {
        self.observer = Some(Observer::new(tell));
        self
    }

    fn check_stop(&self) -> Result<()> {
        if !self.stop.as_ref().is_some_and(StopSignal::is_set) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Stopped, "the sweep over learning rates was stopped before its end")
            .help("The model is as it was before. A new sweep begins with the first rate."))
    }

    fn tell(&self, steps: usize) {
        if let Some(observer) = &self.observer {
            observer.tell(steps as u64, self.steps as u64);
        }
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: &str| Error::new(ErrorKind::Usage, format!("{what} of lr_find is out of range"));
        if !(self.start > 0.0 && self.start.is_finite()) {
            return Err(wrong("start").expected("a positive number").found(self.start));
        }
        if !(self.end > self.start && self.end.is_finite()) {
            return Err(wrong("end").expected(format!("a number above {}", self.start)).found(self.end));
        }
        if !(self.end / self.start).is_finite() {
            return Err(wrong("end").expected("a rate within the range of a number from start").found(self.end));
        }
        if self.steps < 2 {
            return Err(wrong("steps").expected("2 or more").found(self.steps));
        }
        self.adam.check()
    }

    /// Rates grow by the same factor from step to step.
    fn rate(&self, step: usize) -> f64 {
        self.start * (self.end / self.start).powf(step as f64 / (self.steps - 1) as f64)
    }
}

/// How a sweep over learning rates ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SweepEnd {
    /// The loss rose far above its lowest value, or was no longer finite.
    Diverged,
    /// The last rate was reached.
    LastRate,
}

/// The curve of a sweep over learning rates.
#[derive(Debug, Clone, PartialEq)]
pub struct LrCurve {
    rates: Vec<f64>,
    losses: Vec<f64>,
    smoothed: Vec<f64>,
    end: SweepEnd,
}

impl LrCurve {
    /// The rates that were tried, rising.
    pub fn rates(&self) -> &[f64] {
        &self.rates
    }

    /// The model's first loss at each of them; the last may not be finite.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// The same, smoothed.
    pub fn smoothed(&self) -> &[f64] {
        &self.smoothed
    }

    /// How the sweep ended.
    pub fn end(&self) -> SweepEnd {
        self.end
    }

    /// The rate at which the smoothed loss falls most steeply over the logarithm of the rate, before its lowest value;
    /// `None` when it never falls by 5 % from where it begins, as when it diverges at once.
    ///
    /// The steepness is that of a line through the points around, a tenth of the sweep to either side; the first
    /// tenth tells where the loss begins.
    pub fn suggestion(&self) -> Option<f64> {
        let finite = self.smoothed.iter().take_while(|loss| loss.is_finite()).count();
        let losses = &self.smoothed[..finite];
        let window = (finite / 10).max(2);
        let begin = self.losses.get(..window)?.iter().sum::<f64>() / window as f64;
        let lowest = (window..finite).min_by(|&a, &b| losses[a].total_cmp(&losses[b]))?;
        if losses[lowest] > begin * (1.0 - LEAST_FALL) {
            return None;
        }
        // Of the line of least squares through the points around, up to a factor.
        let slope =
            |i: usize| (0..=2 * window).map(|j| (j as f64 - window as f64) * losses[i + j - window]).sum::<f64>();
        let last = lowest.min(finite.checked_sub(window + 1)?);
        (window..=last).min_by(|&a, &b| slope(a).total_cmp(&slope(b))).map(|i| self.rates[i])
    }
}

/// Sweeps, and puts the model back to the bit, whatever happens.
pub(crate) fn lr_find(
    model: &mut dyn Translator,
    data: &DataBunch,
    steps_in_life: u64,
    options: LrFindOptions,
) -> Result<LrCurve> {
    options.check()?;
    let device = model.torch_device();
    let mut loan = Loan::of(model)?;
    let swept = sweep(loan.model(), data, steps_in_life, &options);
    loan.end()?;
    swept.map_err(|error| advise(error, device, data.batch_size()))
}

fn sweep(model: &mut dyn Translator, data: &DataBunch, life: u64, options: &LrFindOptions) -> Result<LrCurve> {
    let counter = Counter::new(options.progress, "learning rates", "steps", options.steps);
    let (mut rates, mut losses, mut smoothed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut average, mut lowest) = (0.0, f64::INFINITY);
    let mut end = SweepEnd::LastRate;
    // As many epochs as it takes; one that gives nothing ends the sweep.
    let mut epoch = 0;
    let mut loader = data.epoch(epoch)?;
    for step in 0..options.steps {
        options.check_stop()?;
        if loader.len() == 0 {
            epoch += 1;
            loader = data.epoch(epoch)?;
        }
        let Some(batch) = loader.next() else {
            break;
        };
        let batch = batch?;
        let context = StepContext::new(options.rate(step), options.adam, life + step as u64);
        let loss = counter.one(model.train_step(&batch, context)?.f_double_value(&[0])?);
        options.tell(step + 1);
        average = SMOOTHING * average + (1.0 - SMOOTHING) * loss;
        // The first values of the average are too low by the weight of what was not there.
        let smooth = average / (1.0 - SMOOTHING.powi(i32::try_from(step).unwrap_or(i32::MAX).saturating_add(1)));
        rates.push(context.lr);
        losses.push(loss);
        smoothed.push(smooth);
        lowest = smooth.min(lowest);
        if !smooth.is_finite() || smooth > DIVERGED * lowest {
            end = SweepEnd::Diverged;
            break;
        }
    }
    if rates.len() < options.steps {
        options.tell(options.steps);
    }
    Ok(LrCurve { rates, losses, smoothed, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(losses: &[f64]) -> LrCurve {
        let options = LrFindOptions::default().start(1e-6).end(1.0).steps(losses.len().max(2));
        let rates = (0..losses.len()).map(|step| options.rate(step)).collect();
        LrCurve { rates, losses: losses.to_vec(), smoothed: losses.to_vec(), end: SweepEnd::Diverged }
    }

    #[test]
    fn rates_grow_by_a_factor() {
        let options = LrFindOptions::default().start(1e-4).end(1e-2).steps(3);
        let rates: Vec<f64> = (0..3).map(|step| options.rate(step)).collect();
        rates.iter().zip([1e-4, 1e-3, 1e-2]).for_each(|(a, b)| assert!((a / b - 1.0).abs() < 1e-12));
    }

    /// A step from 10 to 4 between the points 20 and 30 of 60, with noise, and a rise at the end.
    #[test]
    fn the_steepest_fall_is_suggested() {
        let losses: Vec<f64> = (0..60)
            .map(|i| {
                let x = f64::from(i);
                let step = 10.0 - 6.0 / (1.0 + (-(x - 25.0)).exp());
                step + 0.3 * (x * 7.7).sin() + if i > 50 { (x - 50.0).exp() } else { 0.0 }
            })
            .collect();
        let found = curve(&losses).suggestion().unwrap();
        let place = 59.0 * (found / 1e-6).log10() / 6.0;
        assert!((place - 25.0).abs() <= 2.0, "{place}");
    }

    #[test]
    fn a_curve_that_never_falls_suggests_nothing() {
        for losses in [&[][..], &[1.0], &[f64::NAN], &[1.0, 5.0], &[1.0, f64::INFINITY], &[1.0; 20]] {
            assert_eq!(curve(losses).suggestion(), None, "{losses:?}");
        }
        let rising: Vec<f64> = (0..20).map(f64::from).collect();
        assert_eq!(curve(&rising).suggestion(), None);
        // A dip in the first points is noise of single batches.
        let noise: Vec<f64> = (0..60).map(|i| 17.0 + 0.6 * (f64::from(i) * 1.3).sin()).collect();
        assert_eq!(curve(&noise).suggestion(), None);
    }

    #[test]
    fn options_out_of_range_are_named() {
        let base = LrFindOptions::default;
        for (options, part) in [
            (base().start(0.0), "start"),
            (base().end(1e-9), "end"),
            (base().steps(1), "steps"),
            (base().end(f64::NAN), "end"),
            (base().start(f64::MIN_POSITIVE).end(f64::MAX), "end"),
            (base().start(f64::INFINITY), "start"),
        ] {
            assert!(options.check().unwrap_err().to_string().contains(part), "{part}");
        }
    }
}
