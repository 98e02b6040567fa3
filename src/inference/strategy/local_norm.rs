//! Statistics that vary smoothly over the scene, after Dense Normalization (Ho et al. 2024, arXiv:2407.04245).
//!
//! Nodes form a grid over the scene. The statistics of a node are those of one chip around it, which goes through the
//! network by itself; between nodes they are interpolated bilinearly. The paper gathers them from every tile, which
//! doubles the work; here, chips may be smaller than the spacing of the nodes. Only the rows of nodes around the
//! current row of tiles are kept.

use std::collections::BTreeMap;
use std::ops::Range;

use tch::Tensor;

use super::progress::Progress;
use super::translation::Translation;
use crate::error::Result;
use crate::inference::tiling::{Nodes, Span, TileSize, at_once, bytes_of_nodes};
use crate::nn::{InterpolatedNorm, Moments, NodeLine};
use crate::raster::{Raster, Source};

/// Statistics of a grid of nodes over a scene.
pub(crate) struct LocalNorm<'a> {
    source: &'a Source,
    /// Side of the chips.
    side: usize,
    rows: Nodes,
    columns: Nodes,
    /// Replaces the statistics of chips without data.
    fallback: Vec<Moments>,
    /// By row of nodes, for each layer (C, columns).
    gathered: BTreeMap<usize, Vec<Moments>>,
}

impl<'a> LocalNorm<'a> {
    /// Places nodes about `spacing` pixels apart over a scene, each with the statistics of a chip of `side` pixels.
    pub fn new(source: &'a Source, spacing: usize, side: usize, fallback: Vec<Moments>) -> Self {
        let (height, width) = source.size();
        let (rows, columns) = (Nodes::new(height, spacing), Nodes::new(width, spacing));
        Self { source, side, rows, columns, fallback, gathered: BTreeMap::new() }
    }

    /// Translates the tile at these rows and columns.
    ///
    /// # Shapes
    /// (bands, H, W) to (1, C, H, W) in [-1, 1].
    pub fn tile(
        &mut self,
        translation: &Translation<'_>,
        tile: &Raster,
        (rows, columns): (&Span, &Span),
        progress: &mut Progress,
    ) -> Result<Tensor> {
        let (down, across) = (self.rows.around(&rows.seen), self.columns.around(&columns.seen));
        self.move_to(translation, down.clone(), progress)?;
        let layers = self.grid(down.clone(), across.clone())?;
        let line = |nodes: Nodes, first: usize, span: &Span| NodeLine {
            first: nodes.center(first) - span.seen.start as f64,
            spacing: nodes.spacing(),
        };
        let (down, across) = (line(self.rows, down.start, rows), line(self.columns, across.start, columns));
        let x = translation.generator.plan().extended(&translation.tensor(tile)?)?;
        let (_, _, height, _) = x.size4()?;
        let mut field = InterpolatedNorm::new(&layers, down, across, height);
        translation.run(|| translation.generator.forward_with(&x, &mut field))
    }

    /// Gathers the rows of nodes that are missing, and drops those above.
    fn move_to(&mut self, translation: &Translation<'_>, down: Range<usize>, progress: &mut Progress) -> Result<()> {
        self.gathered = self.gathered.split_off(&down.start);
        for row in down {
            if !self.gathered.contains_key(&row) {
                let gathered = self.gather(translation, row, progress)?;
                self.gathered.insert(row, gathered);
            }
        }
        Ok(())
    }

