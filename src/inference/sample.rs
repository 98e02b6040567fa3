//! Which pieces of a scene its statistics are gathered from.

use crate::error::Result;
use crate::raster::{Raster, Source};

/// The share of a piece that has to have data.
const LEAST_DATA: f64 = 0.25;
/// Places that are looked at for each piece that is wanted, before the scene is searched from its corner.
const TRIES: usize = 8;
/// Scenes of which a side is shorter than this share of a piece are passed over: pieces have one size, and theirs would
/// be too small to stand for anything.
const LEAST_SIDE: f64 = 0.25;

/// Cuts about `count` pieces of `side` x `side` pixels, or as large as the smallest scene allows, out of `scenes`, each in
/// proportion to its area. Pieces without data are passed over, and slivers beside larger scenes; where no scene has
/// data, there are none.
///
/// Places are points of a sequence that fills the plane evenly from its first point on (Roberts 2018, the R2 sequence),
/// so the same scenes always give the same pieces.
pub(crate) fn sample(scenes: &[&Source], count: usize, side: usize) -> Result<Vec<Raster>> {
    let scenes = &without_slivers(scenes, side);
    let least = |of: fn((usize, usize)) -> usize| scenes.iter().map(|s| of(s.size())).min().unwrap_or(1).min(side);
    let size = (least(|(height, _)| height), least(|(_, width)| width));
    let area = |scene: &Source| scene.size().0 as f64 * scene.size().1 as f64;
    let total: f64 = scenes.iter().map(|scene| area(scene)).sum();
    let mut pieces = Vec::new();
    for scene in scenes {
        let share = (count as f64 * area(scene) / total.max(1.0)).ceil().max(1.0);
        pieces.extend(of_scene(scene, share as usize, size)?);
        scene.release();
    }
    Ok(pieces)
}

fn without_slivers<'a>(scenes: &[&'a Source], side: usize) -> Vec<&'a Source> {
    let is_large = |scene: &&&Source| scene.size().0.min(scene.size().1) as f64 >= LEAST_SIDE * side as f64;
    let large: Vec<_> = scenes.iter().filter(is_large).copied().collect();
    if large.is_empty() { scenes.to_vec() } else { large }
}

fn of_scene(scene: &Source, count: usize, size: (usize, usize)) -> Result<Vec<Raster>> {
    let (height, width) = scene.size();
    let room = (height - size.0, width - size.1);
    let mut pieces = Vec::new();
    for (y, x) in points(count * TRIES) {
        let piece = scene.window(place(y, room.0), place(x, room.1), size.0, size.1)?;
        if data_share(&piece) >= LEAST_DATA {
            pieces.push(piece);
        }
        if pieces.len() == count {
            break;
        }
    }
    if pieces.is_empty() { searched(scene, count, size) } else { Ok(pieces) }
}

/// The first pieces that have any data, row by row: what there is lies in few places.
fn searched(scene: &Source, count: usize, size: (usize, usize)) -> Result<Vec<Raster>> {
    let (height, width) = scene.size();
    let mut pieces = Vec::new();
    for row in (0..=height - size.0).step_by(size.0) {
        let strip = scene.window(row, 0, size.0, width)?;
        let starts = (0..=width - size.1).step_by(size.1);
        let found = starts.map(|column| strip.part(0, column, size.0, size.1)).filter(|piece| data_share(piece) > 0.0);
        pieces.extend(found.take(count - pieces.len()));
        if pieces.len() == count {
            break;
        }
    }
    Ok(pieces)
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

    #[test]
    fn pieces_fill_the_scene_evenly_and_are_the_same_every_time() {
        let scene = scene(400, 600, |y, x| (y * 600 + x) as f32);
        let pieces = sample(&[&scene], 60, 32).unwrap();
        assert_eq!(pieces.len(), 60);
        assert!(pieces.iter().all(|piece| (piece.height(), piece.width()) == (32, 32)));
        let quarter = |piece: &Raster| {
            let first = piece.samples().to_f32()[(0, 0, 0)] as usize;
            (first / 600 >= 184, first % 600 >= 284)
        };
        for corner in [(false, false), (false, true), (true, false), (true, true)] {
            let within = pieces.iter().filter(|piece| quarter(piece) == corner).count();
            assert!((12..=18).contains(&within), "{within} in {corner:?}");
        }
        assert_eq!(sample(&[&scene], 60, 32).unwrap(), pieces);
    }

    #[test]
    fn pieces_have_data_wherever_it_lies() {
        let island = scene(600, 600, |y, x| if (y / 32, x / 32) == (17, 2) { 1.0 } else { f32::NAN });
        let pieces = sample(&[&island], 3, 32).unwrap();
        assert!(!pieces.is_empty() && pieces.iter().all(|piece| data_share(piece) > 0.0));
        let nothing = scene(100, 100, |_, _| f32::NAN);
        assert!(sample(&[&nothing], 3, 32).unwrap().is_empty());
    }

    #[test]
    fn scenes_count_by_their_area_and_the_smallest_gives_the_size() {
        let (large, small) = (scene(300, 300, |_, _| 1.0), scene(100, 20, |_, _| 2.0));
        let pieces = sample(&[&large, &small], 46, 32).unwrap();
        assert!(pieces.iter().all(|piece| (piece.height(), piece.width()) == (32, 20)));
        let of_small = pieces.iter().filter(|piece| piece.samples().to_f32()[(0, 0, 0)] == 2.0).count();
        assert_eq!((pieces.len() - of_small, of_small), (45, 1));
    }

    #[test]
    fn a_sliver_beside_scenes_does_not_decide_the_size() {
        let (scene, sliver) = (scene(300, 300, |_, _| 1.0), scene(300, 1, |_, _| 2.0));
        let pieces = sample(&[&scene, &sliver], 8, 32).unwrap();
        assert!(pieces.iter().all(|piece| (piece.height(), piece.width()) == (32, 32)));
        let alone = sample(&[&sliver], 8, 32).unwrap();
        assert!(alone.iter().all(|piece| (piece.height(), piece.width()) == (32, 1)));
    }
}
