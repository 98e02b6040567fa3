//! Surveys the scenes of a domain: bands and type from their headers, statistics and validity from their pixels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::validity_map::ValidityMap;
use super::window::{SceneWindow, grid};
use crate::dataset::alpha_bands::AlphaBands;
use crate::dataset::bad_chips::BadChips;
use crate::dataset::bands::Asked;
use crate::dataset::domain::Domain;
use crate::dataset::files::Listing;
use crate::dataset::headers::Header;
use crate::dataset::options::PrepareData;
use crate::dataset::shape::Shape;
use crate::dataset::statistics::{Statistics, Sums};
use crate::dataset::survey::{Found, Survey, unreadable};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Counter;
use crate::raster::{BandScale, Dtype, Source, has_doubtful_alpha_within, say_anything};

/// The findings about the scenes of a domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SceneSurvey {
    /// The same findings as for chips of the windows' size.
    pub survey: Survey,
    pub alpha: AlphaBands,
    /// The scenes that can be used.
    pub scenes: Vec<MappedScene>,
}

/// A scene, and which of its pixels have data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct MappedScene {
    pub path: PathBuf,
    pub map: ValidityMap,
    /// Side of the map's cells.
    pub cell: usize,
}

/// Number of bytes of samples that each thread reads at once.
const PIECE_BYTES: usize = 16 << 20;
/// Side of the parts that are summed at once; the sketch of wide samples takes a fixed number of pixels from each.
const PART_SIDE: usize = 512;
/// Number of cells in all validity maps together: about 50 MB.
const MOST_CELLS: usize = 4 << 20;
/// With fewer pieces, the survey is too quick for a progress bar.
const SHOWN_FROM: usize = 32;
/// Number of scenes, and of windows in each, that are examined to classify alpha.
const LOOKED_AT: usize = 16;

/// Returns the files of a domain's scenes: those that are named, and the images in named folders, including all
/// subfolders.
pub(super) fn files(paths: &[PathBuf], domain: Domain) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let images = Listing::of(path).images;
        if images.is_empty() {
            return Err(Error::new(ErrorKind::Layout, format!("no scene of domain {domain} is in this folder"))
                .at(path)
                .expected("image files such as GeoTIFF")
                .found(Listing::glance(path).describe()));
        }
        files.extend(images);
    }
    let mut sorted: Vec<&PathBuf> = files.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
        None => Ok(files),
        Some(twice) => {
            Err(Error::new(ErrorKind::Usage, format!("a scene of domain {domain} is given twice")).at(twice))
        }
    }
}

impl SceneSurvey {
    /// Surveys all pixels of the scenes.
    pub fn take(options: &PrepareData, domain: Domain, files: &[PathBuf]) -> Result<Self> {
        let mut asked = options.asked(domain, None);
        let (alpha, remark) = asked.alpha.settled(&files.iter().collect::<Vec<_>>(), |file| is_doubtful(file, options));
        asked.alpha = alpha;
        let mut found = headers(options, domain, &asked, files)?;
        found.remarks.extend(remark.filter(|_| asked.bands.is_empty()));
        let shape = agree_on_kind(&mut found, options.bad_chips)?;
        if !asked.is_by_name() {
            found.agree_on_order(options.bad_chips)?;
        }
        let band_scales = found.agree_on_scales(options.bad_chips)?;
        let selection = found.selection()?;
        let (scenes, statistics) = measured(&mut found, options, shape)?;
        let (nodata, shape) = (found.nodata(shape), shape.sized(options.scenes.chip()));
        options.limits.check_samples(&options.path, (shape.bands, shape.height, shape.width), shape.dtype.bytes())?;
        let band_names = found.first_names();
        let Found { skipped, remarks, .. } = found;
        let definition = None;
        let survey =
            Survey { shape, selection, band_names, nodata, band_scales, statistics, definition, skipped, remarks };
        Ok(Self { survey, alpha, scenes })
    }
}

