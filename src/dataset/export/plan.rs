//! Plans which windows of the scenes become chips, based on their positions and the validity maps.

use super::left_out::{LeftOut, LeftOutCounts};
use super::mask_polygons::{MaskPolygons, PixelPolygons};
use super::options::ExportTrainingData;
use crate::dataset::domain::{Domain, PerDomain};
use crate::dataset::scenes::{
    Blocks, Ground, SceneWindow, SpatialSplit, Use, ValidityMap, first_on_grid, grid, split_scenes,
    validation_elsewhere,
};
use crate::error::Result;
use crate::random::Seed;
use crate::raster::Source;

/// Number of validity map cells along the side of a chip, within these limits.
const CELLS: usize = 8;
const CELL_SIDES: (usize, usize) = (8, 64);

/// Chips of one domain, or pairs of both.
pub(super) struct Job {
    /// The domain of each image of a chip.
    pub domains: Vec<Domain>,
    pub scenes: Vec<Scene>,
}

/// A scene, or two scenes of the same ground, with the windows that may become chips.
pub(super) struct Scene {
    /// One for each domain of the job.
    pub images: Vec<Source>,
    pub validation_blocks: Vec<SceneWindow>,
    pub windows: Vec<(SceneWindow, Use)>,
    /// Windows left out before any pixel was read, other than because of the validity map.
    pub left_out: LeftOutCounts,
}

/// Plans the jobs of an export: one for pairs, or one for each domain. Calls `tell` with the number of pixels examined.
pub(super) fn jobs(
    options: &ExportTrainingData,
    scenes: PerDomain<Vec<Source>>,
    tell: &(dyn Fn(u64) -> Result<()> + Sync),
) -> Result<Vec<Job>> {
    let PerDomain { a, b } = scenes;
    if options.metadata_format.is_paired() {
        let pairs = a.into_iter().zip(b).map(|(a, b)| vec![a, b]).collect();
        return Ok(vec![job(options, &Domain::BOTH, pairs, tell)?]);
    }
    [(Domain::A, a), (Domain::B, b)]
        .into_iter()
        .map(|(domain, scenes)| job(options, &[domain], scenes.into_iter().map(|scene| vec![scene]).collect(), tell))
        .collect()
}

fn job(
    options: &ExportTrainingData,
    domains: &[Domain],
    scenes: Vec<Vec<Source>>,
    tell: &(dyn Fn(u64) -> Result<()> + Sync),
) -> Result<Job> {
    let polygons: Vec<MaskPolygons> = domains
        .iter()
        .filter_map(|domain| options.mask_polygons.get(*domain).as_deref())
        .map(MaskPolygons::read)
        .collect::<Result<_>>()?;
    let cell = (options.tile.0.min(options.tile.1) / CELLS).clamp(CELL_SIDES.0, CELL_SIDES.1);
    let map = |image: &Source| {
        let map = ValidityMap::of(image, cell, tell);
        // There may be thousands of open files.
        image.release();
        map
    };
    let maps = |images: &Vec<Source>| images.iter().map(map).collect();
    let maps: Vec<Vec<ValidityMap>> = scenes.iter().map(maps).collect::<Result<_>>()?;
    let leaders: Vec<&ValidityMap> = maps.iter().filter_map(|maps| maps.first()).collect();
    let blocks = Blocks::for_tiles(options.tile, &leaders, options.val_split_pct, options.validation_margin);
    let name = domains.iter().map(Domain::to_string).collect::<String>();
    let mut random = Seed(options.seed).stream(&format!("spatial split/{name}"), 0);
    let grounds: Vec<Ground> = scenes.iter().filter_map(|images| images.first().map(Ground::of)).collect();
    let splits = split_scenes(&leaders, &first_on_grid(&grounds), blocks, options.val_split_pct, &mut random);
    let elsewhere = validation_elsewhere(&grounds, &splits);
    let mut planned = Vec::new();
    for (((images, maps), split), elsewhere) in scenes.into_iter().zip(&maps).zip(&splits).zip(&elsewhere) {
        let masks = images.first().map(|image| polygons.iter().map(|polygons| polygons.in_pixels(image)).collect());
        let masks: Vec<PixelPolygons> = masks.unwrap_or_else(|| Ok(Vec::new()))?;
        planned
            .push(WindowChooser { options, maps, split, masks: &masks, validation_elsewhere: elsewhere }.scene(images));
    }
    Ok(Job { domains: domains.to_vec(), scenes: planned })
}

/// Chooses the windows of one scene.
struct WindowChooser<'a> {
    options: &'a ExportTrainingData,
    maps: &'a [ValidityMap],
    split: &'a SpatialSplit,
    masks: &'a [PixelPolygons],
    validation_elsewhere: &'a [SceneWindow],
}

impl WindowChooser<'_> {
    fn scene(&self, images: Vec<Source>) -> Scene {
        let size = images.first().map_or((0, 0), Source::size);
        let (mut windows, mut left_out) = (Vec::new(), LeftOutCounts::default());
        for window in grid(size, self.options.tile, self.options.stride()) {
            match self.use_of(window) {
                Ok(which) => windows.push((window, which)),
                Err(reason) => left_out.add(reason),
            }
        }
        if size.1 < self.options.tile.0 || size.0 < self.options.tile.1 {
            left_out.add(LeftOut::SceneTooSmall);
        }
        Scene { images, validation_blocks: self.split.validation_blocks().collect(), windows, left_out }
    }

    fn use_of(&self, window: SceneWindow) -> std::result::Result<Use, LeftOut> {
        if !self.masks.iter().all(|mask| mask.hold(window)) {
            return Err(LeftOut::OutsideMaskPolygons);
        }
        let needed = needed_pixels(self.options, window);
        if self.maps.iter().any(|map| map.pixels_within(window).1 < needed) {
            return Err(LeftOut::TooFewValidPixels);
        }
        match self.split.use_of(window) {
            None => Err(LeftOut::BetweenTrainingAndValidation),
            Some(Use::Training) if self.validation_elsewhere.iter().any(|block| block.overlaps(window)) => {
                Err(LeftOut::ValidationGroundOfAnotherScene)
            }
            Some(which) => Ok(which),
        }
    }
}

/// Returns the smallest number of pixels with data in a chip.
pub(super) fn needed_pixels(options: &ExportTrainingData, window: SceneWindow) -> u64 {
    // Empty chips are never exported, whatever the share.
    ((options.min_valid_share * window.pixels() as f64).ceil() as u64).max(1)
}
