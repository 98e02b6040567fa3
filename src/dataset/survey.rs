//! What the chips of one domain are like: sizes and bands from their headers, statistics from their samples.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bands;
use super::cache;
use super::domain::Domain;
use super::esri;
use super::options::PrepareData;
use super::pass;
use super::shape::Shape;
use super::sizes::MixedSizes;
use super::statistics::Statistics;
use super::watch::Watch;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Dtype, chip_info};

/// So many bad chips are named in a message.
const NAMED_AT_MOST: usize = 5;
const LEAVE_OUT: &str = "Mend or remove them, or leave them out with PrepareData::bad_chips(BadChips::Skip).";

/// What to do with a chip that cannot be read, or that differs from the others in size, bands or type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BadChips {
    /// `prepare` fails and names the chips. The default.
    #[default]
    Fail,
    /// The chips are left out, with a warning each; see [`DataBunch::skipped`](crate::DataBunch::skipped).
    Skip,
}

/// What was found in one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Survey {
    /// Bands, type and size of the files' images; the size is the one that all chips are brought to.
    pub shape: Shape,
    /// Indices of the bands that are used.
    pub bands: Vec<usize>,
    /// The name of each band of the files.
    pub band_names: Vec<Option<String>>,
    /// The value that stands for "no data" in the first chip.
    pub nodata: Option<f64>,
    pub statistics: Statistics,
    /// The `.emd` file that the statistics are of, where they are not of the chips.
    pub definition: Option<PathBuf>,
    /// Chips that are left out, each with the reason.
    pub skipped: Vec<(PathBuf, String)>,
}

/// The chips of a domain: all that train or validate, and the folder of those that train.
#[derive(Clone, Copy)]
pub(super) struct Chips<'a> {
    pub domain: Domain,
    pub folder: &'a Path,
    pub files: &'a [&'a PathBuf],
}

impl Survey {
    /// Takes it from the cache where nothing has changed.
    pub fn of(options: &PrepareData, chips: Chips<'_>) -> Result<Self> {
        let key = cache::Key::of(options, chips);
        if let Some(survey) = cache::find(options, &key) {
            return Ok(survey);
        }
        let survey = Self::take(options, chips)?;
        cache::keep(options, &key, &survey);
        Ok(survey)
    }

    fn take(options: &PrepareData, Chips { domain, folder, files }: Chips<'_>) -> Result<Self> {
        let (root, limits) = (options.path.as_path(), &options.limits);
        let watch = Watch::new(options.progress, &format!("Domain {domain}, headers"), files.len());
        let looked =
            files.par_iter().map(|file| watch.one((*file, chip_info(file, limits).map(|i| Shape::stated(&i)))));
        let (good, skipped) = readable(root, looked.collect(), options.bad_chips)?;
        let mut found = Found { root, domain, good, skipped };
        let shape = found.agree(options)?;
        let first = found.good.first().map(|(file, _)| chip_info(file, limits)).transpose()?;
        let (band_names, nodata) = first.map(|i| (i.band_names().to_vec(), i.nodata())).unwrap_or_default();
        let asked = options.bands.get(domain);
        let bands = match asked.is_empty() {
            true => (0..shape.bands).collect(),
            false => bands::indices(asked, &band_names).map_err(|e| e.at(folder))?,
        };
        let (statistics, definition) = match found.written(options, folder, shape, &bands) {
            Some((statistics, file)) => (statistics, Some(file)),
            None => (found.measured(options, shape, &bands)?, None),
        };
        let shape = found.sized(options, shape)?;
        for (file, reason) in &found.skipped {
            tracing::warn!(file = %file.display(), reason, "chip is left out");
        }
        Ok(Self { shape, bands, band_names, nodata, statistics, definition, skipped: found.skipped })
    }
}

type Looked<'a> = (&'a PathBuf, Result<Shape>);
type Good<'a> = Vec<(&'a PathBuf, Shape)>;

/// What the headers say.
struct Found<'a> {
    root: &'a Path,
    domain: Domain,
    good: Good<'a>,
    skipped: Vec<(PathBuf, String)>,
}

