//! Finds the batch size that trains fastest, by measuring.

use std::time::{Duration, Instant};

use super::memory::{Bytes, SCRATCH, advise};
use super::restore_guard::RestoreGuard;
use super::translator::{StepContext, Translator};
use crate::dataset::{Batch, DataBunch};
use crate::device::{Precision, free_memory};
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::measure_memory;
use crate::optim::AdamOptions;

/// Share of the free memory that a step may use; other programs run, too.
const SHARE_OF_FREE: f64 = 0.8;
/// Ratio that counts as faster.
const GAIN: f64 = 1.05;
const SHORTEST_TRIAL: Duration = Duration::from_millis(300);
const FEWEST_STEPS: usize = 2;
const MOST_STEPS: usize = 10;

/// Measurement of one batch size; see [`BatchSize::Auto`](crate::dataset::BatchSize::Auto).
///
/// ```
/// use geolearn::{CycleGan, DatasetType, Device, PrepareData};
///
/// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).batch_size(2).prepare()?;
/// let model = CycleGan::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).device(Device::Cpu).build()?;
/// for trial in model.batch_size_trials() {
///     println!("{}: {} bytes, {} images/s", trial.batch_size, trial.peak_bytes, 1.0 / trial.seconds_per_image);
/// }
/// assert!(model.batch_size_trials().is_empty(), "the size was given");
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct BatchSizeTrial {
    /// Chips of each domain.
    pub batch_size: usize,
    /// Peak memory that libtorch's allocators gave out for a step; memory of oneDNN or cuDNN comes on top.
    pub peak_bytes: u64,
    /// Time of the fastest step divided by the batch size; one image is one chip of each domain.
    pub seconds_per_image: f64,
}

/// Returns the size to train with, and the measurements. Weights, moments and image pools are restored afterwards.
///
/// # Errors
/// `Limits` if not even one chip of each domain fits; whatever a step reports.
pub(crate) fn choose_batch_size(model: &mut dyn Translator, data: &DataBunch) -> Result<(usize, Vec<BatchSizeTrial>)> {
    let device = model.torch_device();
    let one = data.with_batch_size(1)?;
    let precision = Precision::Auto.on(device)?;
    if let Some(estimate) = model.memory_need(&one, precision, 1) {
        estimate.check(device, 1, "")?;
    }
    let mut guard = RestoreGuard::of(model)?;
    let free = free_memory(device).map_or(f64::INFINITY, |bytes| bytes as f64);
    let found = search(data.draws(), SHARE_OF_FREE * free, |n| trial(guard.model(), data, n));
    guard.end()?;
    let trials = found.map_err(|error| advise(error, device, 1))?;
    let chosen = choose(&trials).ok_or_else(|| Error::new(ErrorKind::Usage, "there are no chips to try"))?;
    tracing::info!(batch_size = chosen, "batch size chosen by trial; set it explicitly to repeat this run");
    Ok((chosen, trials))
}

/// Tries 1, 2, 4, … up to `most`, until the next size would take more than `budget` bytes or is no longer faster.
fn search(
    most: usize,
    budget: f64,
    mut trial: impl FnMut(usize) -> Result<BatchSizeTrial>,
) -> Result<Vec<BatchSizeTrial>> {
    let mut trials: Vec<BatchSizeTrial> = Vec::new();
    let mut size = 1;
    while size <= most {
        let done = match trial(size) {
            Err(error) if error.is_out_of_memory() && !trials.is_empty() => {
                tracing::info!(batch_size = size, %error, "does not fit into memory");
                break;
            }
            other => other?,
        };
        let BatchSizeTrial { peak_bytes, seconds_per_image, .. } = done;
        tracing::info!(batch_size = size, peak = %Bytes(peak_bytes), seconds_per_image, "batch size tried");
        let faster = trials.last().is_none_or(|last| last.seconds_per_image >= GAIN * seconds_per_image);
        trials.push(done);
        if !faster || SCRATCH * next_peak(&trials) > budget {
            break;
        }
        size *= 2;
    }
    Ok(trials)
}

/// Extrapolates the peak of twice the last size from the last two measurements.
fn next_peak(trials: &[BatchSizeTrial]) -> f64 {
    let peaks: Vec<f64> = trials.iter().rev().take(2).map(|trial| trial.peak_bytes as f64).collect();
    match peaks[..] {
        [last, before] => last + 2.0 * (last - before).max(0.0),
        [only] => 2.0 * only,
        _ => 0.0,
    }
}

