//! The windows that an epoch draws.

use super::positions::Positions;
use super::window::SceneWindow;
use crate::dataset::domain::Domain;
use crate::random::{Seed, Stream};

/// How many windows are drawn, and how they are grouped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DrawPlan {
    /// Windows per epoch.
    pub windows: usize,
    /// Smallest number of windows drawn at one place, so that what is decoded for one is reused for the others.
    pub close: usize,
    /// Largest number of windows at one place that are read together.
    pub together: usize,
    /// Number of windows that are shuffled among each other within an epoch.
    pub shuffled: usize,
}

/// The windows of an epoch, which depend only on the seed and the epoch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Epoch {
    /// Windows that are read together: their scene, and the index of the first one.
    parts: Vec<(usize, usize)>,
    /// The windows, part by part.
    windows: Vec<SceneWindow>,
    /// The window at each position of the epoch.
    order: Vec<usize>,
}

/// A group of positions, and how many windows are drawn from it.
struct GroupDraw {
    scene: usize,
    group: usize,
    windows: usize,
}

impl Epoch {
    /// Draws an epoch.
    ///
    /// Points are spread evenly over all positions (systematic sampling with a random start; W. G. Cochran, Sampling
    /// Techniques, chapter 8). For each point, some windows are drawn from the group that contains it, in which each
    /// position is equally likely. So each position of all scenes is equally likely, and an epoch covers the whole
    /// area.
    pub fn draw(positions: &[Positions], draws: DrawPlan, seed: Seed, leader: Domain, number: u64) -> Self {
        let mut random = seed.stream(&format!("windows/{leader}"), number);
        let groups = groups(positions, draws, &mut random);
        let (mut parts, mut windows) = (Vec::new(), Vec::with_capacity(draws.windows));
        let mut drawn: Vec<(usize, Vec<SceneWindow>)> = Vec::new();
        for (index, GroupDraw { scene, group, windows: count }) in groups.into_iter().enumerate() {
            let mut random = seed.stream(&format!("window/{leader}"), (number << 32).wrapping_add(index as u64));
            let all = positions.get(scene).map(|within| within.draw(group, count, &mut random)).unwrap_or_default();
            // Parts of equal size, or nearly.
            let size = all.len().div_ceil(all.len().div_ceil(draws.together.max(1)).max(1)).max(1);
            drawn.extend(all.chunks(size).map(|part| (scene, part.to_vec())));
        }
        random.shuffle(&mut drawn);
        for (scene, part) in drawn {
            parts.push((scene, windows.len()));
            windows.extend(part);
        }
        let order = order(windows.len(), draws.shuffled.max(1), seed, leader, number);
        Self { parts, windows, order }
    }

    /// Returns the part that contains the window at a position of the epoch, and the index within the part.
    pub fn part_at(&self, place: usize) -> Option<(usize, usize)> {
        let index = *self.order.get(place)?;
        let part = self.part_of(index)?;
        Some((part, index - self.parts.get(part)?.1))
    }

    /// Returns the scene of a part, and its windows.
    pub fn part(&self, part: usize) -> Option<(usize, &[SceneWindow])> {
        let (scene, start) = *self.parts.get(part)?;
        let end = self.parts.get(part + 1).map_or(self.windows.len(), |(_, next)| *next);
        Some((scene, self.windows.get(start..end)?))
    }

    /// Returns the scene and the window at each position of the epoch.
    pub fn windows(&self) -> impl Iterator<Item = (usize, SceneWindow)> {
        self.order.iter().filter_map(|index| {
            let (scene, _) = *self.parts.get(self.part_of(*index)?)?;
            Some((scene, *self.windows.get(*index)?))
        })
    }

    fn part_of(&self, index: usize) -> Option<usize> {
        self.parts.partition_point(|(_, start)| *start <= index).checked_sub(1)
    }
}

