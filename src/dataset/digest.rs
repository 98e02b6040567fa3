//! A digest that detects whether training resumes on different data.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::alpha_bands::AlphaBands;
use super::augment::Augment;
use super::bands::Selection;
use super::bunch::{DataBunch, Split};
use super::contents;
use super::domain::{Domain, PerDomain};
use super::half::Half;
use super::mixed_bands::MixedBands;
use super::normalize::{Normalizer, Values};
use super::scenes::WindowOptions;
use super::sizes::MixedSizes;
use super::spec::DomainSpec;
use super::statistics::Statistics;
use crate::error::Result;
use crate::raster::{BandScale, say_anything};
use crate::stored::known_fields;

/// Everything the batches of an epoch depend on: names, numbers, and values of the chips, but not the location of the
/// folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DataDigest {
    pub seed: u64,
    pub batch_size: usize,
    #[serde(deserialize_with = "known_fields")]
    pub augment: Augment,
    /// How chips are brought to a common size; absent from checkpoints of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizes: Option<Sizes>,
    /// How chips are paired; absent for unpaired data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing: Option<Pairing>,
    /// How windows are drawn; absent for chips.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenes: Option<Windows>,
    pub domains: PerDomain<DomainDigest>,
}

/// How windows are drawn from scenes, besides the seed and the size and number of windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Windows {
    pub resolution: Option<f64>,
    pub min_valid_share: f64,
    pub val_split_pct: f64,
    /// How many windows are drawn at one place, how many are read together, and how many are shuffled.
    pub drawing: PerDomain<[usize; 3]>,
}

/// How chips are paired. The order of names and contents determines the pairs themselves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pairing {
    /// By their names.
    Names,
    /// As two halves of one file; this is the half of A.
    Halves(Half),
}

/// How chips are brought to a common size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sizes {
    pub resize_to: Option<usize>,
    pub mixed_sizes: MixedSizes,
}

/// The digest of one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DomainDigest {
    pub training_chips: usize,
    pub validation_chips: usize,
    /// CRC-32C of the chips' paths within the folder.
    pub names: String,
    /// CRC-32C of the chips' contents, in the order of their names. Absent from checkpoints of earlier releases, like
    /// the other optional fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<String>,
    /// Height and width.
    pub chip_size: (usize, usize),
    pub statistics: Statistics,
    pub bands_of_files: usize,
    /// Indices of the bands that are used.
    pub bands: Vec<usize>,
    /// The names by which bands are looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bands_by_name: Option<Vec<Option<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed_bands: Option<MixedBands>,
    /// Absent if alpha is the mask.
    #[serde(default, skip_serializing_if = "AlphaBands::is_default")]
    pub alpha_bands: AlphaBands,
    pub band_names: Vec<Option<String>>,
    /// Absent if samples are not scaled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub band_scales: Vec<BandScale>,
    pub values: Values,
    pub channels: usize,
    /// The value that becomes -1, for each band.
    pub min: Vec<f64>,
    /// The value that becomes 1, for each band.
    pub max: Vec<f64>,
}

/// A digest of the chips of a domain.
struct ChipDigest {
    training: usize,
    validation: usize,
    /// Checksums of their names and of their contents.
    names: String,
    contents: String,
}

impl DomainDigest {
    fn new(spec: DomainSpec, chips: ChipDigest, statistics: Statistics) -> Self {
        let DomainSpec { normalizer, chip, selection, band_names, band_scales, .. } = spec;
        let ChipDigest { training, validation, names, contents } = chips;
        Self {
            training_chips: training,
            validation_chips: validation,
            names,
            contents: Some(contents),
            chip_size: chip,
            statistics,
            bands_of_files: selection.of,
            bands: selection.bands,
            bands_by_name: Some(selection.names),
            mixed_bands: Some(selection.mixed),
            alpha_bands: selection.alpha,
            band_names,
            band_scales: Some(band_scales).filter(|scales| say_anything(scales)).unwrap_or_default(),
            values: normalizer.values(),
            channels: normalizer.channels(),
            min: normalizer.min().to_vec(),
            max: normalizer.max().to_vec(),
        }
    }

