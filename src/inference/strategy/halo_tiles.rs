//! Adjacent tiles, each translated with a halo that is then cut off.

use tch::Tensor;

use super::Strategy;
use super::local_norm::LocalNorm;
use super::progress::Progress;
use super::translation::Translation;
use crate::error::Result;
use crate::ffi::Transfer;
use crate::inference::tiling::{Borders, Span, Steps, TilePlan};
use crate::nn::FoldedNetwork;
use crate::raster::{Raster, Samples};

/// The source of a tile's norm statistics.
pub(crate) enum TileNorms<'a> {
    /// The same everywhere: folded into the convolutions.
    Fixed(Box<FoldedNetwork>),
    /// A grid of nodes over the scene.
    Local(Box<LocalNorm<'a>>),
    /// The tile itself.
    Own,
}

/// Tiles without overlap. How well they match at their borders depends on their norms.
pub(crate) struct HaloTiles<'a> {
    pub translation: &'a Translation<'a>,
    pub plan: TilePlan,
    pub norms: TileNorms<'a>,
    /// The value that means "no data" in the output.
    pub empty: Option<f64>,
}

impl Strategy for HaloTiles<'_> {
    fn steps(&self) -> Box<dyn Steps> {
        Box::new(self.plan.clone())
    }

    fn borders(&self) -> Borders {
        self.plan.borders()
    }

    fn make(&mut self, index: usize, seen: &Raster, progress: &mut Progress) -> Result<Option<Samples>> {
        let (rows, columns) = self.plan.step(index);
        let columns: Vec<Span> = columns.map(|column| self.plan.columns.get(column)).collect();
        let (first, last) = (&columns[0], &columns[columns.len() - 1]);
        let (bands, height, width) = (self.translation.to.bands(), rows.made.len(), last.made.end - first.made.start);
        let mut made = Samples::zeros(self.translation.dtype(), (bands, height, width));
        let mut put = |tile: PendingTile, progress: &mut Progress| -> Result<()> {
            let pixels = height as u64 * tile.core.width() as u64;
            let left = tile.left - first.made.start;
            made.paste(0, left, &tile.finish(self.translation, self.empty)?);
            progress.add_completed(pixels);
            Ok(())
        };
        // While one tile is computed, the previous one is unpacked, and the next one has not started.
        let mut before: Option<PendingTile> = None;
        for span in &columns {
            progress.check_stop()?;
            let tile = seen.part(0, span.seen.start - first.seen.start, rows.seen.len(), span.seen.len());
            let begun = self.norms.begin(self.translation, &tile, (&rows, span), progress)?;
            if let Some(tile) = before.replace(begun) {
                put(tile, progress)?;
            }
        }
        if let Some(tile) = before {
            put(tile, progress)?;
        }
        Ok(Some(made))
    }
}

/// A tile whose result may still be computed on the device.
struct PendingTile {
    /// The part of the image that it covers.
    core: Raster,
    /// Its first column in the output.
    left: usize,
    /// The output of the network; `None` if the tile has no data.
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

impl TileNorms<'_> {
    /// Starts a tile; on CUDA this does not wait.
    fn begin(
        &mut self,
        translation: &Translation<'_>,
        tile: &Raster,
        (rows, columns): (&Span, &Span),
        progress: &mut Progress,
    ) -> Result<PendingTile> {
        let (top, left) = (rows.made.start - rows.seen.start, columns.made.start - columns.seen.start);
        let (height, width) = (rows.made.len(), columns.made.len());
        let core = tile.part(top, left, height, width);
        let mut made = None;
        if !core.gaps().iter().all(|&gap| gap) {
            progress.add_network(tile.height() as u64 * tile.width() as u64);
            let whole = self.network(translation, tile, (rows, columns), progress)?.f_squeeze_dim(0)?;
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
        progress: &mut Progress,
    ) -> Result<Tensor> {
        match self {
            Self::Fixed(generator) => {
                let x = translation.tensor(tile)?;
                translation.run(|| generator.forward(&x))
            }
            Self::Local(local) => local.tile(translation, tile, (rows, columns), progress),
            Self::Own => translation.whole(tile),
        }
    }
}