/// Returns the groups that contain the points, in the order of their positions.
fn groups(positions: &[Positions], draws: DrawPlan, random: &mut Stream) -> Vec<GroupDraw> {
    let (mut ends, mut total) = (Vec::new(), 0);
    for scene in positions {
        total += scene.count();
        ends.push(total);
    }
    let close = draws.close.max(1);
    let points = if total == 0 { 0 } else { draws.windows.div_ceil(close) };
    let (start, fewer) = (random.unit(), random.below(points));
    let mut groups: Vec<GroupDraw> = Vec::new();
    for point in 0..points {
        // One of the points, chosen at random, gets the remaining windows.
        let windows = if point == fewer { draws.windows - (points - 1) * close } else { close };
        let position = ((point as f64 + start) / points as f64 * total as f64) as u64;
        let position = position.min(total.saturating_sub(1));
        let scene = ends.partition_point(|end| *end <= position);
        let Some((within, end)) = positions.get(scene).zip(ends.get(scene)) else { continue };
        let group = within.group_of(position - (end - within.count()));
        match groups.last_mut().filter(|last| (last.scene, last.group) == (scene, group)) {
            Some(last) => last.windows += windows,
            None => groups.push(GroupDraw { scene, group, windows }),
        }
    }
    groups
}

/// Returns a random order in which no window moves by more than `most` positions, so that decoded data is not needed
/// for long.
fn order(windows: usize, most: usize, seed: Seed, leader: Domain, number: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..windows).collect();
    for (part, places) in order.chunks_mut(most).enumerate() {
        let index = (number << 32).wrapping_add(part as u64);
        seed.stream(&format!("window order/{leader}"), index).shuffle(places);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(height: usize, width: usize) -> Positions {
        let window = (16, 16);
        Positions::new((height, width), window, (32, 32), Default::default(), Box::new(|_| true))
    }

    fn epoch(seed: u64, number: u64, windows: usize) -> Epoch {
        let draws = DrawPlan { windows, close: 4, together: 6, shuffled: 64 };
        Epoch::draw(&[scene(10, 500), scene(100, 200), scene(60, 300)], draws, Seed(seed), Domain::A, number)
    }

    #[test]
    fn epochs_and_seeds_differ_and_repeat() {
        assert_eq!(epoch(1, 2, 101), epoch(1, 2, 101));
        assert_ne!(epoch(1, 2, 101).windows, epoch(1, 3, 101).windows);
        assert_ne!(epoch(1, 2, 101).windows, epoch(2, 2, 101).windows);
    }

    #[test]
    fn each_window_comes_once_and_near_its_part() {
        let epoch = epoch(5, 0, 1001);
        assert_eq!(epoch.windows().count(), 1001);
        let mut seen = vec![false; 1001];
        for place in 0..1001 {
            let (part, within) = epoch.part_at(place).unwrap();
            let (scene, windows) = epoch.part(part).unwrap();
            assert_ne!(scene, 0, "no window fits in there");
            assert!((1..=6).contains(&windows.len()));
            assert_eq!(epoch.windows().nth(place), Some((scene, windows[within])));
            let index = epoch.parts[part].1 + within;
            assert!(!std::mem::replace(&mut seen[index], true));
            assert!(place.abs_diff(index) < 64);
        }
        assert_eq!((epoch.part_at(1001), epoch.part(epoch.parts.len())), (None, None));
    }

    /// 85 x 185 and 45 x 285 positions: a share of 0.5508 of all. Each epoch is off by two points at most.
    #[test]
    fn scenes_are_drawn_by_their_area() {
        for number in 0..20 {
            let first = epoch(7, number, 4000).windows().filter(|(scene, _)| *scene == 1).count();
            assert!(first.abs_diff(2203) <= 8, "{first}: points are spread evenly");
        }
    }

    /// In 40 epochs with so few windows that each draws from only a few groups, every group gets its share.
    #[test]
    fn few_windows_cover_all_ground_in_time() {
        let draws = DrawPlan { windows: 40, close: 8, together: 8, shuffled: 64 };
        let mut counts = [0usize; 4];
        for number in 0..400 {
            // 64 x 64 positions: 4 groups of 32 x 32.
            for (_, window) in Epoch::draw(&[scene(79, 79)], draws, Seed(1), Domain::A, number).windows() {
                counts[window.row / 32 * 2 + window.column / 32] += 1;
            }
        }
        // 5 points per epoch, of which a group has 1 or 2: a deviation of 0.43 points, or 3.5 windows, per epoch.
        assert!(counts.iter().all(|count| count.abs_diff(4000) < 5 * 70), "{counts:?}");
    }

    #[test]
    fn nothing_comes_of_no_ground() {
        let draws = DrawPlan { windows: 10, close: 4, together: 4, shuffled: 8 };
        let epoch = Epoch::draw(&[scene(10, 500)], draws, Seed(0), Domain::B, 0);
        assert_eq!((epoch.windows().count(), epoch.part_at(0)), (0, None));
    }
}
