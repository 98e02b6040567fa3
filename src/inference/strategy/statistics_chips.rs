//! Chips of scenes from which statistics are gathered.

use ndarray::s;

use super::progress::Progress;
use super::scene_error::of_scene;
use crate::error::Result;
use crate::inference::tiling::{ThinnedList, common_size, evenly, grid, shares, spread};
use crate::raster::{Raster, Source};

/// The least share of a chip that must have data.
const LEAST_DATA: f64 = 0.25;
/// Positions to try for each chip, before the scene is searched systematically.
const TRIES: usize = 8;
/// A scene is searched if less than this share of the wanted chips was found.
const LEAST_FOUND: f64 = 0.25;
/// Sides below this cost as much as this.
const LEAST_SIDE: usize = 8;
/// Positions with data that are remembered for a scene.
const MOST_CELLS: usize = 1 << 20;
/// Adjacent cells that are read together.
const CELLS_AT_ONCE: usize = 128;

/// Height and width, or row and column.
type Pair = (usize, usize);

/// Cuts chips from `scenes` of `side` x `side` pixels, or as large as nearly all scenes allow, with about `pixels`
/// pixels in total, however many scenes there are. They are spread over the scenes in proportion to their area. Chips
/// without data are skipped, and so are scenes smaller than a chip; if no scene has data, there are none.
///
/// The same scenes always give the same chips.
pub(crate) fn chips(scenes: &[&Source], pixels: usize, side: usize, progress: &Progress) -> Result<Vec<Raster>> {
    let size = common_size(&sizes(scenes), side);
    let is_large = |scene: &&Source| scene.size().0 >= size.0 && scene.size().1 >= size.1;
    let (large, small): (Vec<&Source>, Vec<&Source>) = scenes.iter().copied().partition(is_large);
    let count = pixels.div_ceil(size.0.max(LEAST_SIDE) * size.1.max(LEAST_SIDE));
    let shares = shares(&sizes(&large), count);
    let mut chips = Vec::new();
    for (scene, share) in large.iter().zip(&shares).filter(|(_, share)| **share > 0) {
        chips.extend(cut(scene, *share, size, progress).map_err(|error| of_scene(error, scene))?);
        scene.release();
    }
    // Anything with data is better than nothing.
    for (scene, _) in large.iter().zip(&shares).filter(|(_, share)| **share == 0) {
        if !chips.is_empty() {
            break;
        }
        chips.extend(cut(scene, 1, size, progress).map_err(|error| of_scene(error, scene))?);
        scene.release();
    }
    if chips.is_empty() && !small.is_empty() { self::chips(&small, pixels, side, progress) } else { Ok(chips) }
}

fn sizes(scenes: &[&Source]) -> Vec<Pair> {
    scenes.iter().map(|scene| scene.size()).collect()
}

/// Cuts `count` chips from one scene, at positions that are spread evenly over it or, if too few of them have data,
/// over all of its data.
fn cut(scene: &Source, count: usize, size: Pair, progress: &Progress) -> Result<Vec<Raster>> {
    let mut places = spread(scene.size(), size, count * TRIES);
    let mut chips = Vec::new();
    while chips.len() < count {
        let mut next: Vec<Pair> = places.by_ref().take(count - chips.len()).collect();
        if next.is_empty() {
            break;
        }
        // From top to bottom, so that the next chip can use what was decoded for this one.
        next.sort_unstable();
        for chip in windows(scene, next, size, progress) {
            let chip = chip?;
            if data_share(&chip) >= LEAST_DATA {
                chips.push(chip);
            }
        }
    }
    if (chips.len() as f64) < LEAST_FOUND * count as f64 { searched(scene, count, size, progress) } else { Ok(chips) }
}

fn windows<'a>(
    scene: &'a Source,
    places: Vec<Pair>,
    size: Pair,
    progress: &'a Progress,
) -> impl Iterator<Item = Result<Raster>> + 'a {
    places.into_iter().map(move |(row, column)| {
        progress.check_stop()?;
        scene.window(row, column, size.0, size.1)
    })
}

/// Cuts chips from a scene whose data is in few places, spread evenly over them.
fn searched(scene: &Source, count: usize, size: Pair, progress: &Progress) -> Result<Vec<Raster>> {
    let cells = cells(scene, size, progress)?;
    let full: Vec<Pair> = cells.iter().filter(|cell| cell.1 >= LEAST_DATA).map(|cell| cell.0).collect();
    let chosen = match full.len() as f64 >= LEAST_FOUND * count.min(cells.len()) as f64 {
        true => full,
        false => cells.into_iter().map(|cell| cell.0).collect(),
    };
    let places = evenly(chosen.len(), count).map(|index| chosen[index]).collect();
    windows(scene, places, size, progress).collect()
}

/// Returns the positions of a grid of chips that have data, row by row, with their share of data: all of them, or every
/// second, fourth and so on if they would take too much memory.
fn cells(scene: &Source, size: Pair, progress: &Progress) -> Result<Vec<(Pair, f64)>> {
    let (height, width) = scene.size();
    let mut cells = ThinnedList::new(MOST_CELLS);
    for row in grid(height, size.0) {
        let mut all_columns = grid(width, size.1).peekable();
        while all_columns.peek().is_some() {
            progress.check_stop()?;
            let columns: Vec<usize> = all_columns.by_ref().take(CELLS_AT_ONCE).collect();
            let (left, right) = (columns[0], columns[columns.len() - 1] + size.1);
            let gaps = scene.window(row, left, size.0, right - left)?.gaps();
            let share = |column: usize| {
                let cell = gaps.slice(s![.., column - left..column - left + size.1]);
                cell.iter().filter(|&&gap| !gap).count() as f64 / cell.len() as f64
            };
            let found = columns.iter().map(|&column| ((row, column), share(column)));
            found.filter(|cell| cell.1 > 0.0).for_each(|cell| cells.push(cell));
        }
    }
    Ok(cells.into_kept())
}

