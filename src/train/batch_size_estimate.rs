//! The batch sizes that memory has room for, by counting.

use std::fmt;

use tch::Device;

use super::memory::{Bytes, MemoryEstimate};
use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::device::{Precision, free_memory};
use crate::error::{Error, ErrorKind, Result};

/// Share of the free memory that the recommended size may take; other programs run too.
const SHARE_OF_FREE: f64 = 0.8;
/// The largest batch size that data can have.
const MOST: usize = 1 << 16;

/// What keeps a batch from being larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchSizeLimit {
    /// One chip more of each domain would not fit in the free memory.
    Memory,
    /// There are no more training chips to fill it with.
    Chips,
}

/// Batch sizes that fit in memory, in chips of each domain; arcgis.learn's `estimate_batch_size` gives the first two.
///
/// Sizes are counted, not tried: see [`MemoryEstimate`] for how good the count is, and
/// [`BatchSize::Auto`](crate::dataset::BatchSize::Auto) for what is the fastest. A larger batch makes fewer updates in an
/// epoch; the recipe of the paper is 1.
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
    /// The largest power of two whose training takes at most 80 % of the free memory; 1 where none does.
    pub recommended: usize,
    /// The largest size whose training the free memory holds.
    pub max: usize,
    /// What keeps [`max`](Self::max) from being larger.
    pub limit: BatchSizeLimit,
    /// What training in batches of the recommended size takes.
    pub memory: MemoryEstimate,
    /// Bytes that are free on the model's device.
    pub free: u64,
}

impl fmt::Display for BatchSizeEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recommended, max, limit, memory, free } = self;
        let why = match limit {
            BatchSizeLimit::Memory => "one more would not fit in memory",
            BatchSizeLimit::Chips => "as many as there are training chips",
        };
        write!(f, "batch size {recommended} recommended, {max} at most ({why}); ")?;
        write!(f, "{} free; {recommended} would take {memory}", Bytes(*free))
    }
}

/// Estimates the batch sizes that `model` can train with on `data`, in the default precision and one batch an update; nothing is
/// trained. [`CycleGan::estimate_batch_size`](crate::CycleGan::estimate_batch_size) calls this; a model of your own needs it.
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
/// `Limits` when not even one chip of each domain fits; `Unsupported` when the model has no
/// [`memory_need`](Translator::memory_need) or the system does not say how much memory is free.
pub fn estimate_batch_size(model: &dyn Translator, data: &DataBunch) -> Result<BatchSizeEstimate> {
    estimate_within(model, data, &free_memory)
}

/// The same where `free` says how much memory is free.
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
    let on_device = free(device).ok_or_else(|| unsupported("the system does not say how much memory is free"))?;
    let precision = Precision::Auto.on(device)?;
    let need = |size: usize| {
        let need = model.memory_need(&data.with_batch_size(size)?, precision, 1);
        need.ok_or_else(|| unsupported("the model does not tell what it takes"))
    };
    need(1)?.check_within(device, free, 1, "")?;
    let most = data.draws().clamp(1, MOST);
    let fits = |size: usize, share: f64| {
        Ok(need(size)?.still_needed(device).into_iter().all(|(device, bytes)| {
            // What is not known does not limit.
            free(device).is_none_or(|free| bytes as f64 <= share * free as f64)
        }))
    };
    let max = largest(most, |size| fits(size, 1.0))?;
    let powers = max.ilog2() as usize + 1;
    let recommended = 1 << (largest(powers, |power| fits(1 << (power - 1), SHARE_OF_FREE))? - 1);
    let limit = if max == most { BatchSizeLimit::Chips } else { BatchSizeLimit::Memory };
    Ok(BatchSizeEstimate { recommended, max, limit, memory: need(recommended)?, free: on_device })
}

/// Returns the largest of 1 to `most` that `fits`, of which all smaller ones fit as well; 1 where none does.
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
    fn sizes_are_those_that_memory_has_room_for() {
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
    fn more_chips_than_there_are_make_no_larger_batch() {
        let data = prepare_data("assets/bluemarble", DatasetType::CycleGan).unwrap();
        let chips = data.len(Domain::A).max(data.len(Domain::B));
        let found = estimate(Some(u64::MAX)).unwrap();
        assert_eq!((found.max, found.limit), (chips, BatchSizeLimit::Chips));
        assert!(found.recommended <= chips && 2 * found.recommended > chips);
        assert!(found.to_string().contains("training chips"), "{found}");
    }

    #[test]
    fn what_is_not_known_is_said() {
        assert_eq!(estimate(None).unwrap_err().kind(), ErrorKind::Unsupported);
        let data = prepare_data("assets/bluemarble", DatasetType::CycleGan).unwrap();
        let silent = estimate_within(&Linear(false), &data, &|_| Some(1)).unwrap_err();
        assert!(silent.kind() == ErrorKind::Unsupported && silent.to_string().contains("BatchSize::Auto"), "{silent}");
        let error = estimate(Some(149)).unwrap_err();
        assert!(error.kind() == ErrorKind::Limits && error.to_string().contains("batch_size is 1 already"), "{error}");
    }
}
