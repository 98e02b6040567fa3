//! One output: straight into its file, or by way of pieces that are kept.

use std::time::Instant;

use serde_json::Value;

use super::output_file::OutputFile;
use super::outputs::Output;
use super::resume_folder::folder_of;
use super::resume_store::ResumeStore;
use crate::error::Result;
use crate::inference::strategy::{Progress, SceneTranslation, Strategy, Times, Translation, run};
use crate::inference::tiling::Borders;
use crate::raster::{BandScale, Compression, OverviewResampling, RasterSpec};

/// What the outputs of a call have in common.
pub(super) struct OutputMaker<'a> {
    pub translation: &'a Translation<'a>,
    pub band_names: &'a [Option<String>],
    pub band_scales: &'a [BandScale],
    pub compression: Compression,
    pub overviews: Option<OverviewResampling>,
}

/// How an output was made.
#[derive(Default)]
pub(super) struct Made {
    pub times: Times,
    pub borders: Borders,
}

impl OutputMaker<'_> {
    /// Checks that a file can be begun under the name of the output; nothing is left of it.
    ///
    /// # Errors
    /// `Io` where it cannot be written, `Limits` where no such GeoTIFF can be.
    pub fn check_writable(&self, scene: &SceneTranslation<'_>, output: &Output) -> Result<()> {
        let block = scene.block(&output.part);
        OutputFile::create(&output.path, self.spec(scene, output), block).map(drop)
    }

    /// Makes an output in one go.
    pub fn write(&self, scene: &mut SceneTranslation<'_>, output: &Output, progress: &mut Progress) -> Result<Made> {
        let block = scene.block(&output.part);
        let mut file = OutputFile::create(&output.path, self.spec(scene, output), block)?;
        let (mut strategy, mut times) = self.strategy(scene, output, progress)?;
        times += run(scene.source, strategy.as_mut(), 0, progress, &mut file)?;
        file.finish()?;
        Ok(Made { times, borders: strategy.borders() })
    }

    /// Makes an output of pieces that are kept, those of an earlier call included. The store is to be closed when
    /// nobody needs to know any more that the output is complete.
    pub fn resume(
        &self,
        scene: &mut SceneTranslation<'_>,
        output: &Output,
        fingerprint: &Value,
        progress: &mut Progress,
    ) -> Result<(Made, ResumeStore)> {
        let spec = self.spec(scene, output);
        let mut store = ResumeStore::open(folder_of(&output.path), fingerprint, spec)?;
        if store.is_done(&output.path) {
            progress.add_earlier(output.part.pixels());
            store.unlock();
            return Ok((Made::default(), store));
        }
        let (mut strategy, mut times) = self.strategy(scene, output, progress)?;
        let steps = strategy.steps();
        let done = store.done_steps(steps.as_ref());
        times += run(scene.source, strategy.as_mut(), done, progress, &mut store)?;
        store.assemble(steps.as_ref(), &output.path, scene.block(&output.part), progress)?;
        store.unlock();
        Ok((Made { times, borders: strategy.borders() }, store))
    }

    /// Returns the way through a part of a scene, and the time that its statistics took.
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

    /// Returns what the file of an output is like.
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
