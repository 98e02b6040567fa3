//! The open scenes of a domain.

use std::mem;
use std::path::Path;

use super::ground::{self, Ground};
use super::scene::Scene;
use super::survey::{self, MappedScene, SceneSurvey};
use super::validity_map::ValidityMap;
use crate::dataset::domain::Domain;
use crate::dataset::options::PrepareData;
use crate::error::{Error, ErrorKind, Result};

/// The scenes of a domain, their georeferences, and which of their pixels have data.
pub(super) struct DomainScenes {
    pub scenes: Vec<Scene>,
    pub ground: Vec<Ground>,
    pub mapped: Vec<MappedScene>,
}

impl DomainScenes {
    /// Opens the scenes that the survey found.
    pub fn open(options: &PrepareData, domain: Domain, survey: &mut SceneSurvey) -> Result<Self> {
        let mut asked = options.asked(domain, None);
        asked.alpha = survey.alpha;
        let mapped = mem::take(&mut survey.scenes);
        let (mut scenes, mut ground) = (Vec::new(), Vec::new());
        let (chip, kind) = (survey.survey.shape.size(), survey.survey.shape.kind());
        for MappedScene { path, map, .. } in &mapped {
            let source = survey::open(path, &asked)?;
            if source.size() != map.size() {
                let describe = |(height, width): (usize, usize)| format!("{width} x {height} pixels");
                return Err(Error::new(ErrorKind::Format, "the scene changed while it was measured")
                    .at(path)
                    .expected(describe(map.size()))
                    .found(describe(source.size()))
                    .help("Prepare the data again when nothing writes to the file."));
            }
            let own = Ground::of(&source);
            let window = own.window(path, chip, options.scenes.resolution)?;
            scenes.push(Scene { source, window, chip, kind });
            ground.push(own);
        }
        if options.scenes.resolution.is_some() {
            ground::check_units(mapped.iter().zip(&ground).map(|(scene, ground)| (scene.path.as_path(), ground)))?;
        }
        Ok(Self { scenes, ground, mapped })
    }

    /// Returns the file and the georeference of each scene.
    pub fn with_ground(&self) -> impl Iterator<Item = (&Path, &Ground)> {
        self.scenes.iter().map(Scene::path).zip(&self.ground)
    }

    /// Returns the validity map of each scene.
    pub fn maps(&self) -> Vec<&ValidityMap> {
        self.mapped.iter().map(|scene| &scene.map).collect()
    }

    /// Returns the width and the height of the largest window.
    pub fn tile(&self) -> (usize, usize) {
        let of = |side: fn(&Scene) -> usize| self.scenes.iter().map(side).max().unwrap_or(1);
        (of(|scene| scene.window.1), of(|scene| scene.window.0))
    }
}
