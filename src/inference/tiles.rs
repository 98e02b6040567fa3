//! Tiles whose norms take their statistics from the scene, side by side.

use tch::Tensor;

use super::local::Local;
use super::pass::{Borders, Pass, Steps};
use super::plan::{Span, TilePlan};
use super::progress::Watch;
use super::translation::Translation;
use crate::error::Result;
use crate::ffi::Transfer;
use crate::nn::FoldedNetwork;
use crate::raster::{Raster, Samples};

/// Where the norms of a tile take their statistics from.
pub(crate) enum Statistics<'a> {
    /// The same everywhere: they are in the convolutions.
    Fixed(Box<FoldedNetwork>),
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
        let mut put = |tile: PendingTile, watch: &mut Watch| -> Result<()> {
            let pixels = height as u64 * tile.core.width() as u64;
            let left = tile.left - first;
            made.paste(0, left, &tile.finish(self.translation, self.empty)?);
            watch.made(pixels);
            Ok(())
        };
        // One tile is under way while the one before it is unpacked, and the one after it is not yet begun.
        let mut before: Option<PendingTile> = None;
        for span in &columns {
            watch.check()?;
            let tile = seen.part(0, span.seen.start - edge, rows.seen.len(), span.seen.len());
            let begun = self.statistics.begin(self.translation, &tile, (&rows, span), watch)?;
            if let Some(tile) = before.replace(begun) {
                put(tile, watch)?;
            }
        }
        if let Some(tile) = before {
            put(tile, watch)?;
        }
        Ok(Some(made))
    }
}

/// A tile whose result may still be computed on the device.
struct PendingTile {
    /// What of the image it is put down over.
    core: Raster,
    /// Its first column in the output.
    left: usize,
    /// What the network makes of it; none of a tile without data.
    made: Option<Transfer>,
}

impl PendingTile {
    /// Waits for the network and returns the samples of the output.
    fn finish(self, translation: &Translation<'_>, empty: Option<f64>) -> Result<Samples> {
        let made = match self.made {
            Some(transfer) => transfer.finish()?,
            None => {
                let sides = [translation.to.channels(), self.core.height(), self.core.width()].map(|side| side as i64);
                Tensor::f_zeros(sides, (tch::Kind::Float, tch::Device::Cpu))?
            }
        };
        translation.samples(&made, &self.core, empty)
    }
}

impl Statistics<'_> {
    /// Gives a tile to the network; on CUDA this does not wait.
    fn begin(
        &mut self,
        translation: &Translation<'_>,
        tile: &Raster,
        (rows, columns): (&Span, &Span),
        watch: &mut Watch,
    ) -> Result<PendingTile> {
        let (top, left) = (rows.made.start - rows.seen.start, columns.made.start - columns.seen.start);
        let (height, width) = (rows.made.len(), columns.made.len());
        let core = tile.part(top, left, height, width);
        let mut made = None;
        if !core.gaps().iter().all(|&gap| gap) {
            watch.saw(tile.height() as u64 * tile.width() as u64);
            let whole = self.network(translation, tile, (rows, columns), watch)?.f_squeeze_dim(0)?;
            let cut = whole.f_narrow(1, top as i64, height as i64)?.f_narrow(2, left as i64, width as i64)?;
            made = Some(Transfer::begin(&cut)?);
        }
        Ok(PendingTile { core, left: columns.made.start, made })
    }

    fn network(
        &mut self,
        translation: &Translation<'_>,
        tile: &Raster,
        (rows, columns): (&Span, &Span),
        watch: &mut Watch,
    ) -> Result<Tensor> {
        match self {
            Self::Fixed(generator) => {
                let x = translation.tensor(tile)?;
                translation.run(|| generator.forward(&x))
            }
            Self::Grid(local) => local.tile(translation, tile, rows, columns, watch),
            Self::Own => translation.whole(tile),
        }
    }
}
