//! Splits the ground of scenes into training and validation.
//!
//! If validation windows were drawn from anywhere, they would share pixels with training windows, and the model would
//! be evaluated on what it has seen. So whole blocks of the scenes are set aside.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::validity_map::ValidityMap;
use super::window::SceneWindow;
use crate::random::Stream;

/// The split that a window belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Use {
    Training,
    Validation,
}

/// How scenes are divided into blocks, some of which are set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// Width and height of a block; the last ones of a row and of a column absorb the remainder. Neither is 0.
    pub size: (usize, usize),
    /// Distance in pixels that training windows keep from validation blocks.
    pub margin: usize,
}

/// Largest number of windows along the side of a block.
const MOST_WINDOWS: usize = 4;

impl Blocks {
    /// Returns blocks of 4 x 4 windows of `tile` = (width, height), or of fewer if there would not be enough blocks to
    /// set a `share` of them aside. Large blocks have less border, near which windows belong to neither split.
    pub fn for_tiles(tile: (usize, usize), maps: &[&ValidityMap], share: f64, margin: usize) -> Self {
        let pixels = |map: &&ValidityMap| map.valid_pixels() as f64;
        let windows = maps.iter().map(pixels).sum::<f64>() / (tile.0 as f64 * tile.1 as f64).max(1.0);
        // Two blocks for validation, so that their total can be close to the requested share.
        let are_enough = |side: &usize| windows / (side * side) as f64 * share.min(1.0 - share) >= 2.0;
        let side = (1..=MOST_WINDOWS).rev().find(are_enough).unwrap_or(1);
        Self { size: (tile.0.max(1) * side, tile.1.max(1) * side), margin }
    }
}

/// The blocks of one scene, and which of them are for validation.
///
/// ```text
/// A window is for   when
/// validation        all blocks that it touches are for validation
/// training          it keeps the margin to all of these
/// nothing           neither
/// ```
///
/// So no training window shares a pixel with a validation window, wherever they are drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpatialSplit {
    /// Height and width of the scene.
    size: (usize, usize),
    blocks: Blocks,
    /// Row by row.
    validates: Vec<bool>,
}

/// Sets aside a `share`, from 0 to below 1, of the pixels with data of all scenes, in blocks drawn by `random`. Scenes
/// on the same grid, which have the same number in `first_on_grid`, set the same blocks aside because they show the
/// same ground.
///
/// If at least two blocks have data and the share is not 0, at least one block is set aside and at least one is left.
pub(crate) fn split_scenes(
    maps: &[&ValidityMap],
    first_on_grid: &[usize],
    blocks: Blocks,
    share: f64,
    random: &mut Stream,
) -> Vec<SpatialSplit> {
    let mut splits: Vec<_> = maps.iter().map(|map| SpatialSplit::without_validation(map.size(), blocks)).collect();
    let mut pixels = BTreeMap::<(usize, usize), f64>::new();
    for ((split, map), first) in splits.iter().zip(maps).zip(first_on_grid) {
        for (index, block) in split.all_blocks().enumerate() {
            let (least, most) = map.pixels_within(block);
            *pixels.entry((*first, index)).or_default() += (least + most) as f64 / 2.0;
        }
    }
    let mut places: Vec<_> = pixels.into_iter().filter(|(_, pixels)| *pixels > 0.0).collect();
    random.shuffle(&mut places);
    let wanted = share * places.iter().map(|(_, pixels)| pixels).sum::<f64>();
    let most = places.len().saturating_sub(1);
    let mut taken = 0.0;
    for ((place, index), pixels) in places.into_iter().take(most) {
        // As close to the share as whole blocks allow.
        if share == 0.0 || taken > 0.0 && taken + pixels / 2.0 > wanted {
            break;
        }
        taken += pixels;
        for (split, _) in splits.iter_mut().zip(first_on_grid).filter(|(_, first)| **first == place) {
            split.validates[index] = true;
        }
    }
    splits
}

impl SpatialSplit {
    /// Returns the split of a scene that is only used for training.
    pub fn without_validation(size: (usize, usize), blocks: Blocks) -> Self {
        let (across, down) = counts(size, blocks);
        Self { size, blocks, validates: vec![false; across * down] }
    }

