//! Learning-rate range test (Smith 2017, arXiv:1506.01186, section 3.3).

use super::lr_find_options::LrFindOptions;
use super::memory::advise;
use super::restore_guard::RestoreGuard;
use super::translator::{StepContext, Translator};
use crate::dataset::{Batch, DataBunch};
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::peers::{self, Alone, JointBatch, Peers};
use crate::progress::Counter;

/// Weight of older losses in the smoothed curve, for each step.
const SMOOTHING: f64 = 0.9;
/// The sweep ends when the smoothed loss exceeds its lowest value by this factor.
const DIVERGED: f64 = 4.0;
/// A curve must fall by this share of its initial value to suggest anything: single batches differ by as much.
const LEAST_FALL: f64 = 0.05;

/// How a sweep over learning rates ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SweepEnd {
    /// The loss rose far above its lowest value, or was no longer finite.
    Diverged,
    /// The last rate was reached.
    LastRate,
}

/// The result of a sweep over learning rates.
///
/// ```no_run
/// use geolearn::{CycleGan, DatasetType, prepare_data};
///
/// let data = prepare_data("chips/", DatasetType::CycleGan)?;
/// let curve = CycleGan::new(&data)?.lr_find()?;
/// for (rate, loss) in curve.rates().iter().zip(curve.smoothed()) {
///     println!("{rate:.1e}: {loss:.3}");
/// }
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LrCurve {
    rates: Vec<f64>,
    losses: Vec<f64>,
    smoothed: Vec<f64>,
    end: SweepEnd,
}

impl LrCurve {
    /// Returns the rates that were tried, in rising order.
    pub fn rates(&self) -> &[f64] {
        &self.rates
    }

    /// Returns the model's first loss at each rate; the last one may not be finite.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Returns the smoothed losses.
    pub fn smoothed(&self) -> &[f64] {
        &self.smoothed
    }

    /// Returns how the sweep ended.
    pub fn end(&self) -> SweepEnd {
        self.end
    }

    /// Returns the rate at which the smoothed loss falls most steeply over the logarithm of the rate, before its lowest
    /// value. `None` if it never falls by 5 % from its initial value, for example because it diverges at once.
    ///
    /// The slope is that of a line through the neighboring points, a tenth of the sweep on either side; the first tenth
    /// determines the initial value.
    ///
    /// ```no_run
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("chips/", DatasetType::CycleGan)?;
    /// let curve = CycleGan::new(&data)?.lr_find()?;
    /// if let Some(rate) = curve.suggestion() {
    ///     println!("try a rate of {:.1e}", rate / 4.0);
    /// }
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn suggestion(&self) -> Option<f64> {
        let finite = self.smoothed.iter().take_while(|loss| loss.is_finite()).count();
        let losses = &self.smoothed[..finite];
        let window = (finite / 10).max(2);
        let begin = self.losses.get(..window)?.iter().sum::<f64>() / window as f64;
        let lowest = (window..finite).min_by(|&a, &b| losses[a].total_cmp(&losses[b]))?;
        if losses[lowest] > begin * (1.0 - LEAST_FALL) {
            return None;
        }
        // Slope of the least-squares line through the neighboring points, up to a factor.
        let slope =
            |i: usize| (0..=2 * window).map(|j| (j as f64 - window as f64) * losses[i + j - window]).sum::<f64>();
        let last = lowest.min(finite.checked_sub(window + 1)?);
        (window..=last).min_by(|&a, &b| slope(a).total_cmp(&slope(b))).map(|i| self.rates[i])
    }
}

/// Everything besides its options that a sweep's steps depend on.
#[derive(Clone, Copy)]
pub(super) struct SweepContext<'a> {
    /// The processes that make each step together.
    pub peers: &'a dyn Peers,
    pub precision: Precision,
    pub deterministic: bool,
    pub disc_lr_ratio: f64,
    pub is_asked_to_stop: &'a dyn Fn() -> bool,
}

