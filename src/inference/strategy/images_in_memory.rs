//! Images in memory, translated as a whole or in tiles.

use super::norm_statistics::NormStatistics;
use super::pipeline::run;
use super::progress::Progress;
use super::scene_translation::SceneTranslation;
use super::translation::Translation;
use crate::error::Result;
use crate::inference::tiling::{Part, TileSize, at_once};
use crate::peers::Alone;
use crate::raster::{Raster, Samples, Source};

/// Translates an image in memory: as a whole if there is enough memory, otherwise in tiles.
///
/// # Shapes
/// (bands, H, W) of one domain to (bands, H, W) of the other, in its sample type.
pub(crate) fn translate_image(translation: &Translation<'_>, image: &Raster) -> Result<Raster> {
    let size = (image.height(), image.width());
    let empty = translation.empty_value_of(image);
    let whole =
        || translation.samples(&translation.plain(std::slice::from_ref(image))?.f_squeeze_dim(0)?, image, empty);
    let tiles = || {
        let tiles = translation.usual_tiles(NormStatistics::Scene).size(&translation.budget())?;
        in_tiles(translation, (NormStatistics::Scene, tiles), image, empty)
    };
    let samples = whole_or_tiles(is_affordable(translation, 1, size), whole, tiles)?;
    finished(samples, image, empty)
}

/// Gives a translation the georeference of its image.
fn finished(samples: Samples, image: &Raster, empty: Option<f64>) -> Result<Raster> {
    Ok(Raster::new(samples)?.with_place(image.place().clone()).with_nodata(empty))
}

/// Translates images of one size in memory. Small ones go through the network together, with the same results as one by
/// one.
///
/// # Shapes
/// As [`translate_image`].
pub(crate) fn translate_images(translation: &Translation<'_>, images: &[Raster]) -> Result<Vec<Raster>> {
    let Some(first) = images.first() else { return Ok(Vec::new()) };
    let (height, width) = (first.height(), first.width());
    let together = at_once(translation.network_sides().lengthened(height.max(width)));
    if together == 1 || !is_affordable(translation, together, (height, width)) {
        return images.iter().map(|image| translate_image(translation, image)).collect();
    }
    let mut made = Vec::with_capacity(images.len());
    for images in images.chunks(together) {
        match translate_together(translation, images) {
            // Images that do not fit into memory together may fit one by one.
            Err(error) if error.is_out_of_memory() => {
                for image in images {
                    made.push(translate_image(translation, image)?);
                }
            }
            translated => made.extend(translated?),
        }
    }
    Ok(made)
}

/// Translates images of one size as one batch.
fn translate_together(translation: &Translation<'_>, images: &[Raster]) -> Result<Vec<Raster>> {
    let batch = translation.plain(images)?;
    let translated = |(i, image): (usize, &Raster)| {
        let empty = translation.empty_value_of(image);
        finished(translation.samples(&batch.f_get(i as i64)?, image, empty)?, image, empty)
    };
    images.iter().enumerate().map(translated).collect()
}

/// Translates an image as a whole, or in tiles if memory does not allow that. The memory estimate of the network may be
/// wrong, so an image that does not fit after all is also translated in tiles.
fn whole_or_tiles<T>(
    is_affordable: bool,
    whole: impl FnOnce() -> Result<T>,
    tiles: impl FnOnce() -> Result<T>,
) -> Result<T> {
    if !is_affordable {
        return tiles();
    }
    whole().or_else(|error| match error.is_out_of_memory() {
        true => {
            tracing::info!(%error, "the image does not fit into memory as a whole and is translated in tiles");
            tiles()
        }
        false => Err(error),
    })
}

/// Returns whether memory allows this many images of a size to go through the network as a whole.
fn is_affordable(translation: &Translation<'_>, images: usize, (height, width): (usize, usize)) -> bool {
    let (budget, sides) = (translation.budget(), translation.network_sides());
    let pixels = sides.lengthened(height) as f64 * sides.lengthened(width) as f64;
    budget.has(budget.network(images as f64 * pixels))
}

/// Translates an image in memory as if it were a scene.
pub(crate) fn in_tiles(
    translation: &Translation<'_>,
    (statistics, tiles): (NormStatistics, TileSize),
    image: &Raster,
    empty: Option<f64>,
) -> Result<Samples> {
    let source = Source::of(image.clone());
    let size = source.size();
    let mut progress = Progress::silent();
    let mut scene = SceneTranslation { translation, source: &source, statistics, tiles, moments: None, peers: &Alone };
    let mut strategy = scene.strategy(&Part::whole(size), empty, &mut progress)?;
    let mut made = Samples::zeros(translation.dtype(), (translation.to.bands(), size.0, size.1));
    let all = 0..strategy.steps().count();
    run(&source, strategy.as_mut(), all, &mut progress, &mut made)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn tiles_are_used_only_if_memory_runs_out() {
        let full = || Err(Error::torch("CUDA out of memory. Tried to allocate 2.00 GiB"));
        let other = || Err(Error::new(ErrorKind::Usage, "wrong number of bands"));
        assert_eq!(whole_or_tiles(true, || Ok("whole"), || Ok("tiles")).unwrap(), "whole");
        assert_eq!(whole_or_tiles(true, full, || Ok("tiles")).unwrap(), "tiles");
        assert_eq!(whole_or_tiles(false, full, || Ok("tiles")).unwrap(), "tiles");
        assert_eq!(whole_or_tiles(true, other, || Ok("tiles")).unwrap_err().kind(), ErrorKind::Usage);
    }
}
