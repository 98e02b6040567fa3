//! Scenes on the disk, one after the other.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use super::engine::{Engine, gathered};
use super::fingerprint;
use super::job::{Job, inputs, jobs};
use super::options::{NormStatistics, RasterOptions};
use super::parts::{self, Parts};
use super::pass::{self, Borders, Pass, Times};
use super::progress::{Watch, stopped};
use super::report::RasterReport;
use super::sink::File;
use super::sizes::Sizes;
use super::translation::Translation;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::Moments;
use crate::raster::{BandScale, RasterSpec, Source};
use crate::store;

/// What a call translates scenes with.
pub(crate) struct Scenes<'a> {
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
pub(crate) fn translate_scenes(
    scenes: &Scenes<'_>,
    open: impl Fn(&Path) -> Result<Source>,
    input: &Path,
    output: &Path,
) -> Result<RasterReport> {
    let (started, options) = (Instant::now(), scenes.options);
    options.check()?;
    let opened = |path: &PathBuf| {
        stopped(options.stop.as_ref())?;
        open(path)
    };
    let sources = inputs(input)?.iter().map(opened).collect::<Result<Vec<_>>>()?;
    // Before the first folder is made.
    let mut sizes = Sizes::of(scenes.translation, options, None)?;
    let jobs = jobs(input, &sources, output, options)?;
    let identities = scenes.identities(&sources, &jobs)?;
    if let Some(side) = begun(&jobs, &identities) {
        sizes = Sizes::of(scenes.translation, options, Some(side))?;
    }
    if matches!(options.statistics, NormStatistics::Tile { .. }) {
        jobs.iter().try_for_each(|job| sizes.check_rows(scenes.translation, &sources[job.scene], &job.part))?;
    }
    store::remove_abandoned_of(jobs.iter().map(|job| job.output.as_path()));
    let pixels = jobs.iter().map(|job| job.part.pixels()).sum();
    let watch = Watch::new(pixels, options.progress, options.stop.clone());
    let mut watch = watch.observed_by(options.observer.clone());
    tell_begin((input, output), sources.len(), jobs.len(), pixels);
    let ran = scenes.run(&sources, sizes, (&jobs, &identities), &mut watch);
    let (times, borders) = told(ran, &watch, started)?;
    let outputs = jobs.into_iter().map(|job| job.output).collect();
    Ok(RasterReport {
        outputs,
        pixels,
        network_pixels: watch.network_pixels(),
        time: started.elapsed(),
        times,
        borders,
    })
}

fn tell_begin((input, output): (&Path, &Path), scenes: usize, outputs: usize, pixels: u64) {
    let (input, output) = (input.display(), output.display());
    tracing::info!(%input, %output, scenes, outputs, pixels, "translation begins");
}

/// What a run gives, after an event that tells how it ended.
fn told<T>(ran: Result<T>, watch: &Watch, started: Instant) -> Result<T> {
    let (network_pixels, seconds) = (watch.network_pixels(), started.elapsed().as_secs_f64());
    match &ran {
        Ok(_) => tracing::info!(network_pixels, seconds, "translation ends"),
        Err(error) if error.kind() == ErrorKind::Stopped => {
            tracing::info!(network_pixels, seconds, "translation stopped");
        }
        Err(error) => tracing::info!(%error, network_pixels, seconds, "translation failed"),
    }
    ran
}