impl Found<'_> {
    /// The most common shape. Chips that differ and cannot be brought to one size are left out.
    fn agree(&mut self, options: &PrepareData) -> Result<Shape> {
        let resized = |shape: Shape| options.resize_to.map_or(shape, |side| shape.sized((side, side)));
        self.good.iter_mut().for_each(|(_, shape)| *shape = resized(*shape));
        let sizes_count = options.mixed_sizes == MixedSizes::Fail;
        let differ =
            |shape: &Shape, other: &Shape| shape.kind() != other.kind() || sizes_count && shape.size() != other.size();
        let shapes = shapes(&self.good);
        let common = most_common(&shapes).ok_or_else(|| none_left(self.root, self.domain, &self.skipped))?;
        if options.bad_chips == BadChips::Fail && shapes.keys().any(|shape| differ(shape, &common)) {
            return Err(mixed(self.root, self.domain, &shapes));
        }
        for (file, found) in self.good.extract_if(.., |(_, shape)| differ(shape, &common)) {
            self.skipped.push((file.clone(), format!("has {found}, most chips have {common}")));
        }
        Ok(common)
    }

    /// `common` at the size that all chips are brought to.
    fn sized(&self, options: &PrepareData, common: Shape) -> Result<Shape> {
        let sizes: Vec<_> = self.good.iter().map(|(_, shape)| shape.size()).collect();
        let shape = common.sized(options.mixed_sizes.target(&sizes, common.size()));
        options.limits.check_samples(self.root, (shape.bands, shape.height, shape.width), shape.dtype.bytes())?;
        Ok(shape)
    }

    /// What Export Training Data wrote, where that is enough.
    fn written(
        &self,
        options: &PrepareData,
        folder: &Path,
        shape: Shape,
        bands: &[usize],
    ) -> Option<(Statistics, PathBuf)> {
        let file = esri::definition_of(folder).filter(|_| !options.normalisation.needs_percentiles())?;
        match esri::statistics(&file, shape.bands, bands) {
            Ok(statistics) => statistics.map(|statistics| (statistics, file)),
            Err(error) => {
                tracing::warn!(%error, "statistics are taken from the chips instead");
                None
            }
        }
    }

    /// Decodes every chip.
    fn measured(&mut self, options: &PrepareData, shape: Shape, bands: &[usize]) -> Result<Statistics> {
        let files: Vec<&PathBuf> = self.good.iter().map(|(file, _)| *file).collect();
        let watch = Watch::new(options.progress, &format!("Domain {}, statistics", self.domain), files.len());
        let (sums, failed) = pass::over(&files, shape, bands, &options.limits, &watch);
        if options.bad_chips == BadChips::Fail && !failed.is_empty() {
            return Err(unreadable(self.root, files.len(), failed));
        }
        let bad: BTreeSet<&PathBuf> = failed.iter().map(|(file, _)| *file).collect();
        self.good.retain(|(file, _)| !bad.contains(file));
        self.skipped.extend(failed.into_iter().map(|(file, error)| (file.clone(), error.to_string())));
        if self.good.is_empty() {
            return Err(none_left(self.root, self.domain, &self.skipped));
        }
        Ok(sums.statistics(options.normalisation.percentiles()))
    }
}

fn readable<'a>(root: &Path, looked: Vec<Looked<'a>>, bad: BadChips) -> Result<(Good<'a>, Vec<(PathBuf, String)>)> {
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    let all = looked.len();
    for (file, result) in looked {
        match result {
            Ok(found) => good.push((file, found)),
            Err(error) => failed.push((file, error)),
        }
    }
    if bad == BadChips::Fail && !failed.is_empty() {
        return Err(unreadable(root, all, failed));
    }
    Ok((good, failed.into_iter().map(|(file, error)| (file.clone(), error.to_string())).collect()))
}

fn unreadable(root: &Path, all: usize, failed: Vec<(&PathBuf, Error)>) -> Error {
    let mut lines: Vec<String> = failed.iter().take(NAMED_AT_MOST).map(|(_, error)| error.to_string()).collect();
    if failed.len() > NAMED_AT_MOST {
        lines.push(format!("and {} more", failed.len() - NAMED_AT_MOST));
    }
    let kind = failed.first().map_or(ErrorKind::Format, |(_, error)| error.kind());
    let place = match failed.as_slice() {
        [(file, _)] => file.as_path(),
        _ => root,
    };
    Error::new(kind, format!("{} of {all} chips cannot be used", failed.len()))
        .at(place)
        .found(lines.join("; "))
        .help(LEAVE_OUT)
}

/// How many chips have each shape, with the first of them.
type Shapes<'a> = BTreeMap<Shape, (usize, &'a Path)>;

fn shapes<'a>(good: &Good<'a>) -> Shapes<'a> {
    let mut shapes = Shapes::new();
    for (file, shape) in good {
        shapes.entry(*shape).or_insert((0, file.as_path())).0 += 1;
    }
    shapes
}

/// The most common bands and type, and of these the most common size; of equally common ones the smallest.
fn most_common(shapes: &Shapes<'_>) -> Option<Shape> {
    let mut kinds = BTreeMap::<(usize, Dtype), usize>::new();
    shapes.iter().for_each(|(shape, (count, _))| *kinds.entry(shape.kind()).or_default() += count);
    let kind = kinds.iter().rev().max_by_key(|(_, count)| **count).map(|(kind, _)| *kind)?;
    let of_kind = shapes.iter().rev().filter(|(shape, _)| shape.kind() == kind);
    of_kind.max_by_key(|(_, (count, _))| *count).map(|(shape, _)| *shape)
}

fn mixed(root: &Path, domain: Domain, shapes: &Shapes<'_>) -> Error {
    let lines: Vec<String> = shapes
        .iter()
        .take(NAMED_AT_MOST)
        .map(|(shape, (count, example))| format!("{count} of {shape} (such as {})", example.display()))
        .collect();
    let first = shapes.keys().next();
    let kinds_differ = shapes.keys().any(|shape| first.is_some_and(|first| first.kind() != shape.kind()));
    let help = if kinds_differ {
        "Keep chips of one kind, or leave the rarer ones out with PrepareData::bad_chips(BadChips::Skip)."
    } else {
        "Make them equal with PrepareData::mixed_sizes or resize_to(side), or leave the rarer ones out with PrepareData::bad_chips(BadChips::Skip)."
    };
    Error::new(ErrorKind::Layout, format!("the chips of domain {domain} differ in size, bands or type"))
        .at(root)
        .expected("one size, number of bands and type of samples")
        .found(lines.join(", "))
        .help(help)
}

fn none_left(root: &Path, domain: Domain, skipped: &[(PathBuf, String)]) -> Error {
    let reason = skipped.first().map(|(_, reason)| reason.as_str()).unwrap_or("no chips");
    Error::new(ErrorKind::Layout, format!("no chip of domain {domain} can be used"))
        .at(root)
        .found(format!("{} bad chips, the first: {reason}", skipped.len()))
}