    /// Returns the split of a window; `None` if it is too close to both kinds of ground, or not within the scene.
    pub fn use_of(&self, window: SceneWindow) -> Option<Use> {
        if !window.fits(self.size) || window.pixels() == 0 {
            return None;
        }
        if self.touched_by(window).all(|block| self.validates[block]) {
            return Some(Use::Validation);
        }
        let near = window.grown(self.blocks.margin);
        (!self.touched_by(near).any(|block| self.validates[block])).then_some(Use::Training)
    }

    /// Returns the validation blocks, row by row.
    pub fn validation_blocks(&self) -> impl Iterator<Item = SceneWindow> {
        self.all_blocks().zip(&self.validates).filter_map(|(block, validates)| validates.then_some(block))
    }

    fn all_blocks(&self) -> impl Iterator<Item = SceneWindow> {
        let ((across, down), (height, width), (block_width, block_height)) =
            (counts(self.size, self.blocks), self.size, self.blocks.size);
        let span = |index: usize, count: usize, side: usize, length: usize| {
            let end = if index + 1 == count { length } else { (index + 1) * side };
            (index * side, end - index * side)
        };
        (0..down).flat_map(move |y| {
            (0..across).map(move |x| {
                let ((column, columns), (row, rows)) =
                    (span(x, across, block_width, width), span(y, down, block_height, height));
                SceneWindow::new(column, row, columns, rows)
            })
        })
    }

    /// Returns the indices of the blocks that share a pixel with a window.
    fn touched_by(&self, window: SceneWindow) -> impl Iterator<Item = usize> {
        let ((across, down), (block_width, block_height)) = (counts(self.size, self.blocks), self.blocks.size);
        let last = |end: usize, side: usize, count: usize| (end.saturating_sub(1) / side).min(count - 1);
        let columns = (window.column / block_width).min(across - 1)..=last(window.right(), block_width, across);
        let rows = (window.row / block_height).min(down - 1)..=last(window.bottom(), block_height, down);
        rows.flat_map(move |y| columns.clone().map(move |x| y * across + x))
    }
}