impl Scenes<'_> {
    /// What tells each job from others, where it may go on with what an earlier call did.
    fn identities(&self, sources: &[Source], jobs: &[Job]) -> Result<Vec<Option<Value>>> {
        if !self.options.resume {
            return Ok(vec![None; jobs.len()]);
        }
        let shared = fingerprint::Shared::of(self.translation, self.options, sources)?;
        let of = |job: &Job| fingerprint::of_job(self.translation, self.options, &sources[job.scene], job, &shared);
        Ok(jobs.iter().map(|job| Some(of(job))).collect())
    }

    fn run(
        &self,
        sources: &[Source],
        sizes: Sizes,
        (jobs, identities): (&[Job], &[Option<Value>]),
        watch: &mut Watch,
    ) -> Result<(Times, Borders)> {
        let (translation, statistics) = (self.translation, self.options.statistics);
        let start = Instant::now();
        let shared = match statistics {
            NormStatistics::Inputs => gathered(translation, sizes, &sources.iter().collect::<Vec<_>>(), watch)?,
            _ => None,
        };
        let mut times = Times { network: start.elapsed(), ..Times::default() };
        let (mut kept, mut first) = (Vec::new(), None);
        for (index, source) in sources.iter().enumerate() {
            let moments = shared.as_ref().map(|layers| layers.iter().map(Moments::shallow_clone).collect());
            let mut engine = Engine { translation, sizes, statistics, source, moments };
            for (job, identity) in jobs.iter().zip(identities).filter(|(job, _)| job.scene == index) {
                watch.check()?;
                let done = self.translate(&mut engine, job, identity.as_ref(), &mut kept, watch);
                let (took, borders) = done.map_err(|error| named(error, source))?;
                times += took;
                first.get_or_insert(borders);
            }
            source.release();
        }
        // Only now: what is complete is not to be made again when a later scene fails.
        kept.into_iter().try_for_each(Parts::close)?;
        Ok((times, first.unwrap_or_default()))
    }

    /// Makes one output; what is kept for a later run joins `kept`.
    fn translate(
        &self,
        engine: &mut Engine<'_>,
        job: &Job,
        identity: Option<&Value>,
        kept: &mut Vec<Parts>,
        watch: &mut Watch,
    ) -> Result<(Times, Borders)> {
        let begun = Instant::now();
        let done = match identity {
            None => self.write(engine, job, watch)?,
            Some(identity) => {
                let identity = fingerprint::with_sizes(identity.clone(), engine.sizes);
                let (done, parts) = self.resume(engine, job, &identity, watch)?;
                kept.push(parts);
                done
            }
        };
        let (output, seconds) = (job.output.display(), begun.elapsed().as_secs_f64());
        tracing::info!(%output, pixels = job.part.pixels(), seconds, "scene translated");
        Ok(done)
    }

    fn write(&self, engine: &mut Engine<'_>, job: &Job, watch: &mut Watch) -> Result<(Times, Borders)> {
        let empty = self.translation.empty_value(engine.source);
        let mut file = File::create(&job.output, self.spec(engine.source, job, empty), engine.block(&job.part))?;
        let (mut pass, mut times) = prepared(engine, job, empty, watch)?;
        times += pass::run(engine.source, pass.as_mut(), 0, watch, &mut file)?;
        file.finish()?;
        Ok((times, pass.borders()))
    }

    fn resume(
        &self,
        engine: &mut Engine<'_>,
        job: &Job,
        identity: &Value,
        watch: &mut Watch,
    ) -> Result<((Times, Borders), Parts)> {
        let empty = self.translation.empty_value(engine.source);
        let spec = self.spec(engine.source, job, empty);
        let block = engine.block(&job.part);
        // Told before the work begins, not when all its pieces are there.
        drop(File::create(&job.output, spec.clone(), block)?);
        let mut parts = Parts::open(parts::folder_of(&job.output), identity, spec)?;
        if parts.is_done(&job.output) {
            watch.found(job.part.pixels());
            parts.unlock();
            return Ok((Default::default(), parts));
        }
        let (mut pass, mut times) = prepared(engine, job, empty, watch)?;
        let steps = pass.steps();
        times += pass::run(engine.source, pass.as_mut(), parts.steps(steps.as_ref()), watch, &mut parts)?;
        parts.assemble(steps.as_ref(), &job.output, block, watch)?;
        parts.unlock();
        Ok(((times, pass.borders()), parts))
    }

    fn spec(&self, source: &Source, job: &Job, empty: Option<f64>) -> RasterSpec {
        let (height, width) = job.part.size();
        let spec = RasterSpec::new(self.translation.to.bands(), height, width, self.translation.dtype())
            .place(source.place().shifted(job.part.rows.start, job.part.columns.start))
            .band_names(self.band_names.iter().map(|name| name.clone().unwrap_or_default()))
            .band_scales(self.band_scales.iter().copied())
            .compression(self.options.compression);
        let spec = match self.options.overviews {
            Some(overviews) => spec.cloud_optimized(overviews),
            None => spec,
        };
        match empty {
            Some(value) => spec.nodata(value),
            None => spec,
        }
    }
}

/// The side of tiles that an unfinished job of these was begun with.
fn begun(jobs: &[Job], identities: &[Option<Value>]) -> Option<usize> {
    jobs.iter().zip(identities).find_map(|(job, identity)| {
        let known = parts::job_in(&parts::folder_of(&job.output))?;
        fingerprint::side_of(known, identity.as_ref()?)
    })
}

/// The way through a part, and the time that its statistics took.
fn prepared<'a>(
    engine: &mut Engine<'a>,
    job: &Job,
    empty: Option<f64>,
    watch: &mut Watch,
) -> Result<(Box<dyn Pass + 'a>, Times)> {
    let start = Instant::now();
    let pass = engine.pass(&job.part, empty, watch)?;
    Ok((pass, Times { network: start.elapsed(), ..Times::default() }))
}

/// An error that names no file is one of the scene.
fn named(error: Error, source: &Source) -> Error {
    match source.path() {
        Some(path) if error.path().is_none() => error.at(path),
        _ => error,
    }
}
