//! Metrics on the validation chips.

use tch::Kind;

use super::translator::Translator;
use crate::dataset::{DataBunch, Domain, Split};
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Metric;
use crate::peers::{self, Peers};

/// Returns the mean of each of the model's own metrics over all validation pairs, weighted by images; `None` if there
/// are no pairs or no metrics. Each process measures its part of the pairs.
pub(crate) fn validate(
    model: &dyn Translator,
    data: &DataBunch,
    precision: Precision,
    peers: &dyn Peers,
) -> Result<Option<Vec<f64>>> {
    let names = model.metric_names();
    if names.is_empty() || data.valid_batches() == 0 {
        return Ok(None);
    }
    let (mut sums, mut images) = (vec![0.0; names.len()], 0.0);
    for batch in data.validation_of_part(peers.part())? {
        let batch = batch?;
        let weight = batch.size() as f64;
        let means = Vec::<f64>::try_from(model.validate(&batch, precision)?.f_to_kind(Kind::Double)?)?;
        sums.iter_mut().zip(means).for_each(|(sum, mean)| *sum += weight * mean);
        images += weight;
    }
    sums.push(images);
    let mut sums = peers::sum_values(peers, sums)?;
    let images = sums.pop().unwrap_or_default();
    Ok(Some(sums.into_iter().map(|sum| sum / images).collect()))
}

/// Passes every validation chip that the model can translate, with its translation, to each metric, and returns the
/// values of all columns by name.
pub(crate) fn measure(
    model: &dyn Translator,
    data: &DataBunch,
    metrics: &mut [Box<dyn Metric>],
) -> Result<Vec<(String, Option<f64>)>> {
    if metrics.is_empty() {
        return Ok(Vec::new());
    }
    for to in Domain::BOTH.into_iter().filter(|to| model.targets().contains(to)) {
        let chips: Vec<usize> = (0..data.valid_len(to.other())).collect();
        for batch in chips.chunks(data.batch_size()) {
            let sources = data.chips(to.other(), Split::Valid, batch)?;
            let translations = model.translate(&sources, to)?;
            metrics.iter_mut().try_for_each(|metric| metric.update(to, &sources, &translations))?;
        }
    }
    let mut values = Vec::new();
    for metric in metrics {
        values.extend(finished(metric.as_mut())?);
    }
    Ok(values)
}

fn finished(metric: &mut dyn Metric) -> Result<impl Iterator<Item = (String, Option<f64>)>> {
    let (columns, values) = (metric.columns(), metric.finish()?);
    if columns.len() != values.len() {
        return Err(Error::new(ErrorKind::Usage, format!("{metric:?} returned a wrong number of values"))
            .expected(columns.len())
            .found(values.len()));
    }
    for (column, _) in columns.iter().zip(&values).filter(|(_, value)| value.is_some_and(|value| !value.is_finite())) {
        tracing::warn!(metric = column.name, "the value is not finite and is recorded as not measured");
    }
    Ok(columns.into_iter().map(|column| column.name).zip(values))
}
