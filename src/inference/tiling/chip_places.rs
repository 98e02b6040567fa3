//! Positions of the chips from which the statistics of scenes are gathered.

use std::cmp::Reverse;

/// Chips are as large as the scenes that hold this share of all pixels allow: all chips have one size, and a few small
/// scenes should not decide it.
const MOST_PIXELS: f64 = 0.9;

/// Height and width, or row and column.
type Pair = (usize, usize);

/// Returns the chip size, at most `side` x `side` pixels, that fits into nearly all of these scenes.
pub(crate) fn common_size(scenes: &[Pair], side: usize) -> Pair {
    let total: f64 = scenes.iter().copied().map(area).sum();
    let most = |of: fn(Pair) -> usize| {
        let mut lengths: Vec<_> = scenes.iter().map(|&scene| (of(scene), area(scene))).collect();
        lengths.sort_by_key(|(length, _)| Reverse(*length));
        let mut held = 0.0;
        let reached = lengths.into_iter().find(|(_, area)| {
            held += area;
            held >= MOST_PIXELS * total
        });
        reached.map_or(1, |(length, _)| length).clamp(1, side)
    };
    (most(|(height, _)| height), most(|(_, width)| width))
}

/// Returns how many of `count` chips come from each scene, in proportion to its area. If there are very many scenes,
/// most get none.
pub(crate) fn shares(scenes: &[Pair], count: usize) -> Vec<usize> {
    let total: f64 = scenes.iter().copied().map(area).sum();
    let mut before = 0.0;
    let until = |pixels: f64| (count as f64 * pixels / total.max(1.0)).round() as usize;
    let share = |&scene: &Pair| {
        let first = until(before);
        before += area(scene);
        until(before) - first
    };
    scenes.iter().map(share).collect()
}

/// Returns the upper left corners of `count` chips, spread evenly over a scene starting with the first one, and aligned
/// to the network's grid.
///
/// They are points of a low-discrepancy sequence (Roberts 2018, the R2 sequence), so the same scene always gives the
/// same chips.
pub(crate) fn spread(scene: Pair, chip: Pair, count: usize) -> impl Iterator<Item = Pair> {
    // One over the plastic number, and one over its square.
    let (a, b) = (0.754_877_666_246_692_7, 0.569_840_290_998_053_3);
    let room = (scene.0 - chip.0, scene.1 - chip.1);
    let points = (0..count).map(move |i| ((0.5 + a * i as f64).fract(), (0.5 + b * i as f64).fract()));
    points.map(move |(y, x)| (place(y, room.0), place(x, room.1)))
}

/// Returns the starts of pieces of `side` pixels that cover `length`; the last one may overlap the previous one.
pub(crate) fn grid(length: usize, side: usize) -> impl Iterator<Item = usize> {
    let last = length - side;
    let starts = (0..=last).step_by(side);
    starts.chain((!last.is_multiple_of(side)).then_some(last))
}

/// Returns `count` evenly spread indices below `length`.
pub(crate) fn evenly(length: usize, count: usize) -> impl Iterator<Item = usize> {
    let count = count.min(length);
    (0..count).map(move |i| (2 * i + 1) * length / (2 * count))
}

fn area((height, width): Pair) -> f64 {
    height as f64 * width as f64
}

/// Returns the multiple of 4, the network's grid, at this share of `room`.
fn place(share: f64, room: usize) -> usize {
    ((share * (room + 1) as f64) as usize).min(room) / 4 * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_lie_within_the_scene_and_evenly() {
        let places: Vec<Pair> = spread((400, 600), (32, 32), 60).collect();
        assert!(places.iter().all(|&(y, x)| y <= 368 && x <= 568 && y % 4 == 0 && x % 4 == 0));
        for corner in [(false, false), (false, true), (true, false), (true, true)] {
            let within = places.iter().filter(|&&(y, x)| (y >= 184, x >= 284) == corner).count();
            assert!((12..=18).contains(&within), "{within} in {corner:?}");
        }
        assert_eq!(spread((32, 32), (32, 32), 2).collect::<Vec<_>>(), [(0, 0), (0, 0)]);
    }

    #[test]
    fn a_grid_covers_all_and_what_is_chosen_of_it_is_even() {
        assert_eq!(grid(10, 4).collect::<Vec<_>>(), [0, 4, 6]);
        assert_eq!(grid(8, 4).collect::<Vec<_>>(), [0, 4]);
        assert_eq!(evenly(10, 3).collect::<Vec<_>>(), [1, 5, 8]);
        assert_eq!(evenly(2, 5).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(evenly(0, 5).count(), 0);
    }

    #[test]
    fn scenes_share_chips_by_area_and_small_ones_do_not_decide_the_size() {
        assert_eq!(shares(&[(300, 300), (100, 60)], 48), [45, 3]);
        assert_eq!(shares(&[(64, 64); 100], 10).iter().sum::<usize>(), 10);
        assert_eq!(common_size(&[(300, 1), (300, 300), (20, 24)], 32), (32, 32));
        assert_eq!(common_size(&[(300, 1)], 32), (32, 1));
    }
}
