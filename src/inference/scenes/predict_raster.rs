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
use super::{RasterOptions, fingerprint, inputs, sharing};
use crate::error::Result;
use crate::inference::strategy::{
    NormStatistics, Progress, SceneTranslation, Times, Translation, advised, gathered_once, of_scene,
};
use crate::inference::tiling::TileSize;
use crate::nn::Moments;
use crate::peers::{Alone, Peers};
use crate::raster::{BandScale, Source};
use crate::stop::StopSignal;
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
    let peers = request.options.peers.as_ref();
    let _waits = StoppableWaits::begin(peers, request.options.stop.clone());
    let planned = Settings::of(request.options, request.translation).and_then(|settings| {
        let sources = inputs::opened(input, open, settings.stop.as_ref())?;
        let outputs = outputs::planned(input, &sources, output, &settings)?;
        Ok((settings, sources, outputs))
    });
    let ((settings, sources, outputs), _) = sharing::told(peers, planned, |_| Vec::new())?;
    let call = Call::prepared(request, settings, &sources, outputs)?;
    let pixels = call.outputs.iter().map(|output| output.part.pixels()).sum();
    let progress = Progress::new(pixels, call.settings.shows_progress, call.settings.stop.clone());
    let mut progress = progress.beside(call.settings.peers.clone()).observed_by(call.settings.observer.clone());
    tell_begin((input, output), sources.len(), call.outputs.len(), pixels);
    // The others are not to wait for what this process no longer does.
    let result = call.run(&mut progress).inspect_err(|error| peers.leave(error));
    tell_end(&result, &progress, started);
    let Made { times, borders } = result?;
    let network_pixels = progress.network_pixels();
    let outputs = call.outputs.into_iter().map(|output| output.path).collect();
    Ok(RasterReport { outputs, pixels, network_pixels, time: started.elapsed(), times, borders })
}

/// Lets a signal to stop end the waits for other processes during a call: what they wait for may take hours.
struct StoppableWaits<'a>(&'a dyn Peers);

impl<'a> StoppableWaits<'a> {
    fn begin(peers: &'a dyn Peers, signal: Option<StopSignal>) -> Self {
        peers.stop_waiting_on(signal);
        Self(peers)
    }
}

impl Drop for StoppableWaits<'_> {
    fn drop(&mut self) {
        self.0.stop_waiting_on(None);
    }
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

/// How several processes share outputs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// Each makes some of the outputs, or all where there is one process.
    Outputs,
    /// Each makes some of the pieces of each output.
    Pieces,
}

impl Sharing {
    fn of(settings: &Settings, outputs: usize) -> Self {
        let count = settings.peers.part().count;
        if count > 1 && outputs < count { Self::Pieces } else { Self::Outputs }
    }
}

impl<'a> Call<'a> {
    /// Checks memory and outputs, and makes the folders of outputs.
    fn prepared(
        request: &RasterRequest<'a>,
        settings: Settings,
        sources: &'a [Source],
        outputs: Vec<Output>,
    ) -> Result<Self> {
        let (translation, peers) = (request.translation, request.options.peers.as_ref());
        let keeps_pieces = settings.is_resumable || Sharing::of(&settings, outputs.len()) == Sharing::Pieces;
        let fingerprints = match keeps_pieces || !peers.is_alone() {
            true => Some(fingerprint::of_outputs(translation, &settings, sources, &outputs)),
            false => None,
        };
        let (fingerprints, _) = sharing::told(peers, fingerprints.transpose(), |_| Vec::new())?;
        let begun = fingerprints.as_ref().and_then(|fingerprints| begun_side(&outputs, fingerprints));
        let own = settings.tiles.begun_with(begun).size(&translation.budget());
        let tiles = sharing::tiles(peers, own, fingerprints.as_deref())?;
        let fingerprints = fingerprints.filter(|_| keeps_pieces);
        let (band_names, band_scales) = (request.band_names, request.band_scales);
        let maker = OutputMaker {
            translation,
            band_names,
            band_scales,
            compression: settings.compression,
            overviews: settings.overviews,
        };
        let call = Self { maker, settings, sources, outputs, fingerprints, tiles };
        sharing::met(peers, call.check())?;
        // In the folders of all, and so once, before the others begin.
        let begin = || {
            outputs::make_folders(&call.outputs)?;
            call.check_writable()?;
            store::remove_abandoned_of(call.outputs.iter().map(|output| output.path.as_path()));
            Ok(())
        };
        sharing::met(peers, if peers.part().leads() { begin() } else { Ok(()) })?;
        Ok(call)
    }

