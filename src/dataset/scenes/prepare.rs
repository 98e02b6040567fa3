//! From scenes to what windows are drawn from.

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use super::epoch::Draws;
use super::gaps::Gaps;
use super::ground::{self, Ground};
use super::positions::Positions;
use super::scene::Scene;
use super::scene_set::{Parts, SceneSet};
use super::spatial_split::{Blocks, SpatialSplit, Use, split_scenes};
use super::survey::{self, Mapped, SceneSurvey};
use super::validity_map::ValidityMap;
use super::window::{SceneWindow, grid};
use crate::dataset::cache::{self, Key};
use crate::dataset::domain::{Domain, PerDomain};
use crate::dataset::options::PrepareData;
use crate::dataset::survey::Survey;
use crate::error::{Error, ErrorKind, Result};
use crate::random::Seed;

/// What came of the scenes of both domains.
pub(in crate::dataset) struct Prepared {
    pub surveys: PerDomain<Survey>,
    pub sets: PerDomain<Arc<SceneSet>>,
    /// Scenes that are left out, each with the reason.
    pub skipped: Vec<(PathBuf, String)>,
    /// What the caller should know, and was told.
    pub remarks: Vec<String>,
}

/// The scenes of a domain, and where windows of them may be.
struct Country {
    scenes: Vec<Scene>,
    ground: Vec<Ground>,
    mapped: Vec<Mapped>,
}

/// The ground of a domain, or of both where they are pairs.
struct Divided {
    positions: Arc<Vec<Positions>>,
    valid: Vec<(usize, SceneWindow)>,
    /// How many windows would cover what trains.
    windows: f64,
}

/// Surveys the scenes of both domains and divides their ground.
///
/// # Errors
/// What is wrong with scenes, where they may not be left out or none remains; `Usage` where no window fits; `Layout` where
/// scenes of pairs do not lie on one grid.
pub(in crate::dataset) fn prepare(options: &PrepareData) -> Result<Prepared> {
    let mut surveys = PerDomain::try_from_fn(|domain| surveyed(options, domain))?;
    let countries = PerDomain::try_from_fn(|domain| Country::open(options, domain, surveys.get_mut(domain)))?;
    let grounds = PerDomain::from_fn(|domain| countries.get(domain).ground.clone());
    let remarks = ground::remarks(&grounds, options.scenes.resolution);
    remarks.iter().for_each(|remark| tracing::warn!("{remark}"));
    let divided = divide(options, &countries)?;
    let windows = windows_per_epoch(options, &divided);
    let skipped =
        Domain::BOTH.into_iter().flat_map(|domain| mem::take(&mut surveys.get_mut(domain).survey.skipped)).collect();
    let PerDomain { a, b } = surveys;
    let surveys = PerDomain { a: a.survey, b: b.survey };
    let (seed, PerDomain { a, b }) = (Seed(options.seed), countries);
    let set = |domain, country: Country| {
        let Divided { positions, valid, .. } = divided.get(domain).as_ref();
        let survey: &Survey = surveys.get(domain);
        let chip_bytes = survey.shape.bands * survey.shape.height * survey.shape.width * survey.shape.dtype.bytes();
        let Country { scenes, ground, .. } = country;
        Arc::new(SceneSet::new(Parts {
            draws: Draws::new(windows, &scenes, positions, chip_bytes),
            valid: spread(valid, valid_windows(options, windows)),
            positions: positions.clone(),
            leader: options.dataset_type.leader(domain),
            scenes,
            ground,
            seed,
        }))
    };
    let sets = PerDomain { a: set(Domain::A, a), b: set(Domain::B, b) };
    Ok(Prepared { sets, surveys, skipped, remarks })
}

/// Surveys the scenes of a domain, or recalls what was found at an earlier time.
fn surveyed(options: &PrepareData, domain: Domain) -> Result<SceneSurvey> {
    let files = survey::files(options.scenes.files.get(domain), domain)?;
    let key = Key::of_scenes(options, domain, &files);
    let found = cache::recalled(options, key, || SceneSurvey::take(options, domain, &files))?;
    found.survey.warn_of_scenes(domain);
    options.augment.variation(domain).output_size(found.survey.shape.size())?;
    Ok(found)
}

