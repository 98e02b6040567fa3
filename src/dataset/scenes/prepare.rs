//! Prepares scenes for drawing windows.

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use super::domain_scenes::DomainScenes;
use super::epoch::DrawPlan;
use super::ground;
use super::same_ground::check_same_grid;
use super::scene_set::{SceneSet, SceneSetParts};
use super::survey::{self, SceneSurvey};
use super::window::SceneWindow;
use super::window_plan::WindowPlan;
use crate::dataset::cache::{self, Key};
use crate::dataset::domain::{Domain, PerDomain};
use crate::dataset::options::PrepareData;
use crate::dataset::survey::Survey;
use crate::error::{Error, ErrorKind, Result};
use crate::random::Seed;

/// The prepared scenes of both domains.
pub(in crate::dataset) struct Prepared {
    pub surveys: PerDomain<Survey>,
    pub sets: PerDomain<Arc<SceneSet>>,
    /// Scenes that are left out, each with the reason.
    pub skipped: Vec<(PathBuf, String)>,
    /// Remarks for the caller, which have been logged.
    pub remarks: Vec<String>,
}

/// Surveys the scenes of both domains and plans their training and validation windows.
///
/// # Errors
/// The first problem with the scenes, if they may not be left out or none remains; `Usage` if no window fits; `Layout`
/// if scenes of pairs are not on the same grid.
pub(in crate::dataset) fn prepare(options: &PrepareData) -> Result<Prepared> {
    let mut surveys = PerDomain::try_from_fn(|domain| surveyed(options, domain))?;
    let domains = PerDomain::try_from_fn(|domain| DomainScenes::open(options, domain, surveys.get_mut(domain)))?;
    let grounds = PerDomain::from_fn(|domain| domains.get(domain).ground.clone());
    let remarks = ground::remarks(&grounds, options.scenes.resolution);
    remarks.iter().for_each(|remark| tracing::warn!("{remark}"));
    let plans = plan(options, &domains)?;
    let windows = windows_per_epoch(options, &plans);
    let skipped =
        Domain::BOTH.into_iter().flat_map(|domain| mem::take(&mut surveys.get_mut(domain).survey.skipped)).collect();
    let PerDomain { a, b } = surveys;
    let surveys = PerDomain { a: a.survey, b: b.survey };
    let (seed, PerDomain { a, b }) = (Seed(options.seed), domains);
    let set = |domain, of_domain: DomainScenes| {
        let WindowPlan { positions, valid, .. } = plans.get(domain).as_ref();
        let survey: &Survey = surveys.get(domain);
        let chip_bytes = survey.shape.bands * survey.shape.height * survey.shape.width * survey.shape.dtype.bytes();
        let DomainScenes { scenes, ground, .. } = of_domain;
        Arc::new(SceneSet::new(SceneSetParts {
            draws: DrawPlan::new(windows, &scenes, positions, chip_bytes),
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

/// Surveys the scenes of a domain, or loads an earlier result.
fn surveyed(options: &PrepareData, domain: Domain) -> Result<SceneSurvey> {
    let files = survey::files(options.scenes.files.get(domain), domain)?;
    let key = Key::of_scenes(options, domain, &files);
    let found = cache::recalled(options, key, || SceneSurvey::take(options, domain, &files))?;
    found.survey.warn_of_scenes(domain);
    options.augment.variation(domain).output_size(found.survey.shape.size())?;
    Ok(found)
}

/// Plans the windows of each domain; pairs share one plan.
fn plan(options: &PrepareData, domains: &PerDomain<DomainScenes>) -> Result<PerDomain<Arc<WindowPlan>>> {
    let PerDomain { a, b } = domains;
    if !options.dataset_type.is_paired() {
        let own = |domain| WindowPlan::new(options, domain, &[domains.get(domain)]).map(Arc::new);
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
    a.with_ground().zip(b.with_ground()).try_for_each(|(a, b)| check_same_grid(a, b))?;
    let both = Arc::new(WindowPlan::new(options, Domain::A, &[a, b])?);
    Ok(PerDomain { a: both.clone(), b: both })
}

/// Returns the number of windows per epoch: the option, or else as many as cover the larger domain.
fn windows_per_epoch(options: &PrepareData, plans: &PerDomain<Arc<WindowPlan>>) -> usize {
    let covering = plans.a.windows.max(plans.b.windows).round().clamp(1.0, f64::from(u32::MAX));
    options.scenes.windows_per_epoch.unwrap_or(covering as usize)
}

/// Returns the largest number of validation windows, in proportion to the training windows.
fn valid_windows(options: &PrepareData, windows: usize) -> usize {
    let share = options.val_split_pct;
    (windows as f64 * share / (1.0 - share)).ceil() as usize
}

/// Selects up to `most` windows, spread over all of them.
fn spread(windows: &[(usize, SceneWindow)], most: usize) -> Vec<(usize, SceneWindow)> {
    let count = windows.len().min(most);
    (0..count).filter_map(|index| windows.get(index * windows.len() / count).copied()).collect()
}
