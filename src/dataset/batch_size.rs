//! The batch size.

use crate::error::{Error, ErrorKind, Result};

/// The number of chips of each domain in a batch.
///
/// ```no_run
/// use geolearn::dataset::BatchSize;
/// use geolearn::{CycleGan, DatasetType, PrepareData};
///
/// let data = PrepareData::new("chips/", DatasetType::CycleGan).batch_size(BatchSize::Auto).prepare()?;
/// let model = CycleGan::new(&data)?;
/// println!("{:?} of {:?}", model.batch_size(), model.batch_size_trials());
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchSize {
    /// This number.
    Fixed(usize),
    /// Measured when a model is built on the data: the smallest number whose speed is within 5 % of the best that fits
    /// in memory. The model makes a few steps in f32 with 1, 2, 4, … chips, and is then restored.
    ///
    /// Because speed decides, two runs may choose differently. For a reproducible or resumable run, set the size explicitly:
    /// [`CycleGan::batch_size`](crate::CycleGan::batch_size) returns the measured one. A larger batch also makes fewer
    /// updates in an epoch; the paper uses 1.
    Auto,
}

/// More chips than fit on any device.
const MOST: usize = 1 << 16;

impl BatchSize {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Fixed(chips) if !(1..=MOST).contains(&chips) => {
                Err(Error::new(ErrorKind::Usage, "batch_size is out of range")
                    .expected(format!("1 to {MOST}"))
                    .found(chips))
            }
            _ => Ok(()),
        }
    }

    /// Returns 1 while the size is unknown.
    pub(super) fn or_one(self) -> usize {
        match self {
            Self::Fixed(chips) => chips,
            Self::Auto => 1,
        }
    }
}

impl From<usize> for BatchSize {
    fn from(chips: usize) -> Self {
        Self::Fixed(chips)
    }
}
