//! Surveys the chips of one domain: sizes and bands from their headers, statistics from their samples.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bad_chips::BadChips;
use super::bands::{Asked, Selection};
use super::domain::Domain;
use super::esri;
use super::extremes::Extreme;
use super::half::Half;
use super::headers::{self, Header, Headers, Order, describe_names, describe_scales, orders};
use super::normalization::Normalization;
use super::options::PrepareData;
use super::pass;
use super::shape::Shape;
use super::sizes::MixedSizes;
use super::statistics::{Measured, Statistics};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Counter;
use crate::raster::{BandScale, Dtype, has_doubtful_alpha};

/// Number of bad chips named in an error message.
const NAMED_AT_MOST: usize = 5;
const CHIPS: [&str; 2] = ["chip", "chips"];
const LEAVE_OUT: &str = "Mend or remove them, or leave them out with PrepareData::bad_chips(BadChips::Skip).";

/// The findings about one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Survey {
    /// The used bands, data type, and size of the images in the files; the size is the one to which all chips are
    /// brought.
    pub shape: Shape,
    pub selection: Selection,
    /// The name of each band in the first file.
    pub band_names: Vec<Option<String>>,
    /// The nodata value of most chips.
    pub nodata: Option<f64>,
    /// Scales of the bands that are used; empty if samples are not scaled.
    pub band_scales: Vec<BandScale>,
    pub statistics: Statistics,
    /// The `.emd` file that the statistics come from, if they were not measured.
    pub definition: Option<PathBuf>,
    /// Chips that were left out, each with the reason.
    pub skipped: Vec<(PathBuf, String)>,
    /// Remarks on the chips for the caller, with possible remedies.
    pub remarks: Vec<String>,
}

/// The chips of a domain, for training or validation, and the folder of the training chips.
#[derive(Clone, Copy)]
pub(super) struct Chips<'a> {
    pub domain: Domain,
    pub folder: &'a Path,
    pub files: &'a [&'a PathBuf],
    /// The half of each file that is the chip, if files contain both domains.
    pub half: Option<Half>,
}

impl Survey {
    /// Warns about chips that were left out, and logs other remarks.
    pub fn warn(&self, chips: Chips<'_>) {
        for (file, reason) in &self.skipped {
            tracing::warn!(file = %file.display(), reason, "chip is left out");
        }
        for remark in &self.remarks {
            tracing::warn!(path = %chips.folder.display(), "domain {}: {remark}", chips.domain);
        }
    }

    /// Does the same for scenes.
    pub fn warn_of_scenes(&self, domain: Domain) {
        for (file, reason) in &self.skipped {
            tracing::warn!(file = %file.display(), reason, "scene is left out");
        }
        self.remarks.iter().for_each(|remark| tracing::warn!("domain {domain}: {remark}"));
    }

    /// Surveys the chips.
    pub fn take(options: &PrepareData, chips: Chips<'_>) -> Result<Self> {
        let mut asked = options.asked(chips.domain, chips.half);
        let look = |file: &Path| has_doubtful_alpha(file, &options.limits).unwrap_or(false);
        let (alpha, remark) = asked.alpha.settled(chips.files, look);
        asked.alpha = alpha;
        let mut found = Found::look(options, chips, &asked)?;
        // A caller who chooses bands knows what they are.
        found.remarks.extend(remark.filter(|_| asked.bands.is_empty()));
        let shape = found.agree(options)?;
        if !asked.is_by_name() {
            found.agree_on_order(options.bad_chips)?;
        }
        let band_scales = found.agree_on_scales(options.bad_chips)?;
        let selection = found.selection()?;
        let (statistics, definition) = match found.statistics_of_definition(options, &selection) {
            Some((statistics, file)) => (statistics, Some(file)),
            None => (found.measured(options, shape)?, None),
        };
        // Chips that turned out to be damaged do not count.
        let (selection, band_names) = (found.selection()?, found.first_names());
        let (nodata, shape) = (found.nodata(shape), found.sized(options, shape)?);
        let Found { skipped, remarks, .. } = found;
        Ok(Self { shape, selection, band_names, nodata, band_scales, statistics, definition, skipped, remarks })
    }
}

/// Below this number, the survey is too quick for a progress bar.
const SHOWN_FROM: usize = 2000;

fn counter(options: &PrepareData, what: &str, chips: usize) -> Counter {
    Counter::new(options.progress && chips >= SHOWN_FROM, what, "chips", chips)
}

/// The findings from the headers.
pub(super) struct Found<'a> {
    /// What messages call the images, singular and plural.
    pub images: [&'static str; 2],
    pub root: &'a Path,
    pub folder: &'a Path,
    pub domain: Domain,
    pub asked: &'a Asked,
    pub good: Vec<Header<'a>>,
    pub skipped: Vec<(PathBuf, String)>,
    pub remarks: Vec<String>,
}

