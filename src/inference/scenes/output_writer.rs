//! Writes one output, either directly or from pieces that are kept.

use std::ops::Range;
use std::time::Instant;

use serde_json::Value;

use super::output_file::OutputFile;
use super::outputs::Output;
use super::resume_folder::folder_of;
use super::resume_store::ResumeStore;
use super::{shares, sharing};
use crate::error::Result;
use crate::inference::strategy::{Progress, SceneTranslation, Strategy, Times, Translation, run};
use crate::inference::tiling::{Borders, Steps};
use crate::raster::{BandScale, Compression, OverviewResampling, RasterSpec};

/// What all outputs of a call have in common.
pub(super) struct OutputWriter<'a> {
    pub translation: &'a Translation<'a>,
    pub band_names: &'a [Option<String>],
    pub band_scales: &'a [BandScale],
    pub compression: Compression,
    pub overviews: Option<OverviewResampling>,
}

/// A summary of how an output was written.
#[derive(Default)]
pub(super) struct OutputSummary {
    pub times: Times,
    pub borders: Borders,
}

impl OutputWriter<'_> {
    /// Checks that a file can be created under the name of the output; nothing is left behind.
    ///
    /// # Errors
    /// `Io` if it cannot be written, `Limits` if no such GeoTIFF is possible.
    pub fn check_writable(&self, scene: &SceneTranslation<'_>, output: &Output) -> Result<()> {
        let block = scene.block(&output.part);
        OutputFile::create(&output.path, self.spec(scene, output), block).map(drop)
    }

    /// Writes an output in one pass.
    pub fn write(
        &self,
        scene: &mut SceneTranslation<'_>,
        output: &Output,
        progress: &mut Progress,
    ) -> Result<OutputSummary> {
        let block = scene.block(&output.part);
        let mut file = OutputFile::create(&output.path, self.spec(scene, output), block)?;
        let (mut strategy, mut times) = self.strategy(scene, output, progress)?;
        let all = 0..strategy.steps().count();
        times += run(scene.source, strategy.as_mut(), all, progress, &mut file)?;
        file.finish()?;
        Ok(OutputSummary { times, borders: strategy.borders() })
    }

    /// Writes an output from pieces that are kept, including those of an earlier call. Several processes share the
    /// pieces; the first one assembles them and gets the store, which has to be closed once nobody needs to know any
    /// more that the output is complete.
    pub fn resume(
        &self,
        scene: &mut SceneTranslation<'_>,
        output: &Output,
        fingerprint: &Value,
        progress: &mut Progress,
    ) -> Result<(OutputSummary, Option<ResumeStore>)> {
        let (peers, spec, before) = (scene.peers, self.spec(scene, output), progress.completed());
        let (mut store, is_done) =
            sharing::open_stores(peers, folder_of(&output.path), (fingerprint, spec), &output.path)?;
        if is_done {
            progress.add_earlier(output.part.pixels());
            store.unlock();
            return Ok((OutputSummary::default(), peers.part().leads().then_some(store)));
        }
        let (mut strategy, mut times) = self.strategy(scene, output, progress)?;
        let (steps, borders) = (strategy.steps(), strategy.borders());
        let missing = sharing::missing_in_first(peers, || store.missing(steps.as_ref()))?;
        progress.add_earlier(output.part.pixels() - pixels(steps.as_ref(), &missing));
        let is_shared = !peers.part().is_whole();
        if is_shared {
            progress.share_among(peers.part().count);
        }
        for (index, range) in shares::own(&missing, peers.part()).into_iter().enumerate() {
            if index > 0 {
                // After a gap a strategy starts over.
                strategy = self.strategy(scene, output, progress)?.0;
            }
            times += run(scene.source, strategy.as_mut(), range, progress, &mut store)?;
        }
        sharing::barrier(peers, Ok(()))?;
        if is_shared {
            progress.complete(before + output.part.pixels());
        }
        let assembled = match peers.part().leads() {
            true => store.assemble(steps.as_ref(), &output.path, scene.block(&output.part), progress),
            false => Ok(()),
        };
        sharing::barrier(peers, assembled)?;
        store.unlock();
        Ok((OutputSummary { times, borders }, peers.part().leads().then_some(store)))
    }

    /// Returns the strategy for a part of a scene, and the time that its statistics took.
    fn strategy<'a>(
        &self,
        scene: &mut SceneTranslation<'a>,
        output: &Output,
        progress: &mut Progress,
    ) -> Result<(Box<dyn Strategy + 'a>, Times)> {
        let start = Instant::now();
        let empty = self.translation.empty_value(scene.source);
        let strategy = scene.strategy(&output.part, empty, progress)?;
        Ok((strategy, Times { network: start.elapsed(), ..Times::default() }))
    }

    /// Returns the specification of an output file.
    fn spec(&self, scene: &SceneTranslation<'_>, output: &Output) -> RasterSpec {
        let (part, source) = (&output.part, scene.source);
        let (height, width) = part.size();
        let spec = RasterSpec::new(self.translation.to.bands(), height, width, self.translation.dtype())
            .place(source.place().shifted(part.rows.start, part.columns.start))
            .band_names(self.band_names.iter().map(|name| name.clone().unwrap_or_default()))
            .band_scales(self.band_scales.iter().copied())
            .compression(self.compression);
        let spec = match self.overviews {
            Some(overviews) => spec.cloud_optimized(overviews),
            None => spec,
        };
        match self.translation.empty_value(source) {
            Some(value) => spec.nodata(value),
            None => spec,
        }
    }
}

/// Counts the pixels of these steps.
fn pixels(steps: &dyn Steps, ranges: &[Range<usize>]) -> u64 {
    ranges.iter().cloned().flatten().map(|index| steps.makes(index).pixels()).sum()
}
