//! Opens the scenes of an export.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::options::ExportTrainingData;
use crate::dataset::alpha_bands::AlphaBands;
use crate::dataset::domain::{Domain, PerDomain};
use crate::dataset::files::images_in;
use crate::dataset::scenes::{Ground, check_same_grid};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Source;

/// Number of windows examined to classify a fourth band, and their side. Near infrared is recognized in the first one.
const LOOKED_AT: usize = 16;
const LOOKED_SIDE: usize = 256;

/// Opens the scenes of both domains. For pairs, scenes of B are in the order of their partners in A.
pub(super) fn open(options: &ExportTrainingData) -> Result<PerDomain<Vec<Source>>> {
    let mut scenes = PerDomain::try_from_fn(|domain| {
        of_domain(domain, options.rasters.get(domain), *options.alpha_bands.get(domain))
    })?;
    if options.metadata_format.is_paired() {
        scenes.b = partners(&scenes.a, scenes.b)?;
        for (a, b) in scenes.a.iter().zip(&scenes.b) {
            check_same_grid((path_of(a), &Ground::of(a)), (path_of(b), &Ground::of(b)))?;
        }
    }
    Ok(scenes)
}

/// Returns the file of a scene.
pub(super) fn path_of(scene: &Source) -> &Path {
    scene.path().unwrap_or(Path::new(""))
}

fn of_domain(domain: Domain, path: &Path, alpha: AlphaBands) -> Result<Vec<Source>> {
    let files = if path.is_dir() { images_in(path)? } else { vec![path.to_path_buf()] };
    let scenes: Vec<Source> = files.iter().map(|file| opened(file, alpha)).collect::<Result<_>>()?;
    let Some(first) = scenes.first() else {
        return Err(Error::new(ErrorKind::Layout, format!("the folder has no scenes for domain {domain}"))
            .at(path)
            .expected("images (TIFF, PNG, JPEG or BMP) in the folder itself"));
    };
    let kind = |scene: &Source| format!("{} bands of {}", scene.bands(), scene.dtype());
    match scenes.iter().find(|scene| kind(scene) != kind(first)) {
        None => Ok(scenes),
        Some(other) => Err(Error::new(ErrorKind::Usage, format!("scenes of domain {domain} differ"))
            .at(path_of(other))
            .expected(format!("{}, as {} has", kind(first), path_of(first).display()))
            .found(kind(other))
            .help("Chips of a domain have one number of bands and one type. Bring the scenes to these: gdal_translate -b 1 -b 2 -b 3 -ot UInt16 in.tif out.tif.")),
    }
}

/// Opens a scene; an opacity band becomes its mask.
fn opened(file: &Path, alpha: AlphaBands) -> Result<Source> {
    let scene = Source::open(file)?;
    let bands = scene.bands();
    let is_last = scene.alpha_band().is_some_and(|band| band > 0 && band + 1 == bands);
    if !is_last {
        return Ok(scene);
    }
    if alpha == AlphaBands::Band || alpha == AlphaBands::Auto && is_doubtful(&scene)? {
        if alpha == AlphaBands::Auto {
            tracing::warn!(
                path = %file.display(),
                "band 4 is called alpha, but has other values than 0 and 255, so it is a band like the others; \
                 ExportTrainingData::alpha_bands decides it"
            );
        }
        return Ok(scene.with_opacity_as_band());
    }
    Ok(scene.select(&Vec::from_iter(0..bands - 1)))
}

/// Returns whether the fourth of four 8-bit bands, which GDAL calls alpha whatever it contains, has values other than 0
/// and 255 in some windows spread over the scene.
fn is_doubtful(scene: &Source) -> Result<bool> {
    if (scene.bands(), scene.dtype()) != (4, crate::raster::Dtype::U8) {
        return Ok(false);
    }
    let (height, width) = scene.size();
    let (rows, columns) = (height.min(LOOKED_SIDE), width.min(LOOKED_SIDE));
    for index in 0..LOOKED_AT {
        // Down the diagonal and back: the corners of scenes are often empty.
        let share = |index: usize| index as f64 / (LOOKED_AT - 1) as f64;
        let (down, across) = (share(index), share(index * 5 % LOOKED_AT));
        let (row, column) = ((height - rows) as f64 * down, (width - columns) as f64 * across);
        let part = scene.window(row as usize, column as usize, rows, columns)?;
        let alpha = part.samples().band(3).unwrap_or_default();
        if alpha.iter().any(|opacity| *opacity > 0.0 && *opacity < f64::from(u8::MAX)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts the scenes of B in the order of their partners.
fn partners(a: &[Source], b: Vec<Source>) -> Result<Vec<Source>> {
    if (a.len(), b.len()) == (1, 1) {
        return Ok(b);
    }
    let mut named: BTreeMap<OsString, Source> = BTreeMap::new();
    for scene in b {
        if let Some(other) = named.insert(stem(&scene), scene) {
            return Err(
                Error::new(ErrorKind::Usage, "two scenes have the same name but for the ending").at(path_of(&other))
            );
        }
    }
    let alone = |path: PathBuf| {
        Error::new(ErrorKind::Usage, "a scene has no partner")
            .at(path)
            .expected("a scene of the same name, but for the ending, in the other domain")
    };
    let ordered = a.iter().map(|scene| named.remove(&stem(scene)).ok_or_else(|| alone(path_of(scene).to_path_buf())));
    let ordered = ordered.collect::<Result<Vec<_>>>()?;
    match named.into_values().next() {
        Some(left) => Err(alone(path_of(&left).to_path_buf())),
        None => Ok(ordered),
    }
}

fn stem(scene: &Source) -> OsString {
    path_of(scene).file_stem().unwrap_or_default().to_os_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opacity_is_a_mask_and_near_infrared_a_band() {
        let opened = |name: &str, choice| opened(&Path::new("tests/fixtures/masks").join(name), choice).unwrap();
        let mask = opened("alpha_rgba.tif", AlphaBands::Auto);
        assert!(mask.bands() == 3 && mask.may_have_gaps());
        assert_eq!(opened("alpha_rgba.tif", AlphaBands::Band).bands(), 4);
        assert_eq!(opened("near_infrared.tif", AlphaBands::Auto).bands(), 4);
        assert_eq!(opened("near_infrared.tif", AlphaBands::Mask).bands(), 3);
    }
}