impl<'a> Found<'a> {
    /// Reads all headers.
    fn look(options: &'a PrepareData, chips: Chips<'a>, asked: &'a Asked) -> Result<Self> {
        let Chips { domain, folder, files, .. } = chips;
        let root = options.path.as_path();
        let progress = counter(options, &format!("Domain {domain}, headers"), files.len());
        let headers = Headers::new(asked, &options.limits);
        let looked: Vec<_> = files.par_iter().map(|file| progress.one((*file, headers.read(file)))).collect();
        let (mut good, mut failed) = (Vec::new(), Vec::new());
        for (file, result) in looked {
            match result {
                Ok(header) => good.push(header),
                Err(error) => failed.push((file, error)),
            }
        }
        // A band name or number that no file has is the caller's mistake.
        let nobody_has_it = good.is_empty() && failed.iter().all(|(_, error)| error.kind() == ErrorKind::Usage);
        if let Some((_, error)) = failed.pop_if(|_| nobody_has_it) {
            return Err(error.at(folder));
        }
        if options.bad_chips == BadChips::Fail && !failed.is_empty() {
            return Err(unreadable("chips", root, files.len(), failed));
        }
        let skipped = failed.into_iter().map(|(file, error)| (file.clone(), error.to_string())).collect();
        Ok(Self { images: CHIPS, root, folder, domain, asked, good, skipped, remarks: Vec::new() })
    }

    /// Returns the most common shape. Chips that differ and cannot be brought to the same size are left out.
    fn agree(&mut self, options: &PrepareData) -> Result<Shape> {
        let resized = |shape: Shape| options.resize_to.map_or(shape, |side| shape.sized((side, side)));
        self.good.iter_mut().for_each(|header| header.shape = resized(header.shape));
        let sizes_count = options.mixed_sizes == MixedSizes::Fail;
        let differ =
            |shape: &Shape, other: &Shape| shape.kind() != other.kind() || sizes_count && shape.size() != other.size();
        let shapes = shapes(&self.good);
        let common = most_common(&shapes).ok_or_else(|| self.none_left())?;
        if options.bad_chips == BadChips::Fail && shapes.keys().any(|shape| differ(shape, &common)) {
            return Err(mixed(self.root, self.domain, &shapes));
        }
        for header in self.good.extract_if(.., |header| differ(&header.shape, &common)) {
            self.skipped.push((header.file.clone(), format!("has {}, most chips have {common}", header.shape)));
        }
        Ok(common)
    }

    /// Checks that each band name has the same position in all chips; chips with a rarer order are left out.
    pub fn agree_on_order(&mut self, bad_chips: BadChips) -> Result<()> {
        let Some((common, others)) = orders(&self.good) else { return Ok(()) };
        let Some(other) = others.first() else { return Ok(()) };
        if bad_chips == BadChips::Fail {
            return Err(self.shuffled(&common, other));
        }
        for header in self.good.extract_if(.., |header| others.iter().any(|other| other.names == header.names)) {
            let (its, most) = (describe_names(&header.names), describe_names(&common.names));
            self.skipped
                .push((header.file.clone(), format!("has the bands {its}, most {} have {most}", self.images[1])));
        }
        Ok(())
    }

    /// Checks that samples of all chips have the same scale and offset; chips with rarer ones are left out.
    pub fn agree_on_scales(&mut self, bad_chips: BadChips) -> Result<Vec<BandScale>> {
        let Some((common, other)) = headers::scales(&self.good) else { return Ok(Vec::new()) };
        let Some(other) = other else { return Ok(common) };
        if bad_chips == BadChips::Fail {
            return Err(self.scales_differ(&common, other));
        }
        for header in self.good.extract_if(.., |header| header.scales != common) {
            let (its, most) = (describe_scales(&header.scales), describe_scales(&common));
            self.skipped
                .push((header.file.clone(), format!("has the scales {its}, most {} have {most}", self.images[1])));
        }
        Ok(common)
    }

    pub fn selection(&self) -> Result<Selection> {
        let first = self.good.first().ok_or_else(|| self.none_left())?;
        let bands = self.asked.in_chip(&first.names, first.shape.bands)?;
        Ok(Selection::new(self.asked, first.names.len(), bands))
    }

    pub fn first_names(&self) -> Vec<Option<String>> {
        self.good.first().map(|header| header.names.to_vec()).unwrap_or_default()
    }

    /// Returns the nodata value for predictions.
    pub fn nodata(&mut self, shape: Shape) -> Option<f64> {
        let (value, declared) = headers::nodata(&self.good, shape.dtype);
        if let (Some(value), [_, _, ..]) = (value, declared.as_slice()) {
            let counts = declared.iter().map(|(value, count)| format!("{value} in {count}"));
            self.remarks.push(format!(
                "{images} declare different nodata values ({} {images}); each is read by its own, and predictions have {value}",
                counts.collect::<Vec<_>>().join(", "),
                images = self.images[1],
            ));
        }
        value
    }