impl Country {
    fn open(options: &PrepareData, domain: Domain, survey: &mut SceneSurvey) -> Result<Self> {
        let mut asked = options.asked(domain, None);
        asked.alpha = survey.alpha;
        let mapped = mem::take(&mut survey.scenes);
        let (mut scenes, mut ground) = (Vec::new(), Vec::new());
        let (chip, kind) = (survey.survey.shape.size(), survey.survey.shape.kind());
        for Mapped { path, map, .. } in &mapped {
            let source = survey::open(path, &asked)?;
            if source.size() != map.size() {
                return Err(Error::new(ErrorKind::Format, "the scene changed while it was looked at").at(path));
            }
            let own = Ground { size: source.size(), place: source.place().clone() };
            let window = own.window(path, chip, options.scenes.resolution)?;
            scenes.push(Scene { source, window, chip, kind });
            ground.push(own);
        }
        if options.scenes.resolution.is_some() {
            ground::check_units(mapped.iter().zip(&ground).map(|(scene, ground)| (scene.path.as_path(), ground)))?;
        }
        Ok(Self { scenes, ground, mapped })
    }

    fn maps(&self) -> Vec<ValidityMap> {
        self.mapped.iter().map(|scene| scene.map.clone()).collect()
    }

    /// Width and height of the largest window.
    fn tile(&self) -> (usize, usize) {
        let of = |side: fn(&Scene) -> usize| self.scenes.iter().map(side).max().unwrap_or(1);
        (of(|scene| scene.window.1), of(|scene| scene.window.0))
    }
}

/// Divides the ground of each domain; of pairs the two are one.
fn divide(options: &PrepareData, countries: &PerDomain<Country>) -> Result<PerDomain<Arc<Divided>>> {
    let PerDomain { a, b } = countries;
    if !options.dataset_type.is_paired() {
        let own = |domain| Divided::new(options, domain, &[countries.get(domain)]).map(Arc::new);
        return PerDomain::try_from_fn(own);
    }
    if a.scenes.len() != b.scenes.len() {
        return Err(Error::new(ErrorKind::Layout, "scenes of pairs do not come in pairs")
            .at(&options.path)
            .expected(format!("a scene of domain B for each of A: {}", a.scenes.len()))
            .found(b.scenes.len())
            .help(
                "The first scene of A belongs to the first of B, and so on. Folders give theirs in the order of names.",
            ));
    }
    let with_ground = |country: &Country| country.mapped.iter().map(|scene| scene.path.clone()).collect::<Vec<_>>();
    let (paths_a, paths_b) = (with_ground(a), with_ground(b));
    for ((path_a, ground_a), (path_b, ground_b)) in paths_a.iter().zip(&a.ground).zip(paths_b.iter().zip(&b.ground)) {
        ground::check_partners((path_a, ground_a), (path_b, ground_b))?;
    }
    let both = Arc::new(Divided::new(options, Domain::A, &[a, b])?);
    Ok(PerDomain { a: both.clone(), b: both })
}

