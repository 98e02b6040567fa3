//! The windows of an epoch.

use super::positions::Positions;
use super::window::SceneWindow;
use crate::dataset::domain::Domain;
use crate::random::Seed;

/// How many windows are drawn, and how they lie together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Draws {
    /// Windows of an epoch.
    pub windows: usize,
    /// Windows that are drawn close together, so that what is decoded for one serves the others.
    pub together: usize,
    /// Windows that change places within an epoch: a multiple of `together`.
    pub shuffled: usize,
}

/// The windows of an epoch, a function of the seed and the number of the epoch alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Epoch {
    together: usize,
    /// The scene of each group.
    scenes: Vec<usize>,
    /// The windows, group by group.
    windows: Vec<SceneWindow>,
    /// The window that comes at each place of the epoch.
    order: Vec<usize>,
}

impl Epoch {
    /// Draws an epoch.
    ///
    /// Groups are drawn with the chance that their share of all positions gives them, spread evenly over the whole area (systematic
    /// sampling with a random start; W. G. Cochran, Sampling Techniques, chapter 8), and within a group each position has the
    /// same chance. So each position of all scenes has the same chance, and an epoch goes over the whole area.
    pub fn draw(positions: &[Positions], draws: Draws, seed: Seed, leader: Domain, number: u64) -> Self {
        let together = draws.together.max(1);
        let (mut ends, mut total) = (Vec::new(), 0);
        for scene in positions {
            total += scene.count();
            ends.push(total);
        }
        let groups = if total == 0 { 0 } else { draws.windows.div_ceil(together) };
        let mut random = seed.stream(&format!("windows/{leader}"), number);
        let start = random.unit();
        let mut turns: Vec<usize> = (0..groups).collect();
        random.shuffle(&mut turns);
        let (mut scenes, mut windows) = (Vec::with_capacity(groups), Vec::with_capacity(draws.windows));
        for turn in turns {
            let position = ((turn as f64 + start) / groups as f64 * total as f64) as u64;
            let position = position.min(total.saturating_sub(1));
            let scene = ends.partition_point(|end| *end <= position);
            let Some((within, end)) = positions.get(scene).zip(ends.get(scene)) else { continue };
            let group = within.group_of(position - (end - within.count()));
            let wanted = together.min(draws.windows - windows.len());
            let mut random = seed.stream(&format!("window/{leader}"), (number << 32).wrapping_add(turn as u64));
            windows.extend(within.draw(group, wanted, &mut random));
            scenes.push(scene);
        }
        let order = order(windows.len(), draws.shuffled.max(1), seed, leader, number);
        Self { together, scenes, windows, order }
    }

    /// The group that the window at a place of the epoch belongs to, and which of the group it is.
    pub fn group_at(&self, place: usize) -> Option<(usize, usize)> {
        let index = *self.order.get(place)?;
        Some((index / self.together, index % self.together))
    }

    /// The scene of a group, and its windows.
    pub fn group(&self, group: usize) -> Option<(usize, &[SceneWindow])> {
        let start = group * self.together;
        let windows = self.windows.get(start..(start + self.together).min(self.windows.len()))?;
        Some((*self.scenes.get(group)?, windows))
    }

    /// The scene and the window at each place of the epoch.
    pub fn windows(&self) -> impl Iterator<Item = (usize, SceneWindow)> {
        self.order
            .iter()
            .filter_map(|index| Some((*self.scenes.get(index / self.together)?, *self.windows.get(*index)?)))
    }
}

/// A random order in which no window moves further than `most` places, so that what was decoded is not needed for long.
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
        let draws = Draws { windows, together: 4, shuffled: 64 };
        Epoch::draw(&[scene(10, 500), scene(100, 200), scene(60, 300)], draws, Seed(seed), Domain::A, number)
    }

    #[test]
    fn epochs_and_seeds_differ_and_repeat() {
        assert_eq!(epoch(1, 2, 101), epoch(1, 2, 101));
        assert_ne!(epoch(1, 2, 101).windows, epoch(1, 3, 101).windows);
        assert_ne!(epoch(1, 2, 101).windows, epoch(2, 2, 101).windows);
    }

    #[test]
    fn each_window_comes_once_and_near_its_group() {
        let epoch = epoch(5, 0, 1001);
        assert_eq!(epoch.windows().count(), 1001);
        let mut seen = vec![false; 1001];
        for place in 0..1001 {
            let (group, within) = epoch.group_at(place).unwrap();
            let (scene, windows) = epoch.group(group).unwrap();
            assert_ne!(scene, 0, "no window fits in there");
            assert_eq!(epoch.windows().nth(place), Some((scene, windows[within])));
            assert!(!std::mem::replace(&mut seen[group * 4 + within], true));
            assert!(place.abs_diff(group * 4 + within) < 64);
        }
        assert_eq!((epoch.group_at(1001), epoch.group(251)), (None, None));
    }

    /// 85 x 185 and 45 x 285 positions: a share of 0.5508 of all.
    #[test]
    fn scenes_are_drawn_by_their_area() {
        let first = epoch(7, 0, 4000).windows().filter(|(scene, _)| *scene == 1).count();
        assert!(first.abs_diff(2203) <= 8, "{first}: groups are spread evenly");
    }

    #[test]
    fn nothing_comes_of_no_ground() {
        let draws = Draws { windows: 10, together: 4, shuffled: 8 };
        let epoch = Epoch::draw(&[scene(10, 500)], draws, Seed(0), Domain::B, 0);
        assert_eq!((epoch.windows().count(), epoch.group_at(0)), (0, None));
    }
}
