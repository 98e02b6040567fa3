//! The interface between the trainer and a quality metric.

use std::collections::HashSet;
use std::fmt;

use tch::Tensor;

use crate::dataset::{DataBunch, Domain};
use crate::error::{Error, ErrorKind, Result};

/// Whether lower or higher values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Better {
    /// Lower values, as for losses and distances.
    Lower,
    /// Higher values, as for PSNR and SSIM.
    Higher,
}

impl Better {
    /// Returns `value` with the sign that makes lower values better.
    pub(crate) fn as_loss(self, value: f64) -> f64 {
        match self {
            Self::Lower => value,
            Self::Higher => -value,
        }
    }
}

/// A value that a [`Metric`] reports for each validation: its name in the history, and which direction is better.
///
/// ```
/// use geolearn::metrics::{Better, MetricColumn};
///
/// let column = MetricColumn::new("valid_brightness_b", Better::Lower);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricColumn {
    /// The name, for example `valid_kid_b`.
    pub name: String,
    /// Whether lower or higher values are better.
    pub better: Better,
}

impl MetricColumn {
    /// Creates a column.
    pub fn new(name: impl Into<String>, better: Better) -> Self {
        Self { name: name.into(), better }
    }
}

/// A metric over the whole validation set, for [`FitOptions::metric`](crate::FitOptions::metric).
///
/// After each validated epoch, the trainer translates each validation chip once, in each direction that the model
/// supports, passes the translations to [`update`](Self::update) in batches, and records what [`finish`](Self::finish)
/// returns. The values can be monitored, stop training early, and select the best epoch.
///
/// ```
/// use geolearn::tch::{Kind, Tensor};
/// use geolearn::metrics::{Better, Metric, MetricColumn};
/// use geolearn::{Domain, FitOptions, Result};
///
/// /// How far translations into domain B are from gray, on average.
/// #[derive(Debug, Default)]
/// struct Colorfulness {
///     sum: f64,
///     images: i64,
/// }
///
/// impl Metric for Colorfulness {
///     fn columns(&self) -> Vec<MetricColumn> {
///         vec![MetricColumn::new("valid_colorfulness_b", Better::Higher)]
///     }
///
///     fn update(&mut self, to: Domain, _sources: &Tensor, translations: &Tensor) -> Result<()> {
///         if to == Domain::B {
///             let spread = translations.f_std_dim(&[1i64][..], false, false)?;
///             let means = spread.f_mean_dim(&[1i64, 2][..], false, Kind::Double)?;
///             self.sum += means.f_sum(Kind::Double)?.f_double_value(&[])?;
///             self.images += translations.size()[0];
///         }
///         Ok(())
///     }
///
///     fn finish(&mut self) -> Result<Vec<Option<f64>>> {
///         let Self { sum, images } = std::mem::take(self);
///         Ok(vec![(images > 0).then(|| sum / images as f64)])
///     }
/// }
///
/// let options = FitOptions::new(20).metric(Colorfulness::default()).monitor("valid_colorfulness_b");
/// ```
pub trait Metric: fmt::Debug + Send {
    /// Receives the domains that the model translates into, before any other call, so that the metric can limit its
    /// columns to these. Does nothing by default.
    fn aim(&mut self, _targets: &[Domain]) {}

    /// Returns the names and directions of the values, in the same order as [`finish`](Self::finish).
    fn columns(&self) -> Vec<MetricColumn>;

    /// Prepares for training on `data`; called once, before the first step.
    ///
    /// # Errors
    /// An error ends the fit before it starts.
    fn start(&mut self, _data: &DataBunch) -> Result<()> {
        Ok(())
    }

    /// Adds a batch of validation chips and their translations into domain `to`; chips are in the order of
    /// [`DataBunch::valid_files`].
    ///
    /// # Shapes
    /// Both are (N, C, H, W) in [-1, 1], in f32: sources of the other domain on the CPU, and translations on the
    /// model's device.
    ///
    /// # Errors
    /// An error ends the fit; the epoch remains recorded.
    fn update(&mut self, to: Domain, sources: &Tensor, translations: &Tensor) -> Result<()>;

    /// Returns a value for each column and resets the metric. `None`, or a nonfinite value, is recorded as not
    /// measured.
    ///
    /// # Errors
    /// See [`update`](Self::update).
    fn finish(&mut self) -> Result<Vec<Option<f64>>>;
}

/// Checks that all names are distinct and differ from those of the model.
pub(crate) fn check_columns<'a>(taken: impl Iterator<Item = &'a str>, columns: &[MetricColumn]) -> Result<()> {
    let mut names: HashSet<&str> = taken.collect();
    match columns.iter().find(|column| column.name.is_empty() || !names.insert(&column.name)) {
        Some(column) => Err(Error::new(ErrorKind::Usage, "each metric needs a name of its own")
            .expected("a name that no loss and no other metric has")
            .found(format!("{:?}", column.name))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_must_differ() {
        let column = |name: &str| MetricColumn::new(name, Better::Lower);
        let check = |columns: &[MetricColumn]| check_columns(["loss"].into_iter(), columns);
        assert!(check(&[column("a"), column("b")]).is_ok());
        for wrong in [&[column("a"), column("a")][..], &[column("loss")], &[column("")]] {
            assert_eq!(check(wrong).unwrap_err().kind(), ErrorKind::Usage);
        }
    }
}
