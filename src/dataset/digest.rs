//! What tells two data sets apart.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::augment::Augment;
use super::bunch::{DataBunch, Split};
use super::domain::{Domain, PerDomain};
use super::normalise::{Normaliser, Values};
use super::statistics::Statistics;
use crate::error::Result;

/// Everything on which the batches of an epoch depend. Where the folder lies does not count; names, numbers and values
/// of the chips do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DataDigest {
    pub seed: u64,
    pub batch_size: usize,
    pub augment: Augment,
    pub domains: PerDomain<DomainDigest>,
}

/// The same of one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DomainDigest {
    pub training_chips: usize,
    pub validation_chips: usize,
    /// CRC-32C of the chips' paths within the folder.
    pub names: String,
    /// Height and width.
    pub chip_size: (usize, usize),
    pub statistics: Statistics,
    pub bands_of_files: usize,
    /// Indices of the bands that are used.
    pub bands: Vec<usize>,
    pub band_names: Vec<Option<String>>,
    pub values: Values,
    pub channels: usize,
    /// What becomes -1, band by band.
    pub min: Vec<f64>,
    /// What becomes 1.
    pub max: Vec<f64>,
}

impl DomainDigest {
    /// The scaling of the domain.
    pub fn normaliser(&self) -> Result<Normaliser> {
        Ok(Normaliser::new(self.min.clone(), self.max.clone(), self.channels)?.with_values(self.values))
    }
}

impl DataBunch {
    pub(crate) fn digest(&self) -> DataDigest {
        DataDigest {
            seed: self.seed(),
            batch_size: self.batch_size(),
            augment: self.augment().clone(),
            domains: PerDomain::from_fn(|domain| DomainDigest {
                training_chips: self.len(domain),
                validation_chips: self.valid_len(domain),
                names: format!("{:08x}", self.crc_of_names(domain)),
                chip_size: self.chip_size(domain),
                statistics: self.statistics(domain).clone(),
                bands_of_files: self.bands_of_files(domain),
                bands: self.selected(domain).to_vec(),
                band_names: self.band_names(domain).to_vec(),
                values: self.normaliser(domain).values(),
                channels: self.channels(domain),
                min: self.normaliser(domain).min().to_vec(),
                max: self.normaliser(domain).max().to_vec(),
            }),
        }
    }

    fn crc_of_names(&self, domain: Domain) -> u32 {
        let files = [Split::Train, Split::Valid].into_iter().flat_map(|split| self.files(domain, split));
        let name = |file: &Path| file.strip_prefix(self.path()).unwrap_or(file).to_string_lossy().into_owned();
        files.fold(0, |crc, file| crc32c::crc32c_append(crc, format!("{}\n", name(file)).as_bytes()))
    }
}
