//! A call of `predict_raster`: scenes from files to files, one after the other.

use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::events::{tell_begin, tell_end, tell_output};
use super::output_writer::{OutputSummary, OutputWriter};
use super::outputs::{self, Output};
use super::report::RasterReport;
use super::resume_folder::{folder_of, job_in};
use super::resume_store::ResumeStore;
use super::settings::Settings;
use super::{RasterOptions, fingerprint, inputs, sharing};
use crate::control::Control;
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

/// The translation that a call applies to its scenes.
pub(crate) struct RasterRequest<'a> {
    pub translation: &'a Translation<'a>,
    pub options: &'a RasterOptions,
    /// Names of the output bands.
    pub band_names: &'a [Option<String>],
    /// Scales and offsets of the output bands.
    pub band_scales: &'a [BandScale],
}

/// Translates the file `input`, or all images in the folder `input`, which `open` opens.
///
/// # Errors
/// Before anything is written: errors of options, inputs and output names. Later: errors of reading, the network and
/// writing; outputs that are already complete stay.
pub(crate) fn predict_raster(
    request: &RasterRequest<'_>,
    open: impl Fn(&Path) -> Result<Source>,
    input: &Path,
    output: &Path,
) -> Result<RasterReport> {
    let started = Instant::now();
    let peers = request.options.peers.as_ref();
    let _waits = StoppableWaits::begin(peers, request.options.control.stop.clone());
    let planned = Settings::of(request.options, request.translation).and_then(|settings| {
        let sources = inputs::open_all(input, open, settings.control.stop.as_ref())?;
        let outputs = outputs::planned(input, &sources, output, &settings)?;
        Ok((settings, sources, outputs))
    });
    let ((settings, sources, outputs), _) = sharing::exchange_results(peers, planned, |_| Vec::new())?;
    let call = Call::prepared(request, settings, &sources, outputs)?;
    let pixels = call.outputs.iter().map(|output| output.part.pixels()).sum();
    let Control { stop, progress: shows, observer } = call.settings.control.clone();
    let progress = Progress::new(pixels, shows, stop);
    let mut progress = progress.beside(call.settings.peers.clone()).observed_by(observer);
    tell_begin((input, output), sources.len(), call.outputs.len(), pixels);
    // The other processes must not wait for work that this one no longer does.
    let result = call.run(&mut progress).inspect_err(|error| peers.leave(error));
    tell_end(&result, &progress, started);
    let OutputSummary { times, borders } = result?;
    let network_pixels = progress.network_pixels();
    let outputs = call.outputs.into_iter().map(|output| output.path).collect();
    Ok(RasterReport { outputs, pixels, network_pixels, time: started.elapsed(), times, borders })
}

/// Lets a stop signal end the waits for other processes during a call: what they wait for may take hours.
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

/// A call after all checks that are possible before the work starts.
struct Call<'a> {
    writer: OutputWriter<'a>,
    settings: Settings,
    sources: &'a [Source],
    outputs: Vec<Output>,
    /// The fingerprint of each output, if a later call may resume.
    fingerprints: Option<Vec<Value>>,
    tiles: TileSize,
}

/// How several processes share the outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// Each process writes some of the outputs, or all if there is only one process.
    Outputs,
    /// Each process writes some of the pieces of each output.
    Pieces,
}

impl Sharing {
    fn of(settings: &Settings, outputs: usize) -> Self {
        let count = settings.peers.part().count;
        if count > 1 && outputs < count { Self::Pieces } else { Self::Outputs }
    }
}

impl<'a> Call<'a> {
    /// Checks memory and outputs, and creates the folders of outputs.
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
        let (fingerprints, _) = sharing::exchange_results(peers, fingerprints.transpose(), |_| Vec::new())?;
        let begun = fingerprints.as_ref().and_then(|fingerprints| begun_side(&outputs, fingerprints));
        let own = settings.tiles.begun_with(begun).size(&translation.budget());
        let tiles = sharing::tiles(peers, own, fingerprints.as_deref())?;
        let fingerprints = fingerprints.filter(|_| keeps_pieces);
        let (band_names, band_scales) = (request.band_names, request.band_scales);
        let writer = OutputWriter {
            translation,
            band_names,
            band_scales,
            compression: settings.compression,
            overviews: settings.overviews,
        };
        let call = Self { writer, settings, sources, outputs, fingerprints, tiles };
        sharing::barrier(peers, call.check())?;
        // The folders are shared, so this happens once, before the other processes start.
        let begin = || {
            outputs::make_folders(&call.outputs)?;
            call.check_writable()?;
            store::remove_abandoned_of(call.outputs.iter().map(|output| output.path.as_path()));
            Ok(())
        };
        sharing::barrier(peers, if peers.part().leads() { begin() } else { Ok(()) })?;
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

