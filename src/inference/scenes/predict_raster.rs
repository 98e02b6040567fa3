//! Scenes on the disk, one after the other.

use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::events::{tell_begin, tell_end, tell_output};
use super::output_maker::{Made, OutputMaker};
use super::outputs::{self, Output};
use super::report::RasterReport;
use super::resume_folder::{folder_of, job_in};
use super::resume_store::ResumeStore;
use super::settings::Settings;
use super::{RasterOptions, fingerprint, inputs};
use crate::error::Result;
use crate::inference::strategy::{
    NormStatistics, Progress, SceneTranslation, Times, Translation, advised, gathered, of_scene,
};
use crate::inference::tiling::TileSize;
use crate::nn::Moments;
use crate::raster::{BandScale, Source};
use crate::store;

/// What a call translates scenes with.
pub(crate) struct RasterRequest<'a> {
    pub translation: &'a Translation<'a>,
    pub options: &'a RasterOptions,
    /// Names of the bands that are made.
    pub band_names: &'a [Option<String>],
    /// How their samples become physical values.
    pub band_scales: &'a [BandScale],
}

/// Translates the file `input`, or the images in that folder, which `open` opens.
///
/// # Errors
/// Before anything is written: what is wrong with options, inputs or names of outputs. Then what reading, the network or
/// writing gives; outputs that are complete by then stay.
pub(crate) fn predict_raster(
    request: &RasterRequest<'_>,
    open: impl Fn(&Path) -> Result<Source>,
    input: &Path,
    output: &Path,
) -> Result<RasterReport> {
    let started = Instant::now();
    let settings = Settings::of(request.options, request.translation)?;
    let sources = inputs::opened(input, open, settings.stop.as_ref())?;
    let outputs = outputs::planned(input, &sources, output, &settings)?;
    let call = Call::prepared(request, settings, &sources, outputs)?;
    store::remove_abandoned_of(call.outputs.iter().map(|output| output.path.as_path()));
    let pixels = call.outputs.iter().map(|output| output.part.pixels()).sum();
    let progress = Progress::new(pixels, call.settings.shows_progress, call.settings.stop.clone());
    let mut progress = progress.observed_by(call.settings.observer.clone());
    tell_begin((input, output), sources.len(), call.outputs.len(), pixels);
    let result = call.run(&mut progress);
    tell_end(&result, &progress, started);
    let Made { times, borders } = result?;
    let network_pixels = progress.network_pixels();
    let outputs = call.outputs.into_iter().map(|output| output.path).collect();
    Ok(RasterReport { outputs, pixels, network_pixels, time: started.elapsed(), times, borders })
}

/// A call of which all is checked that can be before the work begins.
struct Call<'a> {
    maker: OutputMaker<'a>,
    settings: Settings,
    sources: &'a [Source],
    outputs: Vec<Output>,
    /// What tells each output from others, where a later call may go on with it.
    fingerprints: Option<Vec<Value>>,
    tiles: TileSize,
}

impl<'a> Call<'a> {
    /// Checks memory and outputs, and makes the folders of outputs.
    fn prepared(
        request: &RasterRequest<'a>,
        settings: Settings,
        sources: &'a [Source],
        outputs: Vec<Output>,
    ) -> Result<Self> {
        let translation = request.translation;
        let fingerprints = match settings.is_resumable {
            true => Some(fingerprint::of_outputs(translation, &settings, sources, &outputs)?),
            false => None,
        };
        let begun = fingerprints.as_ref().and_then(|fingerprints| begun_side(&outputs, fingerprints));
        let tiles = settings.tiles.begun_with(begun).size(&translation.budget())?;
        let (band_names, band_scales) = (request.band_names, request.band_scales);
        let maker = OutputMaker {
            translation,
            band_names,
            band_scales,
            compression: settings.compression,
            overviews: settings.overviews,
        };
        let call = Self { maker, settings, sources, outputs, fingerprints, tiles };
        for output in &call.outputs {
            let source = &sources[output.scene];
            call.scene(source, None).check_memory(&output.part).map_err(|error| of_scene(error, source))?;
        }
        outputs::make_folders(&call.outputs)?;
        call.check_writable()?;
        Ok(call)
    }

