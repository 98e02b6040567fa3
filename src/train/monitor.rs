//! The monitor: the loss or metric that decides the best epoch and early stopping.

use super::history::History;
use super::translator::Translator;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::{Better, MetricColumn};

pub(super) const NO_VALIDATION: &str =
    "Metrics on validation chips need val_split_pct above 0 and validate_every above 0.";

/// A loss or metric by name, and whether lower or higher values are better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Monitor {
    pub name: String,
    better: Better,
}

impl Monitor {
    /// Finds the monitor of a fit: `asked`, or the first of the model's own metrics if there is validation, or its
    /// first loss. Added metrics come after the model's.
    pub fn find(
        asked: Option<&str>,
        model: &dyn Translator,
        added: &[MetricColumn],
        is_validated: bool,
    ) -> Result<Self> {
        let (metrics, added) = if is_validated { (model.metric_names(), added) } else { Default::default() };
        let losses = || metrics.iter().chain(model.loss_names()).copied();
        let Some(asked) = asked else {
            return Ok(Self { name: losses().next().unwrap_or_default().to_string(), better: Better::Lower });
        };
        if let Some(column) = added.iter().find(|column| column.name == asked) {
            return Ok(Self { name: asked.to_string(), better: column.better });
        }
        if losses().any(|name| name == asked) {
            return Ok(Self { name: asked.to_string(), better: Better::Lower });
        }
        let known: Vec<&str> = losses().chain(added.iter().map(|column| column.name.as_str())).collect();
        let error = Error::new(ErrorKind::Usage, "there is no such loss or metric to monitor")
            .expected(format!("one of {}", known.join(", ")))
            .found(asked);
        Err(match is_validated {
            true => error.help("Add a metric of your own with FitOptions::metric."),
            false => error.help(NO_VALIDATION),
        })
    }

    /// Returns the values of the epochs from index `from` (0-based) on, with the sign that makes lower ones better, and
    /// whether the last one belongs to the last epoch: epochs between validations have none.
    pub fn values(&self, history: &History, from: usize) -> (Vec<f64>, bool) {
        let curve = history.curve(&self.name).unwrap_or_default();
        let curve: Vec<_> = curve.into_iter().filter(|(n, _)| *n > from).collect();
        let is_fresh = curve.last().is_some_and(|(n, _)| *n == history.epochs().len());
        (curve.into_iter().map(|(_, value)| self.better.as_loss(value)).collect(), is_fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::EpochRecord;

    #[test]
    fn higher_values_can_be_better() {
        let mut history = History::default();
        history.set_names(&["loss"], ["valid_ssim_b"]);
        for (n, value) in [(1, Some(0.3)), (2, None), (3, Some(0.5)), (4, None)] {
            let (losses, metrics) = (vec![1.0], Vec::new());
            history.push(EpochRecord { metrics, ..EpochRecord::new(n, 0.1, losses, 1, 1.0) });
            history.set_last_metric("valid_ssim_b", value);
        }
        let monitor = |better| Monitor { name: "valid_ssim_b".to_string(), better };
        assert_eq!(monitor(Better::Higher).values(&history, 0), (vec![-0.3, -0.5], false));
        assert_eq!(monitor(Better::Lower).values(&history.until(3), 1), (vec![0.5], true));
    }
}