    /// Returns the processes that write each output together.
    fn helpers(&self) -> &dyn Peers {
        match self.sharing() {
            Sharing::Outputs => &Alone,
            Sharing::Pieces => self.settings.peers.as_ref(),
        }
    }

    /// Returns whether this process writes the output of this index, or takes part in it.
    fn is_own(&self, output: usize) -> bool {
        let part = self.settings.peers.part();
        self.sharing() == Sharing::Pieces || output % part.count == part.rank
    }

    /// Checks that outputs can be written before work that may take hours: earlier scenes, statistics of all scenes, or
    /// pieces that are kept elsewhere. A single output is started at once anyway.
    fn check_writable(&self) -> Result<()> {
        let is_begun_at_once = self.outputs.len() == 1
            && !self.settings.is_resumable
            && self.settings.statistics != NormStatistics::Inputs;
        if is_begun_at_once {
            return Ok(());
        }
        self.outputs.iter().try_for_each(|output| {
            let scene = self.scene(&self.sources[output.scene], None);
            self.writer.check_writable(&scene, output)
        })
    }

    fn scene<'s>(&'s self, source: &'s Source, moments: Option<Vec<Moments>>) -> SceneTranslation<'s> {
        let (translation, statistics) = (self.writer.translation, self.settings.statistics);
        SceneTranslation { translation, source, statistics, tiles: self.tiles, moments, peers: self.helpers() }
    }

    /// Writes all outputs, and returns the tile borders of the first one.
    fn run(&self, progress: &mut Progress) -> Result<OutputSummary> {
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
        // Only now, so that complete outputs are not written again if a later scene fails.
        sharing::barrier(self.settings.peers.as_ref(), Ok(()))?;
        progress.complete(self.outputs.iter().map(|output| output.part.pixels()).sum());
        let closed = stores.into_iter().try_for_each(ResumeStore::close);
        sharing::barrier(self.settings.peers.as_ref(), closed)?;
        Ok(OutputSummary { times, borders: borders.unwrap_or_default() })
    }

    /// Gathers the statistics of all scenes together, if they are requested.
    fn shared_statistics(&self, progress: &mut Progress) -> Result<(Option<Vec<Moments>>, Times)> {
        if self.settings.statistics != NormStatistics::Inputs {
            return Ok((None, Times::default()));
        }
        let start = Instant::now();
        let sources: Vec<&Source> = self.sources.iter().collect();
        let how = (self.writer.translation, self.tiles);
        let moments = gathered_once(self.settings.peers.as_ref(), how, &sources, progress).map_err(advised)?;
        Ok((moments, Times { network: start.elapsed(), ..Times::default() }))
    }

    /// Writes one output; its store for resuming is added to `stores`.
    fn make(
        &self,
        scene: &mut SceneTranslation<'_>,
        index: usize,
        stores: &mut Vec<ResumeStore>,
        progress: &mut Progress,
    ) -> Result<OutputSummary> {
        let (output, begun) = (&self.outputs[index], Instant::now());
        let made = match self.fingerprints.as_ref().and_then(|fingerprints| fingerprints.get(index)) {
            None => self.writer.write(scene, output, progress)?,
            Some(fingerprint) => {
                let fingerprint = fingerprint::with_tiles(fingerprint.clone(), self.tiles);
                let (made, store) = self.writer.resume(scene, output, &fingerprint, progress)?;
                stores.extend(store);
                made
            }
        };
        tell_output(&output.path, output.part.pixels(), begun);
        Ok(made)
    }
}

/// Returns the tile size of unfinished work on these outputs.
fn begun_side(outputs: &[Output], fingerprints: &[Value]) -> Option<usize> {
    outputs.iter().zip(fingerprints).find_map(|(output, fingerprint)| {
        let known = job_in(&folder_of(&output.path))?;
        fingerprint::side_of(known, fingerprint)
    })
}