/// Opens a scene with the requested bands.
///
/// # Errors
/// `Usage` if the scene lacks a requested band; otherwise the error from reading the file.
pub(super) fn open(path: &Path, asked: &Asked) -> Result<Source> {
    let source = Source::open(path)?;
    let bands = asked.indices(source.band_names(), source.alpha_band()).map_err(|error| error.at(path))?;
    let source = if asked.alpha == AlphaBands::Band { source.with_opacity_as_band() } else { source };
    let all = bands.iter().copied().eq(0..source.bands());
    Ok(if all { source } else { source.select(&bands) })
}

fn headers<'a>(options: &'a PrepareData, domain: Domain, asked: &'a Asked, files: &'a [PathBuf]) -> Result<Found<'a>> {
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    for (file, opened) in files.par_iter().map(|file| (file, open(file, asked))).collect::<Vec<_>>() {
        match opened {
            Ok(source) => good.push(header(file, &source)),
            Err(error) => failed.push((file, error)),
        }
    }
    if options.bad_chips == BadChips::Fail && !failed.is_empty() {
        return Err(unreadable("scenes", &options.path, files.len(), failed));
    }
    let skipped = failed.into_iter().map(|(file, error)| (file.clone(), error.to_string())).collect();
    Ok(Found {
        images: ["scene", "scenes"],
        root: &options.path,
        folder: &options.path,
        domain,
        asked,
        good,
        skipped,
        remarks: Vec::new(),
    })
}

fn header<'a>(file: &'a PathBuf, source: &Source) -> Header<'a> {
    let (height, width) = source.size();
    let scales: Vec<BandScale> = source.band_scales();
    Header {
        file,
        shape: Shape { bands: source.bands(), dtype: source.dtype(), height, width },
        names: Arc::new(source.band_names().to_vec()),
        nodata: source.nodata(),
        scales: if say_anything(&scales) { scales } else { Vec::new() },
    }
}

/// Returns the most common number of bands and type. Scenes that differ are left out.
fn agree_on_kind(found: &mut Found<'_>, bad: BadChips) -> Result<Shape> {
    let mut kinds = BTreeMap::<(usize, Dtype), usize>::new();
    found.good.iter().for_each(|header| *kinds.entry(header.shape.kind()).or_default() += 1);
    let common = kinds.iter().rev().max_by_key(|(_, count)| **count).map(|(kind, _)| *kind);
    let of_kind = |kind| found.good.iter().find(|header| Some(header.shape.kind()) == kind);
    let shape = of_kind(common).map(|header| header.shape).ok_or_else(|| found.none_left())?;
    let plural = |bands: usize| if bands == 1 { "band" } else { "bands" };
    let told = |shape: Shape| format!("{} {} of {}", shape.bands, plural(shape.bands), shape.dtype);
    let other = found.good.iter().find(|header| header.shape.kind() != shape.kind());
    if let Some(other) = other.filter(|_| bad == BadChips::Fail) {
        return Err(Error::new(ErrorKind::Layout, format!("the scenes of domain {} differ in bands or type", found.domain))
            .at(other.file)
            .expected(format!("{}, as most scenes have", told(shape)))
            .found(told(other.shape))
            .help("Choose bands that all have with PrepareData::bands, or leave the rarer ones out with PrepareData::bad_chips(BadChips::Skip)."));
    }
    for header in found.good.extract_if(.., |header| header.shape.kind() != shape.kind()) {
        found
            .skipped
            .push((header.file.clone(), format!("has {}, most scenes have {}", told(header.shape), told(shape))));
    }
    Ok(shape)
}

