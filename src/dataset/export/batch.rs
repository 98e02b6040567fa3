//! Reads, checks, and writes chips, several windows of a scene at once.

use std::ops::Range;
use std::path::Path;

use ndarray::Axis;
use rayon::prelude::*;

use super::chip_record::ChipRecord;
use super::formats::ChipFormat;
use super::journal::ExportBatch;
use super::left_out::{LeftOut, LeftOutCounts};
use super::options::ExportTrainingData;
use super::plan::{Job, Scene, needed_pixels};
use crate::dataset::moments::Moments;
use crate::dataset::scenes::{SceneWindow, Use};
use crate::error::Result;
use crate::raster::{Raster, Source};

/// Largest number of bytes of samples read in one call, and in memory at once; exceeded if a single window is larger.
/// Whole rows of windows are read together, since a strip is decoded as a whole.
const READ_BYTES: usize = 64 << 20;
const HELD_BYTES: usize = 256 << 20;

/// Makes the chips of a job.
pub(super) struct ChipCutter<'a> {
    pub options: &'a ExportTrainingData,
    pub job: &'a Job,
}

/// Windows of one row, by index, that are read at once, and the rectangle that contains them.
#[derive(Debug, Clone)]
struct Span {
    windows: Range<usize>,
    bounds: SceneWindow,
}

/// A part of a scene in memory, for each image.
struct SceneRegion {
    span: Span,
    images: Vec<Raster>,
}