/// Returns the smallest size that is about as fast as the fastest.
fn choose(trials: &[BatchSizeTrial]) -> Option<usize> {
    let best = trials.iter().map(|trial| trial.seconds_per_image).fold(f64::INFINITY, f64::min);
    trials.iter().find(|trial| trial.seconds_per_image <= GAIN * best).map(|trial| trial.batch_size)
}

/// Measures steps on the first batch of the data with this size.
fn trial(model: &mut dyn Translator, data: &DataBunch, batch_size: usize) -> Result<BatchSizeTrial> {
    let none = || Error::new(ErrorKind::Usage, "there are no chips to try");
    let batch = data.with_batch_size(batch_size)?.epoch(0)?.next().ok_or_else(none)??;
    // The first step is slower: kernels are chosen and memory is allocated.
    let (_, used) = measure_memory(|| timed_step(model, &batch))?;
    let (started, mut fastest, mut steps) = (Instant::now(), f64::INFINITY, 0);
    while steps < FEWEST_STEPS || (steps < MOST_STEPS && started.elapsed() < SHORTEST_TRIAL) {
        fastest = fastest.min(timed_step(model, &batch)?);
        steps += 1;
    }
    let peak_bytes = u64::try_from(used.peak).unwrap_or(0);
    Ok(BatchSizeTrial { batch_size, peak_bytes, seconds_per_image: fastest / batch.size().max(1) as f64 })
}

/// Returns the seconds of a step, including the wait for the device when its losses are read.
fn timed_step(model: &mut dyn Translator, batch: &Batch) -> Result<f64> {
    let started = Instant::now();
    let losses = model.train_step(batch, StepContext::new(2e-4, AdamOptions::default(), 0))?;
    let _ = Vec::<f64>::try_from(losses.f_to_kind(tch::Kind::Double)?)?;
    Ok(started.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: f64 = 1e6;

    /// Simulates a device whose step takes 10 MB plus 5 MB for each image, and `seconds` for each image.
    fn device(seconds: impl Fn(usize) -> f64) -> impl FnMut(usize) -> Result<BatchSizeTrial> {
        move |n| {
            let seconds_per_image = seconds(n);
            Ok(BatchSizeTrial { batch_size: n, peak_bytes: 10_000_000 + 5_000_000 * n as u64, seconds_per_image })
        }
    }

    fn sizes(most: usize, budget: f64, trial: impl FnMut(usize) -> Result<BatchSizeTrial>) -> (Vec<usize>, usize) {
        let trials = search(most, budget, trial).unwrap();
        (trials.iter().map(|trial| trial.batch_size).collect(), choose(&trials).unwrap())
    }

    #[test]
    fn the_smallest_fast_size_is_chosen() {
        let levels_off = |n: usize| [1.0, 0.6, 0.5, 0.49][n.trailing_zeros().min(3) as usize];
        assert_eq!(sizes(1000, f64::INFINITY, device(levels_off)), (vec![1, 2, 4, 8], 4));
        assert_eq!(sizes(1000, f64::INFINITY, device(|_| 1.0)), (vec![1, 2], 1));
        assert_eq!(sizes(1000, f64::INFINITY, device(|n| n as f64)), (vec![1, 2], 1));
    }

    #[test]
    fn chips_and_memory_limit_the_size() {
        let pays = |n: usize| 1.0 / n as f64;
        assert_eq!(sizes(5, f64::INFINITY, device(pays)), (vec![1, 2, 4], 4));
        // 8 images take 50 MB, 16 would take 90; a third of each is added for scratch.
        assert_eq!(sizes(1000, 70.0 * MB, device(pays)), (vec![1, 2, 4, 8], 8));
        assert_eq!(sizes(1000, 125.0 * MB, device(pays)), (vec![1, 2, 4, 8, 16], 16));
    }

    #[test]
    fn running_out_of_memory_ends_the_search_unless_nothing_fits() {
        let mut good = device(|n| 1.0 / n as f64);
        let full = || Err(Error::torch("CUDA out of memory. Tried to allocate 20.00 GiB"));
        let limited = move |n| if n > 4 { full() } else { good(n) };
        assert_eq!(sizes(1000, f64::INFINITY, limited), (vec![1, 2, 4], 4));
        assert!(search(1000, f64::INFINITY, |_| full()).unwrap_err().is_out_of_memory());
        let other = |_| Err(Error::new(ErrorKind::Io, "chip is gone"));
        assert_eq!(search(1000, f64::INFINITY, other).unwrap_err().kind(), ErrorKind::Io);
    }
}
