//! Bands of a domain and their statistics.

use serde_json::{Value, json};

use super::json::{Keys, numbers};
use crate::error::Result;

const MAX_BANDS: u64 = 65_536;
const RGB: usize = 3;

/// The number of bands of a domain, and their statistics.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct DomainBands {
    pub bands: usize,
    /// One number for each band. NaN stands for null in the file.
    pub min: Option<Vec<f64>>,
    pub max: Option<Vec<f64>>,
    pub mean: Option<Vec<f64>>,
    pub std: Option<Vec<f64>>,
}

impl DomainBands {
    /// Older files of RGB models have neither counts nor statistics; arcgis.learn then assumes three bands of 0 to 255.
    pub(super) fn read(keys: Keys, count: &str, stats: &str) -> Result<Self> {
        let absent = |key: &&str| keys.optional(key).is_none();
        let old = keys.optional("IsMultispectral").and_then(Value::as_bool) != Some(true)
            && ["n_channel_rev", stats].iter().all(absent);
        if old {
            let known = ["n_channel", "n_intput_channel"].into_iter().find(|key| !absent(key));
            let bands = known.map_or(Ok(RGB), |key| keys.integer(key, 1, MAX_BANDS))?;
            return Ok(Self {
                bands,
                min: Some(vec![0.0; bands]),
                max: Some(vec![255.0; bands]),
                mean: None,
                std: None,
            });
        }
        let prefix = format!("{stats}.");
        let stats = Keys { object: keys.object(stats)?, prefix: &prefix };
        // In older multispectral files, `n_channel` is the number of network channels; bands are those of the
        // statistics.
        let bands = match keys.optional("n_channel_rev") {
            Some(_) => keys.integer(count, 1, MAX_BANDS)?,
            None => stats.get("band_min_values", "a number for each band", |list| list.as_array().map(Vec::len))?,
        };
        let expected = format!("a number for each of the {bands} bands (`{count}`)");
        let list = |key| stats.get_optional(key, &expected, |value| numbers(value).filter(|list| list.len() == bands));
        Ok(Self {
            bands,
            min: list("band_min_values")?,
            max: list("band_max_values")?,
            mean: list("band_mean_values")?,
            std: list("band_std_values")?,
        })
    }

    /// Returns the statistics as an object, with the other keys of `before`.
    pub(super) fn stats(&self, before: Option<&Value>) -> Value {
        let mut stats = before.and_then(Value::as_object).cloned().unwrap_or_else(|| {
            let unknown = ["scaled_min_values", "scaled_max_values", "scaled_mean_values", "scaled_std_values"];
            let ours = ["band_min_values", "band_max_values", "band_mean_values", "band_std_values"];
            ours.into_iter().chain(unknown).map(|key| (key.to_owned(), Value::Null)).collect()
        });
        let lists = [("min", &self.min), ("max", &self.max), ("mean", &self.mean), ("std", &self.std)];
        for (name, list) in lists {
            // Numbers that are not finite become null: JSON has no NaN.
            stats.insert(format!("band_{name}_values"), json!(list));
        }
        stats.into()
    }
}
