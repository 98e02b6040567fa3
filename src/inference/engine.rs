//! One image or part of an image, by whichever pass suits it.

use super::blended::{Blended, Blending};
use super::local::Local;
use super::options::{NormStatistics, SPACINGS};
use super::pass::{self, Pass};
use super::plan::{Part, PixelBytes, TilePlan};
use super::progress::Watch;
use super::sample::sample;
use super::sizes::{Sizes, at_once, chip_side, is_affordable};
use super::tiles::{Statistics, Tiles};
use super::translation::Translation;
use crate::error::Result;
use crate::nn::Moments;
use crate::raster::{Raster, Samples, Source};

/// A scene to be translated in parts.
pub(crate) struct Engine<'a> {
    pub translation: &'a Translation<'a>,
    pub sizes: Sizes,
    pub statistics: NormStatistics,
    pub source: &'a Source,
    /// Of the scene, or of all scenes, as far as they are known yet.
    pub moments: Option<Vec<Moments>>,
}

impl<'a> Engine<'a> {
    /// The way through a part of the scene, where `empty` stands for "no data".
    pub fn pass(&mut self, part: &Part, empty: Option<f64>, watch: &mut Watch) -> Result<Box<dyn Pass + 'a>> {
        let statistics = match self.statistics {
            NormStatistics::Tile { padding } => return self.blended(part, padding, empty),
            NormStatistics::Scene if self.is_whole(part) => Statistics::Own,
            NormStatistics::Scene | NormStatistics::Inputs => self.fixed(watch)?,
            NormStatistics::Local { spacing } => self.local(spacing, watch)?,
        };
        Ok(Box::new(Tiles { translation: self.translation, plan: self.plan(part), statistics, empty }))
    }

    /// Side of the blocks in which a part is written; none where it is written row by row.
    pub fn block(&self, part: &Part) -> Option<usize> {
        match self.statistics {
            NormStatistics::Tile { .. } => None,
            _ => self.plan(part).block,
        }
    }

    /// The tiles of a part, where they do not overlap.
    fn plan(&self, part: &Part) -> TilePlan {
        let size = self.source.size();
        match self.is_whole(part) {
            true => TilePlan::whole(size),
            false => self.sizes.plan(size, part, pixel_bytes(self.translation, self.source)),
        }
    }

    /// Whether it is all of a scene that goes through the network as one.
    fn is_whole(&self, part: &Part) -> bool {
        *part == Part::whole(self.source.size()) && self.sizes.take_whole(self.source.size())
    }

    fn blended(&self, part: &Part, padding: Option<usize>, empty: Option<f64>) -> Result<Box<dyn Pass + 'a>> {
        let side = self.sizes.side;
        let padding = padding.unwrap_or(side / 4);
        let blending = Blending { side, padding, at_once: at_once(side) };
        Ok(Box::new(Blended::new(self.translation, part.clone(), self.source.size(), blending, empty)))
    }

    fn fixed(&mut self, watch: &mut Watch) -> Result<Statistics<'a>> {
        self.gather(watch)?;
        match &self.moments {
            Some(moments) => Ok(Statistics::Fixed(Box::new(self.translation.folded(moments)?))),
            // There is nothing to translate.
            None => Ok(Statistics::Own),
        }
    }

    fn local(&mut self, spacing: Option<usize>, watch: &mut Watch) -> Result<Statistics<'a>> {
        self.gather(watch)?;
        let side = chip_side(self.translation);
        let (height, width) = self.translation.chip;
        let spacing = spacing.unwrap_or(2 * height.min(width).clamp(side, SPACINGS.end() / 2));
        let Some(moments) = &self.moments else { return Ok(Statistics::Own) };
        let values = moments.iter().map(|layer| layer.mean.numel() + layer.scale.numel()).sum();
        self.sizes.check_nodes(self.translation, self.source, spacing, values)?;
        let fallback = moments.iter().map(Moments::shallow_clone).collect();
        Ok(Statistics::Grid(Box::new(Local::new(self.source, spacing, side, fallback, at_once(side)))))
    }

    fn gather(&mut self, watch: &mut Watch) -> Result<()> {
        if self.moments.is_none() {
            self.moments = gathered(self.translation, self.sizes, &[self.source], watch)?;
        }
        Ok(())
    }
}

pub(crate) fn pixel_bytes(translation: &Translation<'_>, source: &Source) -> PixelBytes {
    let made = translation.to.bands() * translation.dtype().bytes();
    PixelBytes { read: source.bands() * source.dtype().bytes(), made }
}

