//! Estimates the batch sizes that fit into memory, without training.

use std::fmt;

use tch::Device;

use super::memory::{Bytes, MemoryEstimate};
use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::device::{Precision, free_memory};
use crate::error::{Error, ErrorKind, Result};

/// Share of the free memory that the recommended size may use; other programs run, too.
const SHARE_OF_FREE: f64 = 0.8;
/// The largest batch size that the data may have.
const MOST: usize = 1 << 16;

/// What limits the batch size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchSizeLimit {
    /// One more chip of each domain would not fit into the free memory.
    Memory,
    /// There are no more training chips to fill the batch with.
    Chips,
}

/// Batch sizes that fit into memory, in chips of each domain; the first two are those of arcgis.learn's
/// `estimate_batch_size`.
///
/// Sizes are computed, not measured: [`MemoryEstimate`] describes the accuracy, and
/// [`BatchSize::Auto`](crate::dataset::BatchSize::Auto) finds the fastest size. A larger batch makes fewer updates in
/// an epoch; the paper's recipe uses 1.
///
/// ```
/// use geolearn::{CycleGan, DatasetType, Device, PrepareData};
///
/// let options = PrepareData::new("assets/bluemarble", DatasetType::CycleGan);
/// let data = options.prepare()?;
/// let mut model = CycleGan::builder(&data).gen_features(8).disc_features(8).device(Device::Cpu).build()?;
/// let estimate = model.estimate_batch_size()?;
/// println!("{estimate}"); // batch size 32 recommended, 54 at most (as many as there are training chips); …
/// let data = data.with_batch_size(estimate.recommended)?;
/// assert!(estimate.recommended.is_power_of_two() && estimate.recommended <= estimate.max);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchSizeEstimate {
    /// The largest power of two whose training takes at most 80 % of the free memory; 1 if none does.
    pub recommended: usize,
    /// The largest size whose training fits into the free memory.
    pub max: usize,
    /// What limits [`max`](Self::max).
    pub limit: BatchSizeLimit,
    /// Memory for training with the recommended size.
    pub memory: MemoryEstimate,
    /// Free memory of the model's device, in bytes.
    pub free: u64,
}

impl fmt::Display for BatchSizeEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recommended, max, limit, memory, free } = self;
        let why = match limit {
            BatchSizeLimit::Memory => "one more would not fit into memory",
            BatchSizeLimit::Chips => "as many as there are training chips",
        };
        write!(f, "batch size {recommended} recommended, {max} at most ({why}); ")?;
        write!(f, "{} free; {recommended} would take {memory}", Bytes(*free))
    }
}

/// Estimates the batch sizes that `model` can train with on `data`, in the default precision and with one batch for
/// each update; nothing is trained. [`CycleGan::estimate_batch_size`](crate::CycleGan::estimate_batch_size) calls this
/// function, and models of your own can, too.
///
/// ```
/// use geolearn::train::{Translator, estimate_batch_size};
/// use geolearn::{DataBunch, Result};
///
/// fn with_room(model: &dyn Translator, data: &DataBunch) -> Result<DataBunch> {
///     data.with_batch_size(estimate_batch_size(model, data)?.recommended)
/// }
/// ```
///
/// # Errors
/// `Limits` if not even one chip of each domain fits; `Unsupported` if the model has no
/// [`memory_need`](Translator::memory_need) or the system does not report free memory.
pub fn estimate_batch_size(model: &dyn Translator, data: &DataBunch) -> Result<BatchSizeEstimate> {
    estimate_within(model, data, &free_memory)
}

/// Estimates with `free` as the source of free memory.
pub(crate) fn estimate_within(
    model: &dyn Translator,
    data: &DataBunch,
    free: &dyn Fn(Device) -> Option<u64>,
) -> Result<BatchSizeEstimate> {
    let device = model.torch_device();
    let unsupported = |what: &str| {
        Error::new(ErrorKind::Unsupported, format!("the batch size cannot be estimated: {what}"))
            .help("BatchSize::Auto tries sizes instead.")
    };
    let on_device = free(device).ok_or_else(|| unsupported("the system does not report free memory"))?;
    let precision = Precision::Auto.on(device)?;
    let need = |size: usize| {
        let need = model.memory_need(&data.with_batch_size(size)?, precision, 1);
        need.ok_or_else(|| unsupported("the model does not report its memory requirements"))
    };
    need(1)?.check_within(device, free, 1, "")?;
    let most = data.draws().clamp(1, MOST);
    let fits = |size: usize, share: f64| {
        Ok(need(size)?.still_needed(device).into_iter().all(|(device, bytes)| {
            // Unknown memory does not limit.
            free(device).is_none_or(|free| bytes as f64 <= share * free as f64)
        }))
    };
    let max = largest(most, |size| fits(size, 1.0))?;
    let powers = max.ilog2() as usize + 1;
    let recommended = 1 << (largest(powers, |power| fits(1 << (power - 1), SHARE_OF_FREE))? - 1);
    let limit = if max == most { BatchSizeLimit::Chips } else { BatchSizeLimit::Memory };
    Ok(BatchSizeEstimate { recommended, max, limit, memory: need(recommended)?, free: on_device })
}