    /// Checks that outputs can be written, before what may take hours: the scenes before them, statistics of all scenes,
    /// or pieces that are kept elsewhere. A single output is begun at once anyway.
    fn check_writable(&self) -> Result<()> {
        let is_begun_at_once = self.outputs.len() == 1
            && !self.settings.is_resumable
            && self.settings.statistics != NormStatistics::Inputs;
        if is_begun_at_once {
            return Ok(());
        }
        self.outputs.iter().try_for_each(|output| {
            let scene = self.scene(&self.sources[output.scene], None);
            self.maker.check_writable(&scene, output)
        })
    }

    fn scene(&self, source: &'a Source, moments: Option<Vec<Moments>>) -> SceneTranslation<'a> {
        let (translation, statistics) = (self.maker.translation, self.settings.statistics);
        SceneTranslation { translation, source, statistics, tiles: self.tiles, moments }
    }

    /// Makes all outputs, and tells of the first one where its tiles begin.
    fn run(&self, progress: &mut Progress) -> Result<Made> {
        let (shared, mut times) = self.shared_statistics(progress)?;
        let (mut stores, mut borders) = (Vec::new(), None);
        let of_scenes = self.outputs.chunk_by(|one, other| one.scene == other.scene);
        let mut fingerprints = self.fingerprints.iter().flatten();
        for outputs in of_scenes {
            let source = &self.sources[outputs[0].scene];
            let moments = shared.as_ref().map(|layers| layers.iter().map(Moments::shallow_clone).collect());
            let mut scene = self.scene(source, moments);
            for output in outputs {
                progress.check_stop()?;
                let made = self.make(&mut scene, output, fingerprints.next(), &mut stores, progress);
                let made = made.map_err(|error| of_scene(error, source))?;
                times += made.times;
                borders.get_or_insert(made.borders);
            }
            source.release();
        }
        // Only now: what is complete is not to be made again when a later scene fails.
        stores.into_iter().try_for_each(ResumeStore::close)?;
        Ok(Made { times, borders: borders.unwrap_or_default() })
    }

    /// Gathers the statistics of all scenes together, where they are wanted.
    fn shared_statistics(&self, progress: &mut Progress) -> Result<(Option<Vec<Moments>>, Times)> {
        if self.settings.statistics != NormStatistics::Inputs {
            return Ok((None, Times::default()));
        }
        let start = Instant::now();
        let sources: Vec<&Source> = self.sources.iter().collect();
        let moments = gathered(self.maker.translation, self.tiles, &sources, progress).map_err(advised)?;
        Ok((moments, Times { network: start.elapsed(), ..Times::default() }))
    }

    /// Makes one output; the store of what a later call may go on with joins `stores`.
    fn make(
        &self,
        scene: &mut SceneTranslation<'a>,
        output: &Output,
        fingerprint: Option<&Value>,
        stores: &mut Vec<ResumeStore>,
        progress: &mut Progress,
    ) -> Result<Made> {
        let begun = Instant::now();
        let made = match fingerprint {
            None => self.maker.write(scene, output, progress)?,
            Some(fingerprint) => {
                let fingerprint = fingerprint::with_tiles(fingerprint.clone(), self.tiles);
                let (made, store) = self.maker.resume(scene, output, &fingerprint, progress)?;
                stores.push(store);
                made
            }
        };
        tell_output(&output.path, output.part.pixels(), begun);
        Ok(made)
    }
}

/// Returns the side of tiles that unfinished work on these outputs was begun with.
fn begun_side(outputs: &[Output], fingerprints: &[Value]) -> Option<usize> {
    outputs.iter().zip(fingerprints).find_map(|(output, fingerprint)| {
        let known = job_in(&folder_of(&output.path))?;
        fingerprint::side_of(known, fingerprint)
    })
}