/// Reads all pixels of all scenes to compute validity maps and statistics.
fn measured(found: &mut Found<'_>, options: &PrepareData, shape: Shape) -> Result<(Vec<MappedScene>, Statistics)> {
    let sources = found.good.iter().map(|header| open(header.file, found.asked)).collect::<Result<Vec<_>>>()?;
    let pieces: Vec<Vec<SceneWindow>> = sources.iter().map(pieces).collect();
    let total = pieces.iter().map(Vec::len).sum();
    let what = format!("Domain {}, statistics", found.domain);
    let progress = Counter::new(options.progress && total >= SHOWN_FROM, &what, "parts", total);
    let (mut scenes, mut sums, mut failed) = (Vec::new(), Sums::nothing(shape.bands, shape.dtype), Vec::new());
    for ((header, source), pieces) in found.good.iter().zip(&sources).zip(&pieces) {
        let cell = cell_for(options.scenes.chip(), source.size(), sources.len());
        let measured = ValidityMap::of(source, cell, &|_| Ok(()))
            .and_then(|map| Ok((map, summed(source, pieces, shape, &progress)?)));
        source.release();
        match measured {
            Ok((map, more)) => {
                sums.and(more);
                scenes.push(MappedScene { path: header.file.clone(), map, cell });
            }
            Err(error) => failed.push((header.file, error)),
        }
    }
    if options.bad_chips == BadChips::Fail && !failed.is_empty() {
        return Err(unreadable("scenes", &options.path, sources.len(), failed));
    }
    found.good.retain(|header| scenes.iter().any(|scene| scene.path == *header.file));
    found.skipped.extend(failed.into_iter().map(|(file, error)| (file.clone(), error.to_string())));
    if found.good.is_empty() {
        return Err(found.none_left());
    }
    let bands = sums.measured(options.normalization.percentiles());
    Ok((scenes, found.checked(options.normalization, bands)?))
}

/// Returns the side of cells that are small compared with a window without being too many in a scene.
fn cell_for(chip: (usize, usize), size: (usize, usize), scenes: usize) -> usize {
    let fine = (chip.0.min(chip.1) / 8).clamp(4, 64);
    let most = (MOST_CELLS / scenes.max(1)).max(1) as f64;
    let needed = (size.0 as f64 * size.1 as f64 / most).sqrt().ceil();
    fine.max(needed as usize)
}

/// Returns the parts of a scene that are read at once: whole rows of its blocks if memory allows.
fn pieces(source: &Source) -> Vec<SceneWindow> {
    let ((height, width), block) = (source.size(), source.block_size());
    let pixels = (PIECE_BYTES / (source.bands() * source.dtype().bytes()).max(1)).max(1);
    let multiple =
        |block: usize, most: usize, size: usize| (most / block.max(1)).max(1).saturating_mul(block).min(size);
    let rows = block.0.clamp(1, height);
    let columns = multiple(block.1, pixels / rows, width).max(1);
    let rows = multiple(rows, pixels / columns, height).max(1);
    let ends = (height + rows - 1, width + columns - 1);
    grid(ends, (columns, rows), (columns, rows))
        .filter_map(|piece| piece.intersection(whole((height, width))))
        .collect()
}

fn whole((height, width): (usize, usize)) -> SceneWindow {
    SceneWindow::new(0, 0, width, height)
}

/// Returns sums over the pieces, combined in order, so that rounding does not depend on the number of threads.
fn summed(source: &Source, pieces: &[SceneWindow], shape: Shape, progress: &Counter) -> Result<Sums> {
    let nothing = Sums::nothing(shape.bands, shape.dtype);
    let mut all = nothing.clone();
    let of = |piece: &SceneWindow| -> Result<Sums> {
        let region = source.window(piece.row, piece.column, piece.height, piece.width)?;
        let mut sums = nothing.clone();
        let (size, side) = ((piece.height, piece.width), (PART_SIDE, PART_SIDE));
        for part in grid((size.0 + PART_SIDE - 1, size.1 + PART_SIDE - 1), side, side) {
            let Some(part) = part.intersection(whole(size)) else { continue };
            sums.add(&region.part(part.row, part.column, part.height, part.width));
        }
        Ok(progress.one(sums))
    };
    for some in pieces.chunks(2 * rayon::current_num_threads()) {
        for sums in some.par_iter().map(of).collect::<Vec<_>>() {
            all.and(sums?);
        }
    }
    Ok(all)
}

/// Examines windows spread over a scene.
fn is_doubtful(file: &Path, options: &PrepareData) -> bool {
    let Ok(source) = Source::open(file) else { return false };
    let (height, width) = source.size();
    let (rows, columns) = (height.min(PART_SIDE), width.min(PART_SIDE));
    let at = |index: usize, room: usize| room * index / (LOOKED_AT - 1);
    // Down the diagonal, and back and forth across.
    let windows = (0..LOOKED_AT)
        .map(|index| (at(index, height - rows), at(index * 7 % LOOKED_AT, width - columns), rows, columns));
    has_doubtful_alpha_within(file, &options.limits, windows).unwrap_or(false)
}
