//! Tiles whose norms take their statistics from the scene, side by side.

use tch::Tensor;

use super::local::Local;
use super::pass::{Borders, Pass, Steps};
use super::plan::{Span, TilePlan};
use super::progress::Watch;
use super::translation::Translation;
use crate::error::Result;
use crate::nn::FoldedGenerator;
use crate::raster::{Raster, Samples};

/// Where the norms of a tile take their statistics from.
pub(crate) enum Statistics<'a> {
    /// The same everywhere: they are in the convolutions.
    Fixed(Box<FoldedGenerator>),
    /// From a grid that lies over the scene.
    Grid(Box<Local<'a>>),
    /// From the tile.
    Own,
}

/// Tiles that are looked at with a halo and put down without it.
pub(crate) struct Tiles<'a> {
    pub translation: &'a Translation<'a>,
    pub plan: TilePlan,
    pub statistics: Statistics<'a>,
    /// What stands for "no data" in the output.
    pub empty: Option<f64>,
}

impl Pass for Tiles<'_> {
    fn steps(&self) -> Box<dyn Steps> {
        Box::new(self.plan.clone())
    }

    fn borders(&self) -> Borders {
        self.plan.borders()
    }

    fn make(&mut self, index: usize, seen: &Raster, watch: &mut Watch) -> Result<Option<Samples>> {
        let (rows, columns) = self.plan.step(index);
        let columns: Vec<Span> = columns.map(|column| self.plan.columns.get(column)).collect();
        let (first, last) = (columns[0].made.start, columns[columns.len() - 1].made.end);
        let (bands, height) = (self.translation.to.bands(), rows.made.len());
        let mut made = Samples::zeros(self.translation.dtype(), (bands, height, last - first));
        let edge = columns[0].seen.start;
        for span in &columns {
            watch.check()?;
            let tile = seen.part(0, span.seen.start - edge, rows.seen.len(), span.seen.len());
            made.paste(0, span.made.start - first, &self.tile(&tile, &rows, span, watch)?);
            watch.made(height as u64 * span.made.len() as u64);
        }
        Ok(Some(made))
    }
}

impl Tiles<'_> {
    fn tile(&mut self, tile: &Raster, rows: &Span, columns: &Span, watch: &mut Watch) -> Result<Samples> {
        let (top, left) = (rows.made.start - rows.seen.start, columns.made.start - columns.seen.start);
        let (height, width) = (rows.made.len(), columns.made.len());
        let core = tile.part(top, left, height, width);
        // What is all gap is not translated.
        let made = if core.gaps().iter().all(|&gap| gap) {
            let channels = self.translation.to.channels() as i64;
            Tensor::f_zeros([channels, height as i64, width as i64], (tch::Kind::Float, tch::Device::Cpu))?
        } else {
            watch.saw(tile.height() as u64 * tile.width() as u64);
            let made = self.network(tile, rows, columns, watch)?.f_squeeze_dim(0)?;
            made.f_narrow(1, top as i64, height as i64)?.f_narrow(2, left as i64, width as i64)?
        };
        self.translation.samples(&made, &core, self.empty)
    }

    fn network(&mut self, tile: &Raster, rows: &Span, columns: &Span, watch: &mut Watch) -> Result<Tensor> {
        match &mut self.statistics {
            Statistics::Fixed(generator) => {
                let x = self.translation.tensor(tile)?;
                self.translation.run(|| generator.forward(&x))
            }
            Statistics::Grid(local) => local.tile(self.translation, tile, rows, columns, watch),
            Statistics::Own => self.translation.whole(tile),
        }
    }
}
