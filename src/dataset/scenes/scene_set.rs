//! The scenes of a domain as a source of windows.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::epoch::{DrawPlan, Epoch};
use super::ground::Ground;
use super::positions::Positions;
use super::scene::Scene;
use super::window::SceneWindow;
use super::window_cache::WindowCache;
use crate::dataset::domain::Domain;
use crate::error::{Error, ErrorKind, Result};
use crate::random::Seed;
use crate::raster::Raster;

/// Largest number of open scenes in a domain; each one caches some decoded blocks.
const MOST_OPEN: usize = 8;
/// Largest number of bytes in decoded windows waiting for use.
const WAITING_BYTES: usize = 32 << 20;
/// Smallest number of groups whose windows are shuffled together.
const FEWEST_GROUPS: usize = 2;
const MOST_GROUPS: usize = 32;
/// Smallest number of places that an epoch samples, if it has that many windows.
const PLACES: usize = 64;

/// The windows that are drawn from scenes.
pub(in crate::dataset) struct SceneSet {
    scenes: Vec<Scene>,
    pub(super) ground: Vec<Ground>,
    /// Where training windows may begin; shared by both domains of pairs.
    positions: Arc<Vec<Positions>>,
    draws: DrawPlan,
    /// The validation windows, each with its scene.
    valid: Vec<(usize, SceneWindow)>,
    seed: Seed,
    /// The domain whose random draws determine the windows.
    leader: Domain,
    /// Open scenes, the least recently used first.
    open: Mutex<VecDeque<usize>>,
}

/// The parts of a set of scenes.
pub(super) struct SceneSetParts {
    pub scenes: Vec<Scene>,
    pub ground: Vec<Ground>,
    pub positions: Arc<Vec<Positions>>,
    pub draws: DrawPlan,
    pub valid: Vec<(usize, SceneWindow)>,
    pub seed: Seed,
    pub leader: Domain,
}

impl DrawPlan {
    /// Plans how windows of these scenes are drawn, given the size of a chip in bytes.
    pub(super) fn new(windows: usize, scenes: &[Scene], positions: &[Positions], chip_bytes: usize) -> Self {
        let all = positions.iter().map(|scene| scene.count() as f64).sum::<f64>().max(1.0);
        let mean = |of: &dyn Fn(&Scene) -> f64| {
            let weighed = scenes.iter().zip(positions).map(|(scene, positions)| of(scene) * positions.count() as f64);
            weighed.sum::<f64>() / all
        };
        let together = (mean(&|scene| scene.ideal_together() as f64).round() as usize).max(1);
        // If the area of a group already yields this many windows, no extra windows are needed to share decoding.
        let positions = |scene: &Scene| scene.group().0 as f64 * scene.group().1 as f64;
        let by_area = (windows as f64 * mean(&positions) / all).max(f64::MIN_POSITIVE);
        let close = ((together as f64 / by_area).ceil() as usize).clamp(1, together).min((windows / PLACES).max(1));
        let groups = WAITING_BYTES / 2 / (together * chip_bytes).max(1);
        Self { windows, close, together, shuffled: together * groups.clamp(FEWEST_GROUPS, MOST_GROUPS) }
    }
}

impl SceneSet {
    pub(super) fn new(parts: SceneSetParts) -> Self {
        let SceneSetParts { scenes, ground, positions, draws, valid, seed, leader } = parts;
        Self { scenes, ground, positions, draws, valid, seed, leader, open: Mutex::default() }
    }

    /// Returns the number of windows per epoch.
    pub fn len(&self) -> usize {
        self.draws.windows
    }

    pub fn valid_len(&self) -> usize {
        self.valid.len()
    }

    /// Returns how windows are grouped, which can differ between two releases.
    pub fn draw_counts(&self) -> [usize; 3] {
        [self.draws.close, self.draws.together, self.draws.shuffled]
    }

    pub fn paths(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.scenes.iter().map(Scene::path)
    }

    /// Returns the validation windows, each with its scene.
    pub fn valid_windows(&self) -> impl Iterator<Item = (usize, SceneWindow)> {
        self.valid.iter().copied()
    }

    /// Returns the windows of an epoch in order, each with its scene.
    pub fn training_windows(&self, epoch: u64) -> Vec<(usize, SceneWindow)> {
        self.draw(epoch).windows().collect()
    }

    fn draw(&self, epoch: u64) -> Epoch {
        Epoch::draw(&self.positions, self.draws, self.seed, self.leader, epoch)
    }

    /// Returns a reader for the windows of an epoch, of which `ahead` may be read ahead of time.
    pub fn reader(self: &Arc<Self>, epoch: u64, ahead: usize) -> EpochReader {
        let DrawPlan { together, shuffled, .. } = self.draws;
        let cache = WindowCache::new(2 * shuffled.div_ceil(together) + ahead.div_ceil(together));
        EpochReader { set: self.clone(), epoch: self.draw(epoch), cache }
    }

    /// Reads a validation window.
    pub fn valid_image(&self, index: usize) -> Result<Raster> {
        let (scene, window) = self.valid.get(index).copied().ok_or_else(|| missing(index))?;
        self.one(scene, window)
    }

    /// Reads a window of the first epoch.
    pub fn training_image(&self, index: usize) -> Result<Raster> {
        let (scene, window) = self.draw(0).windows().nth(index).ok_or_else(|| missing(index))?;
        self.one(scene, window)
    }

    fn one(&self, scene: usize, window: SceneWindow) -> Result<Raster> {
        self.read(scene, &[window])?.pop().ok_or_else(|| missing(scene))
    }

    fn read(&self, scene: usize, windows: &[SceneWindow]) -> Result<Vec<Raster>> {
        self.use_scene(scene);
        self.scenes.get(scene).ok_or_else(|| missing(scene))?.read(windows)
    }

    /// Closes the least recently used scenes.
    fn use_scene(&self, scene: usize) {
        // The contents are consistent even after a panic in another thread.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|other| *other != scene);
        open.push_back(scene);
        while open.len() > MOST_OPEN {
            let closed = open.pop_front().and_then(|closed| self.scenes.get(closed));
            closed.inspect(|scene| scene.source.release());
        }
    }
}

fn missing(index: usize) -> Error {
    Error::new(ErrorKind::Usage, "there is no window of this number").found(index)
}

/// Reads the windows of an epoch. Shared by the workers.
pub(in crate::dataset) struct EpochReader {
    set: Arc<SceneSet>,
    epoch: Epoch,
    cache: WindowCache,
}

impl EpochReader {
    /// Reads the window at a position of the epoch.
    pub fn image(&self, place: usize) -> Result<Raster> {
        let (part, index) = self.epoch.part_at(place).ok_or_else(|| missing(place))?;
        let (scene, windows) = self.epoch.part(part).ok_or_else(|| missing(place))?;
        self.cache.take(part, index, || self.set.read(scene, windows))
    }
}