fn data_share(chip: &Raster) -> f64 {
    let gaps = chip.gaps();
    gaps.iter().filter(|&&gap| !gap).count() as f64 / gaps.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn scene(height: usize, width: usize, value: impl Fn(usize, usize) -> f32) -> Source {
        let image = Raster::new(Array3::from_shape_fn((1, height, width), |(_, y, x)| value(y, x))).unwrap();
        Source::of(image)
    }

    fn chips(scenes: &[&Source], count: usize, side: usize) -> Vec<Raster> {
        super::chips(scenes, count * side * side, side, &Progress::silent()).unwrap()
    }

    fn first(chip: &Raster) -> f32 {
        chip.samples().to_f32()[(0, 0, 0)]
    }

    #[test]
    fn chips_fill_the_scene_evenly_and_are_the_same_every_time() {
        let scene = scene(400, 600, |y, x| (y * 600 + x) as f32);
        let made = chips(&[&scene], 60, 32);
        assert_eq!(made.len(), 60);
        assert!(made.iter().all(|chip| (chip.height(), chip.width()) == (32, 32)));
        let quarter = |chip: &Raster| (first(chip) as usize / 600 >= 184, first(chip) as usize % 600 >= 284);
        for corner in [(false, false), (false, true), (true, false), (true, true)] {
            let within = made.iter().filter(|chip| quarter(chip) == corner).count();
            assert!((12..=18).contains(&within), "{within} in {corner:?}");
        }
        assert_eq!(chips(&[&scene], 60, 32), made);
    }

    #[test]
    fn chips_have_data_wherever_it_lies() {
        let island = scene(600, 600, |y, x| if (y / 32, x / 32) == (17, 2) { 1.0 } else { f32::NAN });
        // In the rows and columns that are left over, and with little data in each chip.
        let edge = scene(601, 603, |y, x| if y > 598 && x > 598 { 1.0 } else { f32::NAN });
        for sparse in [island, edge] {
            let made = chips(&[&sparse], 3, 32);
            assert!(!made.is_empty() && made.iter().all(|chip| data_share(chip) > 0.0));
        }
        let nothing = scene(100, 100, |_, _| f32::NAN);
        assert!(chips(&[&nothing], 3, 32).is_empty());
    }

    /// A river from top to bottom: a fifth of each chip that it crosses, and its values say where it is.
    #[test]
    fn chips_of_little_data_are_from_everywhere() {
        let river = scene(640, 640, |y, x| if x / 6 == 50 { y as f32 } else { f32::NAN });
        let made = chips(&[&river], 5, 32);
        let mean = |chip: &Raster| {
            let data: Vec<f32> = chip.samples().to_f32().iter().copied().filter(|value| value.is_finite()).collect();
            data.iter().sum::<f32>() / data.len() as f32
        };
        let rows: Vec<f32> = made.iter().map(mean).collect();
        assert!(rows.len() == 5 && rows[0] < 130.0 && rows[4] > 510.0, "{rows:?}");
    }

    #[test]
    fn scenes_are_weighted_by_area() {
        let (large, small) = (scene(300, 300, |_, _| 1.0), scene(100, 60, |_, _| 2.0));
        let made = chips(&[&large, &small], 48, 32);
        let of_small = made.iter().filter(|chip| first(chip) == 2.0).count();
        assert_eq!((made.len() - of_small, of_small), (45, 3));
    }

    #[test]
    fn the_number_of_scenes_does_not_matter() {
        let scenes: Vec<Source> = (0..100).map(|i| scene(64, 64, move |_, _| i as f32)).collect();
        let scenes: Vec<&Source> = scenes.iter().collect();
        let from: Vec<f32> = chips(&scenes, 10, 32).iter().map(first).collect();
        assert_eq!(from.len(), 10);
        assert!(from.windows(2).all(|pair| (5.0..=15.0).contains(&(pair[1] - pair[0]))), "{from:?}");
        // Data in one scene only, which is not among the ten.
        let holes: Vec<Source> =
            (0..100).map(|i| scene(64, 64, move |_, _| if i == 3 { 1.0 } else { f32::NAN })).collect();
        assert!(!chips(&holes.iter().collect::<Vec<_>>(), 10, 32).is_empty());
    }

    #[test]
    fn a_small_scene_does_not_decide_the_size() {
        let scene_of = |height, width| scene(height, width, |_, _| 1.0);
        let (large, sliver, chip) = (scene_of(300, 300), scene_of(300, 1), scene_of(20, 24));
        let made = chips(&[&sliver, &large, &chip], 8, 32);
        assert!(made.len() == 8 && made.iter().all(|chip| (chip.height(), chip.width()) == (32, 32)));
        // They count if there is nothing else.
        let alone = chips(&[&sliver], 8, 32);
        assert!(alone.iter().all(|chip| (chip.height(), chip.width()) == (32, 1)));
        let nothing = scene(300, 300, |_, _| f32::NAN);
        assert!(chips(&[&nothing, &chip], 8, 32).iter().all(|chip| (chip.height(), chip.width()) == (20, 24)));
    }

    #[test]
    fn a_signal_ends_the_search() {
        let stop = crate::train::StopSignal::new();
        stop.stop();
        let progress = Progress::new(1, false, Some(stop));
        assert!(super::chips(&[&scene(300, 300, |_, _| 1.0)], 4096, 32, &progress).is_err());
    }
}