    /// Returns everything that a checkpoint contains about the domain besides its chips.
    ///
    /// # Errors
    /// `Format` for impossible numbers.
    pub fn spec(&self) -> Result<DomainSpec> {
        let bands = self.statistics.bands();
        let spec = DomainSpec {
            normalizer: Normalizer::new(self.min.clone(), self.max.clone(), self.channels)?.with_values(self.values),
            mean: bands.iter().map(|band| band.mean).collect(),
            std: bands.iter().map(|band| band.std).collect(),
            chip: self.chip_size,
            selection: self.selection(),
            band_names: self.band_names.clone(),
            band_scales: self.band_scales.clone(),
        };
        spec.check().map(|()| spec)
    }

    /// Returns how to find the used bands in a file.
    fn selection(&self) -> Selection {
        Selection {
            of: self.bands_of_files,
            bands: self.bands.clone(),
            names: self.bands_by_name.clone().unwrap_or_default(),
            mixed: self.mixed_bands.unwrap_or_default(),
            alpha: self.alpha_bands,
        }
    }

    /// Removes the fields that `other` lacks.
    fn comparable_to(mut self, other: &Self) -> Self {
        self.contents = self.contents.filter(|_| other.contents.is_some());
        self.bands_by_name = self.bands_by_name.filter(|_| other.bands_by_name.is_some());
        self.mixed_bands = self.mixed_bands.filter(|_| other.mixed_bands.is_some());
        // Earlier releases do not store scales, and later ones always store `mixed_bands`.
        if other.mixed_bands.is_none() {
            self.band_scales.clear();
        }
        self
    }
}

impl DataDigest {
    /// Removes the fields that `other`, written by an earlier release, lacks.
    pub fn comparable_to(self, other: &Self) -> Self {
        let PerDomain { a, b } = self.domains;
        let domains = PerDomain { a: a.comparable_to(&other.domains.a), b: b.comparable_to(&other.domains.b) };
        Self { sizes: self.sizes.filter(|_| other.sizes.is_some()), domains, ..self }
    }
}

impl DataBunch {
    pub(crate) fn digest(&self) -> DataDigest {
        DataDigest {
            seed: self.seed(),
            batch_size: self.batch_size(),
            augment: self.augment().clone(),
            sizes: Some(self.sizes()),
            pairing: self.pairing(),
            scenes: self.windows_digest(),
            domains: PerDomain::from_fn(|domain| {
                DomainDigest::new(self.spec(domain), self.chips_digest(domain), self.statistics(domain).clone())
            }),
        }
    }

    fn chips_digest(&self, domain: Domain) -> ChipDigest {
        ChipDigest {
            training: self.len(domain),
            validation: self.valid_len(domain),
            names: format!("{:08x}", self.crc_of_names(domain)),
            contents: self.contents(domain),
        }
    }

    fn windows_digest(&self) -> Option<Windows> {
        let WindowOptions { resolution, min_valid_share, val_split_pct } = self.shared.window_options?;
        let drawing = PerDomain::from_fn(|domain| {
            self.domain(domain).scenes.as_ref().map(|scenes| scenes.draw_counts()).unwrap_or_default()
        });
        Some(Windows { resolution, min_valid_share, val_split_pct, drawing })
    }

    fn sizes(&self) -> Sizes {
        let reader = &self.domain(Domain::A).reader;
        Sizes { resize_to: reader.resize_to, mixed_sizes: reader.mixed_sizes }
    }

    fn pairing(&self) -> Option<Pairing> {
        if self.has_scenes() {
            return None;
        }
        let half = self.domain(Domain::A).reader.asked.half;
        self.dataset_type().is_paired().then(|| half.map_or(Pairing::Names, Pairing::Halves))
    }

    /// Returns a checksum of a domain's contents, computed once: when a fit is first saved or resumed.
    fn contents(&self, domain: Domain) -> String {
        let chips = [Split::Train, Split::Valid].into_iter().flat_map(|split| self.files(domain, split)).cloned();
        let files: Vec<PathBuf> = chips.chain(self.scene_files(domain).map(Path::to_path_buf)).collect();
        self.shared.contents.get(domain).get_or_init(|| format!("{:08x}", contents::crc(&files))).clone()
    }