/// A sweep by one process, controlled by its options alone.
const ALONE: SweepContext<'static> = SweepContext {
    peers: &Alone,
    precision: Precision::Auto,
    deterministic: false,
    disc_lr_ratio: 1.0,
    is_asked_to_stop: &|| false,
};

impl SweepContext<'_> {
    /// Makes a step, of which this process computes a part. Returns the model's first loss over all images of the
    /// batch, and whether any process was asked to stop.
    fn step(
        &self,
        model: &mut dyn Translator,
        (data, batches_done): (&DataBunch, usize),
        batch: &Batch,
        context: StepContext<'_>,
        is_asked: bool,
    ) -> Result<(f64, bool)> {
        let Self { peers, precision, deterministic, disc_lr_ratio, .. } = *self;
        let portion = data.portion(peers.part(), batches_done);
        let joint = (!peers.part().is_whole()).then(|| JointBatch::new(peers, portion.images));
        let share = joint.map_or(1.0, |_| portion.weight());
        let context = StepContext { precision, deterministic, disc_lr_ratio, share, joint, ..context };
        let loss = model.train_step(batch, context)?.f_double_value(&[0])?;
        let sums = peers::sum_values(peers, vec![loss * share, f64::from(u8::from(is_asked))])?;
        Ok((sums[0], sums[1] > 0.0))
    }
}

/// Runs a sweep and restores the model bit for bit, whatever happens.
pub(crate) fn lr_find(
    model: &mut dyn Translator,
    data: &DataBunch,
    steps_in_life: u64,
    options: LrFindOptions,
) -> Result<LrCurve> {
    find_with_peers(model, data, steps_in_life, &options, ALONE)
}

/// Runs a sweep with several processes, which all call this and get the same curve.
pub(super) fn find_with_peers(
    model: &mut dyn Translator,
    data: &DataBunch,
    steps_in_life: u64,
    options: &LrFindOptions,
    setting: SweepContext<'_>,
) -> Result<LrCurve> {
    options.check()?;
    let device = model.torch_device();
    let mut guard = RestoreGuard::of(model)?;
    let swept = sweep(guard.model(), data, steps_in_life, options, setting);
    guard.end()?;
    swept.map_err(|error| advise(error, device, data.batch_size()))
}

fn stopped() -> Error {
    Error::new(ErrorKind::Stopped, "the sweep over learning rates was stopped before its end")
        .help("The model was restored. A new sweep starts with the first rate.")
}

fn sweep(
    model: &mut dyn Translator,
    data: &DataBunch,
    life: u64,
    options: &LrFindOptions,
    setting: SweepContext<'_>,
) -> Result<LrCurve> {
    let counter = Counter::new(options.control.progress, "learning rates", "steps", options.steps);
    let (mut rates, mut losses, mut smoothed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut average, mut lowest) = (0.0, f64::INFINITY);
    let mut end = SweepEnd::LastRate;
    // As many epochs as it takes; one without batches ends the sweep.
    let (part, mut epoch, mut batches_done) = (setting.peers.part(), 0, 0);
    let mut loader = data.epoch_of_part(part, epoch, 0)?;
    for step in 0..options.steps {
        let is_asked = options.is_stopped() || (setting.is_asked_to_stop)();
        // Other processes receive the request with the losses of the step.
        if is_asked && part.is_whole() {
            return Err(stopped());
        }
        if loader.len() == 0 {
            (epoch, batches_done) = (epoch + 1, 0);
            loader = data.epoch_of_part(part, epoch, 0)?;
        }
        let Some(batch) = loader.next() else {
            break;
        };
        let context = StepContext::new(options.rate(step), options.adam, life + step as u64);
        let (loss, is_asked) = setting.step(model, (data, batches_done), &batch?, context, is_asked)?;
        if is_asked {
            return Err(stopped());
        }
        batches_done += 1;
        counter.one(loss);
        options.tell(step + 1);
        average = SMOOTHING * average + (1.0 - SMOOTHING) * loss;
        // Corrects the first values of the average, which are too low by the weight of missing ones.
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

    /// A fall from 10 to 4 between points 20 and 30 of 60, with noise, and a rise at the end.
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
}