/// Statistics of scenes together; none where none of them has data.
pub(crate) fn gathered(
    translation: &Translation<'_>,
    sizes: Sizes,
    scenes: &[&Source],
    watch: &mut Watch,
) -> Result<Option<Vec<Moments>>> {
    watch.check()?;
    let pieces = match scenes {
        [scene] if sizes.sample_whole(scene.size()) => {
            let (height, width) = scene.size();
            vec![scene.window(0, 0, height, width)?]
        }
        _ => {
            let pixels = scenes.iter().map(|scene| Part::whole(scene.size()).pixels()).sum();
            sample(scenes, sizes.sample(pixels), chip_side(translation), watch)?
        }
    };
    watch.saw(pieces.iter().map(|piece| piece.height() as u64 * piece.width() as u64).sum());
    translation.pooled(&pieces)
}

/// Translates an image in memory: as a whole where there is memory for it, else in tiles.
///
/// # Shapes
/// (bands, H, W) of the one domain to (bands, H, W) of the other, in its type of samples.
pub(crate) fn translate_image(translation: &Translation<'_>, image: &Raster) -> Result<Raster> {
    let size = (image.height(), image.width());
    let empty = translation.empty_value_of(image);
    let whole =
        || translation.samples(&translation.plain(std::slice::from_ref(image))?.f_squeeze_dim(0)?, image, empty);
    let tiles = || in_tiles(translation, (NormStatistics::Scene, Sizes::default_of(translation)?), image, empty);
    let samples = whole_or_tiles(is_affordable(translation, size), whole, tiles)?;
    finished(samples, image, empty)
}

/// A translation at the place of its image.
fn finished(samples: Samples, image: &Raster, empty: Option<f64>) -> Result<Raster> {
    Ok(Raster::new(samples)?.with_place(image.place().clone()).with_nodata(empty))
}

/// Translates images of one size in memory: several at once where they are small, as each alone would be.
///
/// # Shapes
/// As [`translate_image`].
pub(crate) fn translate_images(translation: &Translation<'_>, images: &[Raster]) -> Result<Vec<Raster>> {
    let Some(first) = images.first() else { return Ok(Vec::new()) };
    let (height, width) = (first.height(), first.width());
    let together = at_once(height.max(width));
    if together == 1 || !is_affordable(translation, (together * height, width)) {
        return images.iter().map(|image| translate_image(translation, image)).collect();
    }
    let mut made = Vec::with_capacity(images.len());
    for images in images.chunks(together) {
        match translation.plain(images) {
            Ok(batch) => {
                for (i, image) in images.iter().enumerate() {
                    let empty = translation.empty_value_of(image);
                    made.push(finished(translation.samples(&batch.f_get(i as i64)?, image, empty)?, image, empty)?);
                }
            }
            // What does not fit together may fit alone.
            Err(error) if error.is_out_of_memory() => {
                for image in images {
                    made.push(translate_image(translation, image)?);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(made)
}

/// How much memory a pass takes is an estimate, so what does not fit as a whole after all is done in tiles too.
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
            tracing::info!(%error, "the image does not fit in memory as a whole and is translated in tiles");
            tiles()
        }
        false => Err(error),
    })
}

/// An image in memory as it were a scene.
pub(crate) fn in_tiles(
    translation: &Translation<'_>,
    (statistics, sizes): (NormStatistics, Sizes),
    image: &Raster,
    empty: Option<f64>,
) -> Result<Samples> {
    let source = Source::of(image.clone());
    let size = source.size();
    let mut watch = Watch::silent();
    let mut engine = Engine { translation, sizes, statistics, source: &source, moments: None };
    let mut pass = engine.pass(&Part::whole(size), empty, &mut watch)?;
    let mut made = Samples::zeros(translation.dtype(), (translation.to.bands(), size.0, size.1));
    pass::run(&source, pass.as_mut(), 0, &mut watch, &mut made)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn tiles_follow_where_memory_is_used_up_and_only_there() {
        let full = || Err(Error::torch("CUDA out of memory. Tried to allocate 2.00 GiB"));
        let other = || Err(Error::new(ErrorKind::Usage, "wrong number of bands"));
        assert_eq!(whole_or_tiles(true, || Ok("whole"), || Ok("tiles")).unwrap(), "whole");
        assert_eq!(whole_or_tiles(true, full, || Ok("tiles")).unwrap(), "tiles");
        assert_eq!(whole_or_tiles(false, full, || Ok("tiles")).unwrap(), "tiles");
        assert_eq!(whole_or_tiles(true, other, || Ok("tiles")).unwrap_err().kind(), ErrorKind::Usage);
    }
}