    fn crc_of_names(&self, domain: Domain) -> u32 {
        let chips = [Split::Train, Split::Valid].into_iter().flat_map(|split| self.files(domain, split));
        let files = chips.map(PathBuf::as_path).chain(self.scene_files(domain));
        let name = |file: &Path| file.strip_prefix(self.path()).unwrap_or(file).to_string_lossy().into_owned();
        // A scene may be moved, just like a folder of chips.
        let name = |file| if self.has_scenes() { file_name(file) } else { name(file) };
        files.fold(0, |crc, file| crc32c::crc32c_append(crc, format!("{}\n", name(file)).as_bytes()))
    }
}

fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{DatasetType, PrepareData, prepare_data};
    use crate::raster::Raster;
    use ndarray::Array3;

    fn save(root: &Path, name: &str, value: u8) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let image = Raster::new(Array3::from_shape_fn((1, 4, 8), |(_, y, x)| value + (x + y) as u8)).unwrap();
        image.save(path).unwrap();
    }

    /// The same files count as different data if they are paired in another way or have other partners.
    #[test]
    fn another_pairing_is_told() {
        let root = tempfile::tempdir().unwrap();
        for (name, value) in [("A/1.png", 1), ("A/2.png", 2), ("B/1.png", 3), ("B/2.png", 4)] {
            save(root.path(), name, value);
        }
        let digest = |dataset_type| prepare_data(root.path(), dataset_type).unwrap().digest();
        let (unpaired, paired) = (digest(DatasetType::CycleGan), digest(DatasetType::Pix2Pix));
        assert_eq!((unpaired.pairing, paired.pairing), (None, Some(Pairing::Names)));
        assert!(!serde_json::to_string(&unpaired).unwrap().contains("pairing"), "checkpoints of CycleGAN have changed");
        assert_ne!(paired.clone().comparable_to(&unpaired), unpaired);
        let text = serde_json::to_string(&paired).unwrap();
        assert_eq!(serde_json::from_str::<DataDigest>(&text).unwrap(), paired);
        for (name, value) in [("B/1.png", 4), ("B/2.png", 3)] {
            save(root.path(), name, value);
        }
        assert_ne!(digest(DatasetType::Pix2Pix).domains.b.contents, paired.domains.b.contents);
    }

    #[test]
    fn the_other_half_is_other_data() {
        let root = tempfile::tempdir().unwrap();
        save(root.path(), "train/1.png", 0);
        let digest = |domain| {
            let options = PrepareData::new(root.path(), DatasetType::Pix2Pix).left_half(domain);
            options.prepare().unwrap().digest()
        };
        assert_eq!(digest(Domain::A).pairing, Some(Pairing::Halves(Half::Left)));
        assert_eq!(digest(Domain::B).pairing, Some(Pairing::Halves(Half::Right)));
    }

    /// Checkpoints of earlier releases store fewer fields; only those are compared.
    #[test]
    fn what_an_older_digest_does_not_tell_is_not_compared() {
        let data = prepare_data("assets/bluemarble", DatasetType::CycleGan).unwrap();
        let mut older = serde_json::to_value(data.digest()).unwrap();
        assert!(older.as_object_mut().unwrap().remove("sizes").is_some());
        for domain in ["a", "b"] {
            let keys = older["domains"][domain].as_object_mut().unwrap();
            for key in ["contents", "bands_by_name", "mixed_bands"] {
                assert!(keys.remove(key).is_some(), "{key}");
            }
        }
        let older: DataDigest = serde_json::from_value(older).unwrap();
        assert_ne!(data.digest(), older);
        assert_eq!(data.digest().comparable_to(&older), older);
        assert_eq!(data.digest().comparable_to(&data.digest()), data.digest());
        let selection = &older.domains.a.selection();
        assert_eq!((selection, selection), (data.selection(Domain::A), &Selection::all(3)));
    }
}