/// Returns the largest of 1 to `most` that `fits`, assuming that all smaller ones fit, too; 1 if none does.
fn largest(most: usize, fits: impl Fn(usize) -> Result<bool>) -> Result<usize> {
    let (mut low, mut high) = (1, most);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        match fits(middle)? {
            true => low = middle,
            false => high = middle - 1,
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;
    use crate::dataset::{Batch, DatasetType, Domain, prepare_data};
    use crate::train::{StepContext, TrainState};

    /// Takes 100 bytes, and 50 more for each chip of a domain.
    struct Linear(bool);

    impl Translator for Linear {
        fn loss_names(&self) -> &'static [&'static str] {
            &[]
        }

        fn train_step(&mut self, _: &Batch, _: StepContext<'_>) -> Result<Tensor> {
            Err(Error::new(ErrorKind::Usage, "nothing is to be trained"))
        }

        fn translate(&self, images: &Tensor, _: Domain) -> Result<Tensor> {
            Ok(images.shallow_clone())
        }

        fn torch_device(&self) -> Device {
            Device::Cpu
        }

        fn state(&self) -> TrainState {
            TrainState::new(Vec::new())
        }

        fn restore(&mut self, _: &TrainState) -> Result<()> {
            Ok(())
        }

        fn memory_need(&self, data: &DataBunch, _: Precision, _: usize) -> Option<MemoryEstimate> {
            let activations = 100 + 50 * data.batch_size() as u64;
            self.0.then(|| MemoryEstimate { activations, parameters: 1 << 40, ..MemoryEstimate::default() })
        }
    }

    fn estimate(free: Option<u64>) -> Result<BatchSizeEstimate> {
        let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
        estimate_within(&Linear(true), &data, &|_| free)
    }

    #[test]
    fn sizes_fit_into_memory() {
        // 100 + 50 n of what is free, and of 80 % of it.
        for (free, max, recommended) in
            [(150, 1, 1), (199, 1, 1), (200, 2, 1), (250, 3, 2), (625, 10, 8), (624, 10, 4), (1150, 21, 16)]
        {
            let found = estimate(Some(free)).unwrap();
            assert_eq!(
                (found.max, found.recommended, found.limit),
                (max, recommended, BatchSizeLimit::Memory),
                "{free}"
            );
            assert_eq!((found.free, found.memory.activations), (free, 100 + 50 * recommended as u64));
        }
    }

    #[test]
    fn chips_limit_the_batch_size() {
        let data = prepare_data("assets/bluemarble", DatasetType::CycleGan).unwrap();
        let chips = data.len(Domain::A).max(data.len(Domain::B));
        let found = estimate(Some(u64::MAX)).unwrap();
        assert_eq!((found.max, found.limit), (chips, BatchSizeLimit::Chips));
        assert!(found.recommended <= chips && 2 * found.recommended > chips);
        assert!(found.to_string().contains("training chips"), "{found}");
    }

    #[test]
    fn missing_information_is_an_error() {
        assert_eq!(estimate(None).unwrap_err().kind(), ErrorKind::Unsupported);
        let data = prepare_data("assets/bluemarble", DatasetType::CycleGan).unwrap();
        let silent = estimate_within(&Linear(false), &data, &|_| Some(1)).unwrap_err();
        assert!(silent.kind() == ErrorKind::Unsupported && silent.to_string().contains("BatchSize::Auto"), "{silent}");
        let error = estimate(Some(149)).unwrap_err();
        assert!(error.kind() == ErrorKind::Limits && error.to_string().contains("batch_size is 1 already"), "{error}");
    }
}