impl ChipCutter<'_> {
    /// Returns how many windows of a scene, starting at `first`, to process next.
    pub fn next(&self, scene: &Scene, first: usize) -> usize {
        let (mut held, mut count) = (0, 0);
        for span in self.spans(scene, first) {
            held += bytes(scene, span.bounds);
            if count > 0 && held > HELD_BYTES {
                break;
            }
            count += span.windows.len();
        }
        count
    }

    /// Makes the chips of `count` windows starting at `first`; the first chip gets this number.
    pub fn make(&self, job: usize, index: usize, first: usize, count: usize, number: usize) -> Result<ExportBatch> {
        let scene = &self.job.scenes[index];
        let spans: Vec<Span> = self.spans(scene, first).take_while(|span| span.windows.start < first + count).collect();
        let read: Vec<SceneRegion> = spans.into_par_iter().map(|span| self.read(scene, span)).collect::<Result<_>>()?;
        let judged: Vec<_> = read
            .par_iter()
            .flat_map(|read| read.span.windows.clone().into_par_iter().map(move |window| (read, window)))
            .map(|(read, window)| (read, window, self.judge(read, scene.windows[window].0)))
            .collect();
        let (mut left_out, mut made) = (LeftOutCounts::default(), Vec::new());
        for (read, window, judged) in judged {
            match judged {
                Ok(shares) => made.push((read, scene.windows[window], shares)),
                Err(reason) => left_out.add(reason),
            }
        }
        let turns: Vec<usize> = self.options.turns().collect();
        let chips: Vec<(&SceneRegion, ChipRecord)> = made
            .into_iter()
            .flat_map(|(read, (window, which), shares)| {
                turns.iter().map(move |turns| (read, window, which, shares.clone(), *turns))
            })
            .zip(number..)
            .map(|((read, window, which, shares, turns), number)| {
                (read, self.record(index, window, which, shares, turns, number))
            })
            .collect();
        chips.par_iter().try_for_each(|(read, chip)| self.write(scene, read, chip))?;
        let chips = chips.into_iter().map(|(_, chip)| chip).collect();
        Ok(ExportBatch { job, scene: index, windows: count, chips, left_out })
    }

    fn spans<'s>(&self, scene: &'s Scene, first: usize) -> impl Iterator<Item = Span> + use<'s> {
        let mut next = first;
        std::iter::from_fn(move || {
            let (window, _) = scene.windows.get(next)?;
            let mut span = Span { windows: next..next + 1, bounds: *window };
            while let Some((window, _)) =
                scene.windows.get(span.windows.end).filter(|(window, _)| window.row == span.bounds.row)
            {
                let bounds = SceneWindow { width: window.right() - span.bounds.column, ..span.bounds };
                if bytes(scene, bounds) > READ_BYTES {
                    break;
                }
                span = Span { windows: next..span.windows.end + 1, bounds };
            }
            next = span.windows.end;
            Some(span)
        })
    }

    fn read(&self, scene: &Scene, span: Span) -> Result<SceneRegion> {
        let SceneWindow { column, row, width, height } = span.bounds;
        let images = scene.images.iter().map(|image| image.window(row, column, height, width));
        Ok(SceneRegion { images: images.collect::<Result<_>>()?, span })
    }

    /// Returns the share of pixels with data in each image, or the reason for leaving the window out.
    fn judge(&self, read: &SceneRegion, window: SceneWindow) -> std::result::Result<Vec<f64>, LeftOut> {
        let chips: Vec<Raster> = read.images.iter().map(|image| read.part(image, window)).collect();
        let gaps = |chip: &Raster| chip.gaps().iter().filter(|gap| **gap).count() as u64;
        let empty: Vec<u64> = chips.iter().map(gaps).collect();
        if empty.iter().any(|empty| window.pixels() - empty < needed_pixels(self.options, window)) {
            return Err(LeftOut::TooFewValidPixels);
        }
        if chips.iter().zip(&empty).any(|(chip, empty)| *empty > 0 && !self.can_tell_gaps(chip)) {
            return Err(LeftOut::GapsInPicture);
        }
        if self.options.min_std > 0.0 && !chips.iter().any(|chip| varies(chip, self.options.min_std)) {
            return Err(LeftOut::Flat);
        }
        Ok(empty.into_iter().map(|empty| (window.pixels() - empty) as f64 / window.pixels() as f64).collect())
    }

    fn can_tell_gaps(&self, chip: &Raster) -> bool {
        match self.options.chip_format {
            ChipFormat::Tiff => true,
            ChipFormat::Png => chip.nodata().is_some_and(|value| chip.dtype().can_mean(value)),
            ChipFormat::Jpeg => false,
        }
    }

    fn record(
        &self,
        scene: usize,
        window: SceneWindow,
        which: Use,
        valid_share: Vec<f64>,
        turns: usize,
        number: usize,
    ) -> ChipRecord {
        let file = |domain| {
            let ExportTrainingData { metadata_format, chip_format, .. } = self.options;
            format!("{}/{number:09}.{}", metadata_format.folder(domain), chip_format.ending())
        };
        let files = self.job.domains.iter().copied().map(file).collect();
        ChipRecord { files, scene, window, rotation: turns as u16 * 90, which, valid_share }
    }

    fn write(&self, scene: &Scene, read: &SceneRegion, chip: &ChipRecord) -> Result<()> {
        for ((image, source), file) in read.images.iter().zip(&scene.images).zip(&chip.files) {
            let part = read.part(image, chip.window);
            let part = part.with_place(source.place().shifted(chip.window.row, chip.window.column));
            // Compression artifacts might look like nodata.
            let part = if self.options.chip_format == ChipFormat::Jpeg { part.with_nodata(None) } else { part };
            part.turned(usize::from(chip.rotation / 90))
                .save_with_sidecars(&self.options.output.join(Path::new(file)))?;
        }
        Ok(())
    }
}

impl SceneRegion {
    fn part(&self, image: &Raster, window: SceneWindow) -> Raster {
        let (row, column) = (window.row - self.span.bounds.row, window.column - self.span.bounds.column);
        image.part(row, column, window.height, window.width)
    }
}

fn bytes(scene: &Scene, window: SceneWindow) -> usize {
    let pixel = |image: &Source| image.bands() * image.dtype().bytes();
    window.pixels() as usize * scene.images.iter().map(pixel).sum::<usize>()
}

/// Returns whether any band has at least this standard deviation over its pixels with data.
fn varies(chip: &Raster, min_std: f64) -> bool {
    let values = chip.values_with_gaps();
    values.axis_iter(Axis(0)).any(|band| {
        let known: Vec<f64> = band.iter().copied().filter(|value| value.is_finite()).collect();
        Moments::of(&known).std() >= min_std && !known.is_empty()
    })
}