    /// Checks that there is memory for each output.
    fn check(&self) -> Result<()> {
        self.outputs.iter().try_for_each(|output| {
            let source = &self.sources[output.scene];
            self.scene(source, None).check_memory(&output.part).map_err(|error| of_scene(error, source))
        })
    }

    fn sharing(&self) -> Sharing {
        Sharing::of(&self.settings, self.outputs.len())
    }

    /// The processes that make each output together.
    fn helpers(&self) -> &dyn Peers {
        match self.sharing() {
            Sharing::Outputs => &Alone,
            Sharing::Pieces => self.settings.peers.as_ref(),
        }
    }

    /// Whether this process makes the output of this index, or takes part in it.
    fn is_own(&self, output: usize) -> bool {
        let part = self.settings.peers.part();
        self.sharing() == Sharing::Pieces || output % part.count == part.rank
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

    fn scene<'s>(&'s self, source: &'s Source, moments: Option<Vec<Moments>>) -> SceneTranslation<'s> {
        let (translation, statistics) = (self.maker.translation, self.settings.statistics);
        SceneTranslation { translation, source, statistics, tiles: self.tiles, moments, peers: self.helpers() }
    }

    /// Makes all outputs, and tells of the first one where its tiles begin.
    fn run(&self, progress: &mut Progress) -> Result<Made> {
        let (shared, mut times) = self.shared_statistics(progress)?;
        let (mut stores, mut borders) = (Vec::new(), None);
        if self.sharing() == Sharing::Outputs {
            progress.share_among(self.settings.peers.part().count);
        }
        let own: Vec<usize> = (0..self.outputs.len()).filter(|index| self.is_own(*index)).collect();
        for indices in own.chunk_by(|one, other| self.outputs[*one].scene == self.outputs[*other].scene) {
            let source = &self.sources[self.outputs[indices[0]].scene];
            let moments = shared.as_ref().map(|layers| layers.iter().map(Moments::shallow_clone).collect());
            let mut scene = self.scene(source, moments);
            for index in indices {
                progress.check_stop()?;
                let made = self.make(&mut scene, *index, &mut stores, progress);
                let made = made.map_err(|error| of_scene(error, source))?;
                times += made.times;
                borders.get_or_insert(made.borders);
            }
            source.release();
        }
        // Only now: what is complete is not to be made again when a later scene fails.
        sharing::met(self.settings.peers.as_ref(), Ok(()))?;
        progress.complete(self.outputs.iter().map(|output| output.part.pixels()).sum());
        let closed = stores.into_iter().try_for_each(ResumeStore::close);
        sharing::met(self.settings.peers.as_ref(), closed)?;
        Ok(Made { times, borders: borders.unwrap_or_default() })
    }

    /// Gathers the statistics of all scenes together, where they are wanted.
    fn shared_statistics(&self, progress: &mut Progress) -> Result<(Option<Vec<Moments>>, Times)> {
        if self.settings.statistics != NormStatistics::Inputs {
            return Ok((None, Times::default()));
        }
        let start = Instant::now();
        let sources: Vec<&Source> = self.sources.iter().collect();
        let how = (self.maker.translation, self.tiles);
        let moments = gathered_once(self.settings.peers.as_ref(), how, &sources, progress).map_err(advised)?;
        Ok((moments, Times { network: start.elapsed(), ..Times::default() }))
    }

    /// Makes one output; the store of what a later call may go on with joins `stores`.
    fn make(
        &self,
        scene: &mut SceneTranslation<'_>,
        index: usize,
        stores: &mut Vec<ResumeStore>,
        progress: &mut Progress,
    ) -> Result<Made> {
        let (output, begun) = (&self.outputs[index], Instant::now());
        let made = match self.fingerprints.as_ref().and_then(|fingerprints| fingerprints.get(index)) {
            None => self.maker.write(scene, output, progress)?,
            Some(fingerprint) => {
                let fingerprint = fingerprint::with_tiles(fingerprint.clone(), self.tiles);
                let (made, store) = self.maker.resume(scene, output, &fingerprint, progress)?;
                stores.extend(store);
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
