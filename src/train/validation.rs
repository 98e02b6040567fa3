//! Measures on fixed pairs.

use tch::Kind;

use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::device::Precision;
use crate::error::Result;

/// The mean of each of the model's measures over all validation pairs, weighted by images; `None` where there are no
/// pairs or no measures.
pub(crate) fn validate(model: &dyn Translator, data: &DataBunch, precision: Precision) -> Result<Option<Vec<f64>>> {
    let names = model.metric_names();
    if names.is_empty() || data.valid_batches() == 0 {
        return Ok(None);
    }
    let (mut sums, mut images) = (vec![0.0; names.len()], 0.0);
    for batch in data.validation()? {
        let batch = batch?;
        let weight = batch.size() as f64;
        let means = Vec::<f64>::try_from(model.validate(&batch, precision)?.f_to_kind(Kind::Double)?)?;
        sums.iter_mut().zip(means).for_each(|(sum, mean)| *sum += weight * mean);
        images += weight;
    }
    Ok(Some(sums.into_iter().map(|sum| sum / images).collect()))
}