    /// Returns `common` with the size to which all chips are brought.
    fn sized(&self, options: &PrepareData, common: Shape) -> Result<Shape> {
        let sizes: Vec<_> = self.good.iter().map(|header| header.shape.size()).collect();
        let shape = common.sized(options.mixed_sizes.target(&sizes, common.size()));
        options.limits.check_samples(self.root, (shape.bands, shape.height, shape.width), shape.dtype.bytes())?;
        Ok(shape)
    }

    /// Reads the statistics that Export Training Data wrote, if they are sufficient.
    fn statistics_of_definition(&self, options: &PrepareData, selection: &Selection) -> Option<(Statistics, PathBuf)> {
        // Statistics of whole files do not apply to their halves.
        let is_enough = !options.normalization.needs_percentiles() && self.asked.half.is_none();
        let file = esri::definition_of(self.folder).filter(|_| is_enough)?;
        let alike = |header: &Header<'_>| {
            let bands = self.asked.in_chip(&header.names, header.shape.bands);
            header.names.len() == selection.of && bands.is_ok_and(|bands| bands == selection.bands)
        };
        match esri::statistics(&file, self.folder, selection.of, &selection.bands) {
            Ok(None) => None,
            Ok(Some(statistics)) if self.good.iter().all(alike) => Some((statistics, file)),
            Ok(Some(_)) => {
                tracing::warn!(file = %file.display(), "chips have their bands in different orders; statistics are taken from them");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "statistics are taken from the chips instead");
                None
            }
        }
    }

    /// Decodes every chip and measures its bands.
    fn measured(&mut self, options: &PrepareData, shape: Shape) -> Result<Statistics> {
        let files: Vec<&PathBuf> = self.good.iter().map(|header| header.file).collect();
        let progress = counter(options, &format!("Domain {}, statistics", self.domain), files.len());
        let (sums, failed) = pass::over(&files, shape, self.asked, &options.limits, &progress);
        if options.bad_chips == BadChips::Fail && !failed.is_empty() {
            return Err(unreadable("chips", self.root, files.len(), failed));
        }
        let bad: BTreeSet<&PathBuf> = failed.iter().map(|(file, _)| *file).collect();
        self.good.retain(|header| !bad.contains(header.file));
        self.skipped.extend(failed.into_iter().map(|(file, error)| (file.clone(), error.to_string())));
        if self.good.is_empty() {
            return Err(self.none_left());
        }
        self.checked(options.normalization, sums.measured(options.normalization.percentiles()))
    }

    /// Returns an error for bands without data, and warns about single values that determine the scale.
    pub fn checked(&mut self, normalization: Normalization, bands: Vec<Option<Measured>>) -> Result<Statistics> {
        let with_data: Vec<usize> =
            bands.iter().enumerate().filter_map(|(band, b)| b.is_some().then_some(band)).collect();
        if with_data.len() < bands.len() {
            return Err(self.without_data(&with_data, bands.len()));
        }
        let bands: Vec<Measured> = bands.into_iter().flatten().collect();
        for (band, Measured { band: statistics, extreme }) in bands.iter().enumerate() {
            let Some(Extreme { value, others: (low, high) }) = *extreme else { continue };
            if normalization.is_set_by(statistics, value) {
                self.remarks.push(format!(
                    "the value {value:?} of {} lies far from nearly all others, {low} to {high}, and sets the scale. If it \
                     stands for no data, declare it in the files (`rio edit-info --nodata {value:?} FILE`); else scale with \
                     Normalization::Percentile, which few extremes do not change",
                    self.name_of(band)
                ));
            }
        }
        Ok(Statistics::new(bands.into_iter().map(|measured| measured.band).collect()))
    }

    /// Returns, for example, `band 2 (NIR)`, numbered as in the files if they agree.
    fn name_of(&self, band: usize) -> String {
        let index = self.selection().ok().and_then(|selection| selection.bands.get(band).copied()).unwrap_or(band);
        match self.first_names().get(index).cloned().flatten() {
            Some(name) => format!("band {} ({name})", index + 1),
            None => format!("band {}", index + 1),
        }
    }

    fn without_data(&self, with_data: &[usize], bands: usize) -> Error {
        let empty: Vec<String> =
            (0..bands).filter(|band| !with_data.contains(band)).map(|band| self.name_of(band)).collect();
        let [one, several] = self.images;
        let what = match with_data.is_empty() {
            true => format!("no {one} has data"),
            false => format!("a band has no data in any {one}"),
        };
        let error = Error::new(ErrorKind::Layout, format!("domain {} cannot be scaled: {what}", self.domain))
            .at(self.folder)
            .expected("samples that are finite and not the nodata value in each band that is used")
            .found(format!("none in {}", empty.join(", ")));
        match with_data.is_empty() {
            true => error.help(format!("Are these the right {several}, and is their nodata value the right one?")),
            false => error.help(format!(
                "Leave it out: PrepareData::bands(Domain::{}, ...) names the bands to use.",
                self.domain
            )),
        }
    }

    fn scales_differ(&self, common: &[BandScale], other: &Header<'_>) -> Error {
        let images = self.images[1];
        Error::new(ErrorKind::Layout, format!("the {images} of domain {} differ in scale and offset", self.domain))
            .at(self.root)
            .expected(format!("those of most {images}: {}", describe_scales(common)))
            .found(format!("{} in {}", describe_scales(&other.scales), other.file.display()))
            .help(
                "Bring them to one scale and offset, or leave the rarer ones out with \
                 PrepareData::bad_chips(BadChips::Skip). Where just the tags are wrong, rasterio sets them: \
                 `file.scales, file.offsets = (0.001,), (0.5,)` on a file opened with mode \"r+\".",
            )
    }

    fn shuffled(&self, common: &Order<'_>, other: &Order<'_>) -> Error {
        let told = |order: &Order<'_>| format!("{} in {}", describe_names(&order.names), order.example.display());
        let names: Vec<String> = common.names.iter().flatten().map(|name| format!("{name:?}")).collect();
        let (images, domain) = (self.images[1], self.domain);
        Error::new(ErrorKind::Layout, format!("the {images} of domain {domain} have their bands in different orders"))
            .at(self.root)
            .expected(told(common))
            .found(told(other))
            .help(format!(
                "Name the bands, and each is looked up in each file: PrepareData::bands(Domain::{domain}, [{}]); or leave the rarer order out with PrepareData::bad_chips(BadChips::Skip).",
                names.join(", ")
            ))
    }

    pub fn none_left(&self) -> Error {
        let [one, several] = self.images;
        let reason = self.skipped.first().map(|(_, reason)| reason.as_str()).unwrap_or(several);
        Error::new(ErrorKind::Layout, format!("no {one} of domain {} can be used", self.domain))
            .at(self.root)
            .found(format!("{} bad {several}, the first: {reason}", self.skipped.len()))
    }
}

