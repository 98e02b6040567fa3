//! Plans which windows of scenes are for training and which for validation.

use std::sync::Arc;

use super::domain_scenes::DomainScenes;
use super::gaps::Gaps;
use super::positions::Positions;
use super::same_ground::{first_on_grid, validation_elsewhere};
use super::scene::Scene;
use super::spatial_split::{Blocks, SpatialSplit, Use, split_scenes};
use super::survey::MappedScene;
use super::validity_map::ValidityMap;
use super::window::{SceneWindow, grid};
use crate::dataset::domain::Domain;
use crate::dataset::options::PrepareData;
use crate::error::{Error, ErrorKind, Result};
use crate::random::Seed;

/// The windows of a domain, or of both domains for pairs.
pub(super) struct WindowPlan {
    /// Where training windows may begin in each scene.
    pub positions: Arc<Vec<Positions>>,
    /// All validation windows, each with its scene.
    pub valid: Vec<(usize, SceneWindow)>,
    /// How many windows would cover the training area.
    pub windows: f64,
}

/// One scene, or two that are partners.
struct PlannedScene<'a> {
    scene: &'a Scene,
    mapped: Vec<&'a MappedScene>,
    split: SpatialSplit,
    /// Pixels whose ground is used for validation in another scene.
    validation_elsewhere: Vec<SceneWindow>,
    min_valid_share: f64,
}

impl WindowPlan {
    /// Sets aside ground of the first of `domains` for validation; windows need enough data in all of them.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if no window can be used for training.
    pub fn new(options: &PrepareData, domain: Domain, domains: &[&DomainScenes]) -> Result<Self> {
        let Some(first) = domains.first() else { return Err(Error::new(ErrorKind::Usage, "there are no scenes")) };
        let (maps, share) = (first.maps(), options.val_split_pct);
        let blocks = Blocks::for_tiles(first.tile(), &maps, share, 0);
        let mut random = Seed(options.seed).stream(&format!("spatial split/{domain}"), 0);
        let splits = split_scenes(&maps, &first_on_grid(&first.ground), blocks, share, &mut random);
        let elsewhere = validation_elsewhere(&first.ground, &splits);
        let (mut positions, mut valid, mut windows) = (Vec::new(), Vec::new(), 0.0);
        for (index, ((scene, split), validation_elsewhere)) in
            first.scenes.iter().zip(splits).zip(elsewhere).enumerate()
        {
            let mapped = domains.iter().filter_map(|scenes| scenes.mapped.get(index)).collect();
            let min_valid_share = options.scenes.least_valid();
            let planned = PlannedScene { scene, mapped, split, validation_elsewhere, min_valid_share };
            windows += planned.training_pixels() / (scene.window.0 * scene.window.1) as f64;
            valid.extend(planned.validation_windows().into_iter().map(|window| (index, window)));
            positions.push(planned.training_positions());
        }
        if positions.iter().all(|positions| positions.count() == 0) {
            return Err(no_window(options, domain, first));
        }
        if valid.is_empty() && share > 0.0 {
            tracing::warn!(path = %options.path.display(), "the scenes of domain {domain} are too small to set ground aside; there is no validation");
        }
        Ok(Self { positions: Arc::new(positions), valid, windows })
    }
}

impl PlannedScene<'_> {
    /// Returns how many pixels with data are not set aside.
    fn training_pixels(&self) -> f64 {
        let pixels = |map: &ValidityMap| {
            let within = |block| {
                let (least, most) = map.pixels_within(block);
                (least + most) as f64 / 2.0
            };
            map.valid_pixels() as f64 - self.split.validation_blocks().map(within).sum::<f64>()
        };
        self.mapped.iter().map(|scene| pixels(&scene.map)).reduce(f64::min).unwrap_or(0.0)
    }

    /// Returns adjacent windows in the blocks that are set aside.
    fn validation_windows(&self) -> Vec<SceneWindow> {
        let tile = (self.scene.window.1, self.scene.window.0);
        let in_block = |block: SceneWindow| {
            let windows = grid((block.height, block.width), tile, tile);
            windows.map(move |window| SceneWindow {
                row: block.row + window.row,
                column: block.column + window.column,
                ..window
            })
        };
        let has_data = |window: SceneWindow, map: &ValidityMap| {
            map.pixels_within(window).0 as f64 >= self.min_valid_share * window.pixels() as f64
        };
        let windows = self.split.validation_blocks().flat_map(in_block);
        windows.filter(|window| self.mapped.iter().all(|scene| has_data(*window, &scene.map))).collect()
    }

    fn training_positions(self) -> Positions {
        let Self { scene, mapped, split, validation_elsewhere, min_valid_share } = self;
        let size = scene.source.size();
        let gaps: Vec<Gaps> = mapped.iter().map(|scene| Gaps::of(&scene.map, scene.cell)).collect();
        let along = |length: usize, ends: fn(SceneWindow) -> [usize; 2]| -> Vec<usize> {
            let of_cells = gaps.iter().flat_map(|gaps| gaps.edges(length));
            let blocks = split.validation_blocks().chain(validation_elsewhere.iter().copied());
            of_cells.chain(blocks.flat_map(ends)).collect()
        };
        let rows = along(size.0, |block| [block.row, block.bottom()]);
        let columns = along(size.1, |block| [block.column, block.right()]);
        let accepts = move |window: SceneWindow| {
            split.use_of(window) == Some(Use::Training)
                && !validation_elsewhere.iter().any(|block| block.overlaps(window))
                && gaps.iter().all(|gaps| gaps.allow(window, min_valid_share))
        };
        Positions::new(size, scene.window, scene.group(), (rows, columns), Box::new(accepts))
    }
}

fn no_window(options: &PrepareData, domain: Domain, scenes: &DomainScenes) -> Error {
    let (width, height) = scenes.tile();
    let largest = scenes.scenes.iter().map(|scene| scene.source.size()).max_by_key(|size| size.0 * size.1);
    let (down, across) = largest.unwrap_or_default();
    let valid: u64 = scenes.mapped.iter().map(|scene| scene.map.valid_pixels()).sum();
    Error::new(ErrorKind::Usage, format!("no window of the scenes of domain {domain} can train"))
        .at(scenes.scenes.first().map_or(options.path.as_path(), Scene::path))
        .expected(format!(
            "room for {width} x {height} pixels, of which a share of {} has data",
            options.scenes.least_valid()
        ))
        .found(format!("scenes of at most {across} x {down} pixels, in which {valid} pixels have data"))
        .help("Make PrepareData::chip_size smaller, or min_valid_share, or give more scenes.")
}