/// Returns the number of blocks across and down, each at least one.
fn counts((height, width): (usize, usize), blocks: Blocks) -> (usize, usize) {
    let count = |length: usize, side: usize| (length / side.max(1)).max(1);
    (count(width, blocks.size.0), count(height, blocks.size.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::scenes::window::grid;
    use crate::random::Seed;
    use proptest::prelude::*;

    fn full(sizes: &[(usize, usize)]) -> Vec<ValidityMap> {
        sizes.iter().map(|size| ValidityMap::full(*size, 16)).collect()
    }

    fn split(maps: &[ValidityMap], blocks: Blocks, share: f64, seed: u64) -> Vec<SpatialSplit> {
        let each: Vec<usize> = (0..maps.len()).collect();
        split_scenes(&maps.iter().collect::<Vec<_>>(), &each, blocks, share, &mut Seed(seed).stream("spatial split", 0))
    }

    fn pixels_set_aside(splits: &[SpatialSplit]) -> u64 {
        splits.iter().flat_map(SpatialSplit::validation_blocks).map(SceneWindow::pixels).sum()
    }

    proptest! {
        /// Any two windows of different splits are further apart than the margin, in each scene.
        #[test]
        fn no_pixel_has_two_uses(
            sizes in prop::collection::vec((1usize..100, 1usize..100), 1..3), tile in 8usize..20, side in 1usize..4,
            margin in 0usize..12, share in 0.0..0.9f64, seed in any::<u64>(), places in prop::collection::vec((0usize..100, 0usize..100, 1usize..30), 40),
        ) {
            let blocks = Blocks { size: (tile * side, tile * side), margin };
            let splits = split(&full(&sizes), blocks, share, seed);
            for split in &splits {
                let any = places.iter().map(|(column, row, side)| SceneWindow::new(*column, *row, *side, *side));
                let all: Vec<_> = any.chain(grid(split.size, (tile, tile), (tile.div_ceil(2), tile))).collect();
                let of = |which| all.iter().copied().filter(move |window| split.use_of(*window) == Some(which));
                for validation in of(Use::Validation) {
                    for training in of(Use::Training) {
                        prop_assert!(!validation.grown(margin).overlaps(training), "{} {}", validation, training);
                    }
                }
                for block in split.validation_blocks() {
                    prop_assert_eq!(split.use_of(block), Some(Use::Validation));
                }
            }
        }

        #[test]
        fn blocks_cover_scenes_once((height, width) in (1usize..90, 1usize..90), size in (1usize..40, 1usize..40)) {
            let split = SpatialSplit::without_validation((height, width), Blocks { size, margin: 0 });
            let all: Vec<_> = split.all_blocks().collect();
            prop_assert_eq!(all.iter().map(|block| block.pixels()).sum::<u64>(), (height * width) as u64);
            for (index, block) in all.iter().enumerate() {
                prop_assert_eq!(split.touched_by(*block).collect::<Vec<_>>(), [index]);
                prop_assert!(block.fits((height, width)));
            }
        }
    }

    #[test]
    fn the_share_is_met_by_seed() {
        let maps = full(&[(1024, 2048), (512, 512)]);
        let blocks = Blocks { size: (64, 64), margin: 0 };
        let all = (1024 * 2048 + 512 * 512) as f64;
        for share in [0.0, 0.05, 0.1, 0.3, 0.5] {
            let got = pixels_set_aside(&split(&maps, blocks, share, 1)) as f64 / all;
            // Half a block.
            assert!((got - share).abs() <= 64.0 * 64.0 / 2.0 / all, "{share}: {got}");
        }
        assert_eq!(split(&maps, blocks, 0.1, 5), split(&maps, blocks, 0.1, 5));
        assert_ne!(split(&maps, blocks, 0.1, 5), split(&maps, blocks, 0.1, 6));
    }

    /// Three dates of one place and a scene of another.
    #[test]
    fn scenes_of_one_place_set_the_same_blocks_aside() {
        let maps = full(&[(512, 512), (512, 768), (512, 512), (512, 512)]);
        let mut random = Seed(4).stream("spatial split", 0);
        let splits = split_scenes(
            &maps.iter().collect::<Vec<_>>(),
            &[0, 1, 0, 0],
            Blocks { size: (64, 64), margin: 0 },
            0.25,
            &mut random,
        );
        let blocks = |scene: usize| splits[scene].validation_blocks().collect::<Vec<_>>();
        assert!(!blocks(0).is_empty() && blocks(0) == blocks(2) && blocks(0) == blocks(3) && blocks(0) != blocks(1));
        let all = (3 * 512 * 512 + 512 * 768) as f64;
        // The block that is drawn last may be in all three dates.
        assert!((pixels_set_aside(&splits) as f64 / all - 0.25).abs() <= 3.0 * 64.0 * 64.0 / 2.0 / all);
    }

    #[test]
    fn both_uses_stay_where_there_are_two_blocks() {
        let blocks = Blocks { size: (64, 64), margin: 0 };
        let aside = |sizes: &[(usize, usize)], share| pixels_set_aside(&split(&full(sizes), blocks, share, 3));
        assert_eq!([aside(&[(64, 128)], 0.01), aside(&[(64, 128)], 0.99)], [64 * 64; 2]);
        // One of the two scenes is used for validation as a whole.
        assert_eq!(aside(&[(64, 64), (64, 64)], 0.1), 64 * 64);
        assert_eq!([aside(&[(64, 64)], 0.5), aside(&[(5, 5)], 0.5), aside(&[], 0.5)], [0; 3]);
    }

    /// The upper half of the scene is empty, so it is not worth setting aside.
    #[test]
    fn blocks_without_data_are_not_set_aside() {
        let mut image = ndarray::Array3::<u8>::zeros((1, 512, 512));
        image.slice_mut(ndarray::s![.., 256.., ..]).fill(7);
        let source = crate::raster::Source::of(crate::Raster::new(image).unwrap().with_nodata(0.0));
        let map = ValidityMap::of(&source, 32, &|_| Ok(())).unwrap();
        let splits = split(&[map], Blocks { size: (64, 64), margin: 0 }, 0.25, 2);
        assert_eq!(pixels_set_aside(&splits), 512 * 256 / 4);
        assert!(splits[0].validation_blocks().all(|block| block.row >= 256));
    }

    #[test]
    fn blocks_get_smaller_with_the_scenes() {
        let side = |size: usize, share| {
            Blocks::for_tiles((64, 32), &full(&[(size, size)]).iter().collect::<Vec<_>>(), share, 0).size
        };
        assert_eq!([side(10_000, 0.1), side(768, 0.1), side(100, 0.1)], [(256, 128), (192, 96), (64, 32)]);
        assert_eq!(side(1024, 0.5), (256, 128));
    }
}
