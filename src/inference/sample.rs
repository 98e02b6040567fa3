//! Which pieces of a scene its statistics are gathered from.

use ndarray::s;

use super::progress::Watch;
use crate::error::Result;
use crate::raster::{Raster, Source};

/// The share of a piece that has to have data.
const LEAST_DATA: f64 = 0.25;
/// Places that are looked at for each piece that is wanted, before the scene is searched from its corner.
const TRIES: usize = 8;
/// A scene is searched where less than this share of the wanted pieces was found.
const LEAST_FOUND: f64 = 0.25;
/// Pieces are as large as scenes allow that hold this share of all pixels: pieces have one size, and a few small scenes
/// are not to decide it.
const MOST_PIXELS: f64 = 0.9;
/// Sides below this cost as much as this.
const LEAST_SIDE: usize = 8;
/// Places with data that are remembered of a scene.
const MOST_CELLS: usize = 1 << 20;
/// Cells beside each other that are looked at together.
const CELLS: usize = 128;

/// Height and width, or row and column.
type Pair = (usize, usize);

/// Cuts pieces of `side` x `side` pixels, or as large as nearly all scenes allow, out of `scenes`: of about `pixels`
/// pixels together, however many scenes there are, spread over them in proportion to their area. Pieces without data are
/// passed over, and scenes smaller than a piece; where no scene has data, there are none.
///
/// Places are points of a sequence that fills the plane evenly from its first point on (Roberts 2018, the R2 sequence),
/// so the same scenes always give the same pieces.
pub(crate) fn sample(scenes: &[&Source], pixels: usize, side: usize, watch: &Watch) -> Result<Vec<Raster>> {
    let size = piece_size(scenes, side);
    let is_large = |scene: &&Source| scene.size().0 >= size.0 && scene.size().1 >= size.1;
    let (large, small): (Vec<&Source>, Vec<&Source>) = scenes.iter().copied().partition(is_large);
    let count = pixels.div_ceil(size.0.max(LEAST_SIDE) * size.1.max(LEAST_SIDE));
    let shares = shares(&large, count);
    let mut pieces = Vec::new();
    for (scene, share) in large.iter().zip(&shares).filter(|(_, share)| **share > 0) {
        pieces.extend(of_scene(scene, *share, size, watch)?);
        scene.release();
    }
    // Whatever has data is better than nothing.
    for (scene, _) in large.iter().zip(&shares).filter(|(_, share)| **share == 0) {
        if !pieces.is_empty() {
            break;
        }
        pieces.extend(of_scene(scene, 1, size, watch)?);
        scene.release();
    }
    if pieces.is_empty() && !small.is_empty() { sample(&small, pixels, side, watch) } else { Ok(pieces) }
}

fn area(scene: &Source) -> f64 {
    scene.size().0 as f64 * scene.size().1 as f64
}

fn piece_size(scenes: &[&Source], side: usize) -> Pair {
    let total: f64 = scenes.iter().map(|scene| area(scene)).sum();
    let most = |of: fn(Pair) -> usize| {
        let mut lengths: Vec<_> = scenes.iter().map(|scene| (of(scene.size()), area(scene))).collect();
        lengths.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        let mut held = 0.0;
        let reached = lengths.into_iter().find(|(_, area)| {
            held += area;
            held >= MOST_PIXELS * total
        });
        reached.map_or(1, |(length, _)| length).clamp(1, side)
    };
    (most(|(height, _)| height), most(|(_, width)| width))
}

/// How many of `count` pieces are each scene's. Of very many scenes most have none.
fn shares(scenes: &[&Source], count: usize) -> Vec<usize> {
    let total: f64 = scenes.iter().map(|scene| area(scene)).sum();
    let mut before = 0.0;
    let until = |pixels: f64| (count as f64 * pixels / total.max(1.0)).round() as usize;
    let share = |scene: &&Source| {
        let first = until(before);
        before += area(scene);
        until(before) - first
    };
    scenes.iter().map(share).collect()
}

fn of_scene(scene: &Source, count: usize, size: Pair, watch: &Watch) -> Result<Vec<Raster>> {
    let (height, width) = scene.size();
    let room = (height - size.0, width - size.1);
    let mut points = points(count * TRIES).map(|(y, x)| (place(y, room.0), place(x, room.1)));
    let mut pieces = Vec::new();
    while pieces.len() < count {
        let mut next: Vec<Pair> = points.by_ref().take(count - pieces.len()).collect();
        if next.is_empty() {
            break;
        }
        // From the top to the bottom, so that what is decoded for one serves the next one.
        next.sort_unstable();
        for piece in windows(scene, next, size, watch) {
            let piece = piece?;
            if data_share(&piece) >= LEAST_DATA {
                pieces.push(piece);
            }
        }
    }
    if (pieces.len() as f64) < LEAST_FOUND * count as f64 { searched(scene, count, size, watch) } else { Ok(pieces) }
}

