//! How many chips make a batch.

use crate::error::{Error, ErrorKind, Result};

/// The number of chips of each domain in a batch, or how it is found.
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
    /// in memory. Some steps in f32 are made at 1, 2, 4, … chips, and the model is put back as it was.
    ///
    /// Speed decides, so two runs may choose differently. A run that is to be repeated, or gone on with from a
    /// checkpoint, names its size: read it from [`CycleGan::batch_size`](crate::CycleGan::batch_size) once. A larger
    /// batch also makes fewer updates in an epoch; the recipe of the paper is 1.
    Auto,
}

/// More chips than any device holds.
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

    /// 1 while it is not known.
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