/// Creates the error for files that cannot be used; `images` is what the message calls them.
pub(super) fn unreadable(images: &str, root: &Path, all: usize, failed: Vec<(&PathBuf, Error)>) -> Error {
    let mut lines: Vec<String> = failed.iter().take(NAMED_AT_MOST).map(|(_, error)| error.to_string()).collect();
    if failed.len() > NAMED_AT_MOST {
        lines.push(format!("and {} more", failed.len() - NAMED_AT_MOST));
    }
    let kind = failed.first().map_or(ErrorKind::Format, |(_, error)| error.kind());
    let place = match failed.as_slice() {
        [(file, _)] => file.as_path(),
        _ => root,
    };
    Error::new(kind, format!("{} of {all} {images} cannot be used", failed.len()))
        .at(place)
        .found(lines.join("; "))
        .help(LEAVE_OUT)
}

/// The number of chips of each shape, with the first chip of each.
type Shapes<'a> = BTreeMap<Shape, (usize, &'a Path)>;

fn shapes<'a>(good: &[Header<'a>]) -> Shapes<'a> {
    let mut shapes = Shapes::new();
    for header in good {
        shapes.entry(header.shape).or_insert((0, header.file.as_path())).0 += 1;
    }
    shapes
}

/// Returns the most common bands and type, and among these the most common size, or the smallest if several are equally
/// common.
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
    let differ = |of: fn(&Shape, &Shape) -> bool| shapes.keys().zip(shapes.keys().skip(1)).any(|(a, b)| of(a, b));
    let pictures = shapes.keys().all(|shape| shape.bands <= 4) && !differ(|a, b| a.dtype != b.dtype);
    let help = match differ(|a, b| a.kind() != b.kind()) {
        true if pictures => {
            "Make gray and color alike with PrepareData::mixed_bands(MixedBands::Rgb), choose bands that all have with PrepareData::bands, or leave the rarer ones out with PrepareData::bad_chips(BadChips::Skip)."
        }
        true => "Keep chips of one kind, or leave the rarer ones out with PrepareData::bad_chips(BadChips::Skip).",
        false => {
            "Make them equal with PrepareData::mixed_sizes or resize_to(side), or leave the rarer ones out with PrepareData::bad_chips(BadChips::Skip)."
        }
    };
    Error::new(ErrorKind::Layout, format!("the chips of domain {domain} differ in size, bands or type"))
        .at(root)
        .expected("one size, number of bands and type of samples")
        .found(lines.join(", "))
        .help(help)
}