impl Divided {
    /// Divides the ground of the first of `countries`; windows need enough data in all of them.
    fn new(options: &PrepareData, domain: Domain, countries: &[&Country]) -> Result<Self> {
        let Some(first) = countries.first() else { return Err(Error::new(ErrorKind::Usage, "there are no scenes")) };
        let (maps, share) = (first.maps(), options.val_split_pct);
        let blocks = Blocks::for_tiles(first.tile(), &maps, share, 0);
        let mut random = Seed(options.seed).stream(&format!("spatial split/{domain}"), 0);
        let splits = split_scenes(&maps, blocks, share, &mut random);
        let (mut positions, mut valid, mut windows) = (Vec::new(), Vec::new(), 0.0);
        for (index, (scene, split)) in first.scenes.iter().zip(splits).enumerate() {
            let mapped: Vec<&Mapped> = countries.iter().filter_map(|country| country.mapped.get(index)).collect();
            windows += training_pixels(&mapped, &split) / (scene.window.0 * scene.window.1) as f64;
            valid.extend(valid_in(scene, &mapped, &split, options.scenes.least_valid()).map(|window| (index, window)));
            positions.push(training_positions(scene, &mapped, split, options.scenes.least_valid()));
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

/// Pixels with data that are not set aside.
fn training_pixels(mapped: &[&Mapped], split: &SpatialSplit) -> f64 {
    let pixels = |map: &ValidityMap| {
        let within = |block| {
            let (least, most) = map.pixels_within(block);
            (least + most) as f64 / 2.0
        };
        map.valid_pixels() as f64 - split.validation_blocks().map(within).sum::<f64>()
    };
    mapped.iter().map(|scene| pixels(&scene.map)).reduce(f64::min).unwrap_or(0.0)
}

/// Windows side by side in the blocks that are set aside.
fn valid_in(scene: &Scene, mapped: &[&Mapped], split: &SpatialSplit, least: f64) -> impl Iterator<Item = SceneWindow> {
    let tile = (scene.window.1, scene.window.0);
    let in_block = move |block: SceneWindow| {
        let windows = grid((block.height, block.width), tile, tile);
        windows.map(move |window| SceneWindow {
            row: block.row + window.row,
            column: block.column + window.column,
            ..window
        })
    };
    let windows = split.validation_blocks().flat_map(in_block);
    let have_data = |window: &SceneWindow| {
        mapped.iter().all(|scene| scene.map.pixels_within(*window).0 as f64 >= least * window.pixels() as f64)
    };
    windows.filter(have_data).collect::<Vec<_>>().into_iter()
}

fn training_positions(scene: &Scene, mapped: &[&Mapped], split: SpatialSplit, least: f64) -> Positions {
    let size = scene.source.size();
    let gaps: Vec<Gaps> = mapped.iter().map(|scene| Gaps::of(&scene.map, scene.cell)).collect();
    let along = |length: usize, ends: fn(SceneWindow) -> [usize; 2]| -> Vec<usize> {
        let of_cells = gaps.iter().flat_map(|gaps| gaps.edges(length));
        of_cells.chain(split.validation_blocks().flat_map(ends)).collect()
    };
    let edges =
        (along(size.0, |block| [block.row, block.bottom()]), along(size.1, |block| [block.column, block.right()]));
    let accepts = move |window: SceneWindow| {
        split.use_of(window) == Some(Use::Training) && gaps.iter().all(|gaps| gaps.allow(window, least))
    };
    Positions::new(size, scene.window, scene.group(), edges, Box::new(accepts))
}

fn no_window(options: &PrepareData, domain: Domain, country: &Country) -> Error {
    let (width, height) = country.tile();
    let largest = country.scenes.iter().map(|scene| scene.source.size()).max_by_key(|size| size.0 * size.1);
    let (down, across) = largest.unwrap_or_default();
    let valid: u64 = country.mapped.iter().map(|scene| scene.map.valid_pixels()).sum();
    Error::new(ErrorKind::Usage, format!("no window of the scenes of domain {domain} can train"))
        .at(country.scenes.first().map_or(options.path.as_path(), Scene::path))
        .expected(format!(
            "room for {width} x {height} pixels, of which a share of {} has data",
            options.scenes.least_valid()
        ))
        .found(format!("scenes of at most {across} x {down} pixels, in which {valid} pixels have data"))
        .help("Make PrepareData::chip_size smaller, or min_valid_share, or give more scenes.")
}

/// Windows of an epoch: as asked for, else as many as cover the larger domain.
fn windows_per_epoch(options: &PrepareData, divided: &PerDomain<Arc<Divided>>) -> usize {
    let covering = divided.a.windows.max(divided.b.windows).round().clamp(1.0, f64::from(u32::MAX));
    options.scenes.windows_per_epoch.unwrap_or(covering as usize)
}

/// The most validation windows: the share of validation to that of training.
fn valid_windows(options: &PrepareData, windows: usize) -> usize {
    let share = options.val_split_pct;
    (windows as f64 * share / (1.0 - share)).ceil() as usize
}

/// So many of the windows, from all over them.
fn spread(windows: &[(usize, SceneWindow)], most: usize) -> Vec<(usize, SceneWindow)> {
    let count = windows.len().min(most);
    (0..count).filter_map(|index| windows.get(index * windows.len() / count).copied()).collect()
}