    /// Assembles the nodes of these rows and columns, for each layer.
    ///
    /// # Shapes
    /// (C, rows, columns) each.
    fn grid(&self, down: Range<usize>, across: Range<usize>) -> Result<Vec<Moments>> {
        let stacked = |index: usize, of: fn(&Moments) -> &Tensor| -> Result<Tensor> {
            let rows = down.clone().filter_map(|row| self.gathered.get(&row));
            let rows =
                rows.map(|layers| Ok(of(&layers[index]).f_narrow(1, across.start as i64, across.len() as i64)?));
            Ok(Tensor::f_stack(&rows.collect::<Result<Vec<_>>>()?, 1)?)
        };
        let layer = |index: usize| -> Result<Moments> {
            let (mean, scale) = (stacked(index, |moments| &moments.mean)?, stacked(index, |moments| &moments.scale)?);
            Ok(Moments { mean, scale })
        };
        (0..self.fallback.len()).map(layer).collect()
    }

    /// Gathers the statistics of one row of nodes, for each layer.
    ///
    /// # Shapes
    /// (C, columns) each.
    fn gather(&self, translation: &Translation<'_>, row: usize, progress: &mut Progress) -> Result<Vec<Moments>> {
        let mut layers: Vec<Vec<Moments>> = self.fallback.iter().map(|_| Vec::new()).collect();
        let together = at_once(self.side);
        for first in (0..self.columns.count()).step_by(together) {
            progress.check_stop()?;
            let chips = self.chips(row, first..(first + together).min(self.columns.count()))?;
            progress.add_network(chips.iter().map(|chip| chip.height() as u64 * chip.width() as u64).sum());
            let empty: Vec<bool> = chips.iter().map(|chip| chip.gaps().iter().all(|&gap| gap)).collect();
            let gathered = translation.of_each(&chips)?;
            for ((moments, fallback), layer) in gathered.iter().zip(&self.fallback).zip(&mut layers) {
                layer.push(replaced(moments, fallback, &empty)?);
            }
        }
        layers.iter().map(|parts| joined(parts)).collect()
    }

    /// Reads the chips around these nodes of a row.
    fn chips(&self, row: usize, columns: Range<usize>) -> Result<Vec<Raster>> {
        let (height, width) = self.source.size();
        let side = (self.side.min(height), self.side.min(width));
        let top = self.rows.chip_start(row, side.0);
        columns.map(|node| self.source.window(top, self.columns.chip_start(node, side.1), side.0, side.1)).collect()
    }
}

/// Checks that there is memory for the statistics of the nodes around a row of tiles, which span the whole width of a
/// scene, with `values` numbers each.
///
/// # Errors
/// `Limits` if there is not.
pub(crate) fn check_memory(
    translation: &Translation<'_>,
    scene: &Source,
    tiles: TileSize,
    (spacing, values): (usize, usize),
) -> Result<()> {
    let bytes = bytes_of_nodes(tiles.side + 2 * tiles.halo.pixels, scene.size().1, spacing, values);
    translation.budget().check("local statistics", bytes)
}

/// Replaces the statistics of chips without data with those of the scene.
///
/// # Shapes
/// (N, C, 1, 1) to the same.
fn replaced(moments: &Moments, fallback: &Moments, empty: &[bool]) -> Result<Moments> {
    let empty = Tensor::f_from_slice(empty)?.f_reshape([-1, 1, 1, 1])?.f_to_device(moments.mean.device())?;
    let chosen =
        |own: &Tensor, other: &Tensor| other.f_expand_as(own).and_then(|other| other.f_where_self(&empty, own));
    Ok(Moments { mean: chosen(&moments.mean, &fallback.mean)?, scale: chosen(&moments.scale, &fallback.scale)? })
}

/// Concatenates the statistics of chips.
///
/// # Shapes
/// (N, C, 1, 1) each to (C, sum of N).
fn joined(parts: &[Moments]) -> Result<Moments> {
    let along = |of: fn(&Moments) -> &Tensor| -> Result<Tensor> {
        let parts: Vec<_> = parts.iter().map(of).collect();
        Ok(Tensor::f_cat(&parts, 0)?.f_flatten(1, 3)?.f_transpose(0, 1)?.f_contiguous()?)
    };
    Ok(Moments { mean: along(|moments| &moments.mean)?, scale: along(|moments| &moments.scale)? })
}