fn windows<'a>(
    scene: &'a Source,
    places: Vec<Pair>,
    size: Pair,
    watch: &'a Watch,
) -> impl Iterator<Item = Result<Raster>> + 'a {
    places.into_iter().map(move |(row, column)| {
        watch.check()?;
        scene.window(row, column, size.0, size.1)
    })
}

/// Pieces of a scene whose data lies in few places, spread evenly over all that have any.
fn searched(scene: &Source, count: usize, size: Pair, watch: &Watch) -> Result<Vec<Raster>> {
    let cells = cells(scene, size, watch)?;
    let full: Vec<Pair> = cells.iter().filter(|cell| cell.1 >= LEAST_DATA).map(|cell| cell.0).collect();
    let chosen = match full.len() as f64 >= LEAST_FOUND * count.min(cells.len()) as f64 {
        true => full,
        false => cells.into_iter().map(|cell| cell.0).collect(),
    };
    let wanted = count.min(chosen.len());
    let places = (0..wanted).map(|i| chosen[(2 * i + 1) * chosen.len() / (2 * wanted)]).collect();
    windows(scene, places, size, watch).collect()
}

/// Places of a grid of pieces that have data, row by row, with their share of it: all of them, or every second, fourth and
/// so on where they would be too many for the memory.
fn cells(scene: &Source, size: Pair, watch: &Watch) -> Result<Vec<(Pair, f64)>> {
    let (height, width) = scene.size();
    let mut cells = Thinned::new(MOST_CELLS);
    for row in starts(height, size.0) {
        let mut all_columns = starts(width, size.1).peekable();
        while all_columns.peek().is_some() {
            watch.check()?;
            let columns: Vec<usize> = all_columns.by_ref().take(CELLS).collect();
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
    Ok(cells.kept)
}

/// At most so many values, evenly taken from all that came.
struct Thinned<T> {
    kept: Vec<T>,
    most: usize,
    /// One value in this many is kept.
    every: usize,
    came: usize,
}

impl<T> Thinned<T> {
    fn new(most: usize) -> Self {
        Self { kept: Vec::new(), most, every: 1, came: 0 }
    }

    fn push(&mut self, value: T) {
        if self.came.is_multiple_of(self.every) {
            self.kept.push(value);
        }
        self.came += 1;
        if self.kept.len() > self.most {
            let mut index = 0;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.every *= 2;
        }
    }
}

/// Where pieces of `side` pixels begin that cover `length`; the last one may overlap the one before.
fn starts(length: usize, side: usize) -> impl Iterator<Item = usize> {
    let last = length - side;
    let starts = (0..=last).step_by(side);
    starts.chain((!last.is_multiple_of(side)).then_some(last))
}

/// The nearest multiple of 4 to this share of `room`: the network's grid.
fn place(share: f64, room: usize) -> usize {
    ((share * (room + 1) as f64) as usize).min(room) / 4 * 4
}

fn points(count: usize) -> impl Iterator<Item = (f64, f64)> {
    // One over the plastic number, and over its square.
    let (a, b) = (0.754_877_666_246_692_7, 0.569_840_290_998_053_3);
    (0..count).map(move |i| (0.5 + a * i as f64, 0.5 + b * i as f64)).map(|(y, x)| (y.fract(), x.fract()))
}

fn data_share(piece: &Raster) -> f64 {
    let gaps = piece.gaps();
    gaps.iter().filter(|&&gap| !gap).count() as f64 / gaps.len() as f64
}

/// Where the piece of `side` pixels whose centre is nearest to `centre` lies within `length`.
pub(crate) fn around(centre: f64, side: usize, length: usize) -> usize {
    let side = side.min(length);
    ((centre - side as f64 / 2.0).max(0.0) as usize).min(length - side)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn scene(height: usize, width: usize, value: impl Fn(usize, usize) -> f32) -> Source {
        let image = Raster::new(Array3::from_shape_fn((1, height, width), |(_, y, x)| value(y, x))).unwrap();
        Source::of(image)
    }

    fn pieces(scenes: &[&Source], count: usize, side: usize) -> Vec<Raster> {
        sample(scenes, count * side * side, side, &Watch::silent()).unwrap()
    }

    fn first(piece: &Raster) -> f32 {
        piece.samples().to_f32()[(0, 0, 0)]
    }

    #[test]
    fn pieces_fill_the_scene_evenly_and_are_the_same_every_time() {
        let scene = scene(400, 600, |y, x| (y * 600 + x) as f32);
        let made = pieces(&[&scene], 60, 32);
        assert_eq!(made.len(), 60);
        assert!(made.iter().all(|piece| (piece.height(), piece.width()) == (32, 32)));
        let quarter = |piece: &Raster| (first(piece) as usize / 600 >= 184, first(piece) as usize % 600 >= 284);
        for corner in [(false, false), (false, true), (true, false), (true, true)] {
            let within = made.iter().filter(|piece| quarter(piece) == corner).count();
            assert!((12..=18).contains(&within), "{within} in {corner:?}");
        }
        assert_eq!(pieces(&[&scene], 60, 32), made);
    }

    #[test]
    fn pieces_have_data_wherever_it_lies() {
        let island = scene(600, 600, |y, x| if (y / 32, x / 32) == (17, 2) { 1.0 } else { f32::NAN });
        // In the rows and columns that are left over, and with little data in each piece.
        let edge = scene(601, 603, |y, x| if y > 598 && x > 598 { 1.0 } else { f32::NAN });
        for sparse in [island, edge] {
            let made = pieces(&[&sparse], 3, 32);
            assert!(!made.is_empty() && made.iter().all(|piece| data_share(piece) > 0.0));
        }
        let nothing = scene(100, 100, |_, _| f32::NAN);
        assert!(pieces(&[&nothing], 3, 32).is_empty());
    }

    /// A river from the top to the bottom: a fifth of each piece that it crosses, and the values say where it is.
    #[test]
    fn pieces_of_little_data_are_from_everywhere() {
        let river = scene(640, 640, |y, x| if x / 6 == 50 { y as f32 } else { f32::NAN });
        let made = pieces(&[&river], 5, 32);
        let mean = |piece: &Raster| {
            let data: Vec<f32> = piece.samples().to_f32().iter().copied().filter(|value| value.is_finite()).collect();
            data.iter().sum::<f32>() / data.len() as f32
        };
        let rows: Vec<f32> = made.iter().map(mean).collect();
        assert!(rows.len() == 5 && rows[0] < 130.0 && rows[4] > 510.0, "{rows:?}");
    }

    #[test]
    fn scenes_count_by_their_area() {
        let (large, small) = (scene(300, 300, |_, _| 1.0), scene(100, 60, |_, _| 2.0));
        let made = pieces(&[&large, &small], 48, 32);
        let of_small = made.iter().filter(|piece| first(piece) == 2.0).count();
        assert_eq!((made.len() - of_small, of_small), (45, 3));
    }

    #[test]
    fn many_scenes_give_no_more_than_few() {
        let scenes: Vec<Source> = (0..100).map(|i| scene(64, 64, move |_, _| i as f32)).collect();
        let scenes: Vec<&Source> = scenes.iter().collect();
        let from: Vec<f32> = pieces(&scenes, 10, 32).iter().map(first).collect();
        assert_eq!(from.len(), 10);
        assert!(from.windows(2).all(|pair| (5.0..=15.0).contains(&(pair[1] - pair[0]))), "{from:?}");
        // Data in one scene only, that is not among the ten.
        let holes: Vec<Source> =
            (0..100).map(|i| scene(64, 64, move |_, _| if i == 3 { 1.0 } else { f32::NAN })).collect();
        assert!(!pieces(&holes.iter().collect::<Vec<_>>(), 10, 32).is_empty());
    }

    #[test]
    fn a_small_scene_does_not_decide_the_size() {
        let scene_of = |height, width| scene(height, width, |_, _| 1.0);
        let (large, sliver, chip) = (scene_of(300, 300), scene_of(300, 1), scene_of(20, 24));
        let made = pieces(&[&sliver, &large, &chip], 8, 32);
        assert!(made.len() == 8 && made.iter().all(|piece| (piece.height(), piece.width()) == (32, 32)));
        // They have their say where there is nothing else.
        let alone = pieces(&[&sliver], 8, 32);
        assert!(alone.iter().all(|piece| (piece.height(), piece.width()) == (32, 1)));
        let nothing = scene(300, 300, |_, _| f32::NAN);
        assert!(pieces(&[&nothing, &chip], 8, 32).iter().all(|piece| (piece.height(), piece.width()) == (20, 24)));
    }

    #[test]
    fn what_is_remembered_is_thinned_evenly() {
        for (came, expected) in [(3, vec![0, 1, 2]), (4, vec![0, 1, 2, 3]), (9, vec![0, 4, 8]), (20, vec![0, 8, 16])] {
            let mut thinned = Thinned::new(4);
            (0..came).for_each(|value| thinned.push(value));
            assert_eq!(thinned.kept, expected, "of {came}");
        }
    }

    #[test]
    fn a_signal_ends_the_search() {
        let stop = crate::train::StopSignal::new();
        stop.stop();
        let watch = Watch::new(1, false, Some(stop));
        assert!(sample(&[&scene(300, 300, |_, _| 1.0)], 4096, 32, &watch).is_err());
    }
}
