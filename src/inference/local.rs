//! Statistics that change smoothly over the scene, after Dense Normalization (Ho et al. 2024, arXiv:2407.04245).
//!
//! Nodes lie on a grid over the scene. The statistics of a node are those of one chip around it, which the network sees
//! by itself; between nodes they are bilinear. The paper gathers them from every tile, which doubles the work; here chips
//! may be smaller than the spacing of the nodes. Only the rows of nodes around the current band of tiles are kept.

use std::collections::BTreeMap;

use tch::Tensor;

use super::plan::Span;
use super::progress::Watch;
use super::sample::around;
use super::translation::Translation;
use crate::error::Result;
use crate::nn::{Field, Moments, NodeLine};
use crate::raster::{Raster, Source};

pub(crate) struct Local<'a> {
    source: &'a Source,
    /// Sides of the chips.
    side: usize,
    rows: Line,
    columns: Line,
    /// What stands for chips without data.
    fallback: Vec<Moments>,
    /// By row of nodes, for each layer (C, columns).
    gathered: BTreeMap<usize, Vec<Moments>>,
    /// Chips that go through the network together.
    at_once: usize,
}

/// Nodes along a side of the scene.
#[derive(Debug, Clone, Copy)]
struct Line {
    length: usize,
    count: usize,
}

impl Line {
    fn new(length: usize, spacing: usize) -> Self {
        Self { length, count: ((length as f64 / spacing as f64).round() as usize).max(1) }
    }

    fn spacing(self) -> f64 {
        self.length as f64 / self.count as f64
    }

    fn centre(self, node: usize) -> f64 {
        (node as f64 + 0.5) * self.spacing()
    }

    /// The nodes between which these pixels lie.
    fn around(self, span: &Span) -> std::ops::Range<usize> {
        let position = |pixel: usize| pixel as f64 / self.spacing() - 0.5;
        let first = position(span.seen.start).floor().max(0.0) as usize;
        let last = position(span.seen.end).ceil().max(0.0) as usize;
        first.min(self.count - 1)..(last + 1).clamp(1, self.count)
    }
}

impl<'a> Local<'a> {
    /// Nodes `spacing` pixels apart, more or less, so that they fit; chips of `side` pixels.
    pub fn new(source: &'a Source, spacing: usize, side: usize, fallback: Vec<Moments>, at_once: usize) -> Self {
        let (height, width) = source.size();
        let (rows, columns) = (Line::new(height, spacing), Line::new(width, spacing));
        Self { source, side, rows, columns, fallback, gathered: BTreeMap::new(), at_once: at_once.max(1) }
    }

    pub fn tile(
        &mut self,
        translation: &Translation<'_>,
        tile: &Raster,
        rows: &Span,
        columns: &Span,
        watch: &mut Watch,
    ) -> Result<Tensor> {
        let (down, across) = (self.rows.around(rows), self.columns.around(columns));
        self.gathered = self.gathered.split_off(&down.start);
        for row in down.clone() {
            if !self.gathered.contains_key(&row) {
                let gathered = self.gather(translation, row, watch)?;
                self.gathered.insert(row, gathered);
            }
        }
        let layers = self.grid(down.clone(), across.clone())?;
        let line = |line: Line, first: usize, span: &Span| NodeLine {
            first: line.centre(first) - span.seen.start as f64,
            spacing: line.spacing(),
        };
        let x = translation.generator.plan().extended(&translation.tensor(tile)?)?;
        let (_, _, height, _) = x.size4()?;
        let mut field =
            Field::new(&layers, line(self.rows, down.start, rows), line(self.columns, across.start, columns), height);
        translation.run(|| translation.generator.forward_with(&x, &mut field))
    }

    /// For each layer the nodes of these rows and columns: (C, rows, columns).
    fn grid(&self, down: std::ops::Range<usize>, across: std::ops::Range<usize>) -> Result<Vec<Moments>> {
        let layer = |index: usize| -> Result<Moments> {
            let stacked = |of: fn(&Moments) -> &Tensor| -> Result<Tensor> {
                let rows: Vec<_> = down.clone().filter_map(|row| self.gathered.get(&row)).collect();
                let rows = rows
                    .iter()
                    .map(|layers| Ok(of(&layers[index]).f_narrow(1, across.start as i64, across.len() as i64)?));
                Ok(Tensor::f_stack(&rows.collect::<Result<Vec<_>>>()?, 1)?)
            };
            Ok(Moments { mean: stacked(|moments| &moments.mean)?, scale: stacked(|moments| &moments.scale)? })
        };
        (0..self.fallback.len()).map(layer).collect()
    }

    /// For each layer the nodes of one row: (C, columns).
    fn gather(&self, translation: &Translation<'_>, row: usize, watch: &mut Watch) -> Result<Vec<Moments>> {
        let (height, width) = self.source.size();
        let side = (self.side.min(height), self.side.min(width));
        let top = around(self.rows.centre(row), side.0, height);
        let mut layers: Vec<Vec<Moments>> = self.fallback.iter().map(|_| Vec::new()).collect();
        for first in (0..self.columns.count).step_by(self.at_once) {
            let nodes = first..(first + self.at_once).min(self.columns.count);
            watch.check()?;
            let place = |node: usize| around(self.columns.centre(node), side.1, width);
            let chips = nodes.map(|node| self.source.window(top, place(node), side.0, side.1));
            let chips = chips.collect::<Result<Vec<_>>>()?;
            watch.saw((chips.len() * side.0 * side.1) as u64);
            let empty: Vec<bool> = chips.iter().map(|chip| chip.gaps().iter().all(|&gap| gap)).collect();
            for ((moments, fallback), layer) in translation.of_each(&chips)?.iter().zip(&self.fallback).zip(&mut layers)
            {
                layer.push(replaced(moments, fallback, &empty)?);
            }
        }
        layers.iter().map(|parts| joined(parts)).collect()
    }
}

/// (N, C, 1, 1) with the scene's own statistics in place of those of chips without data.
fn replaced(moments: &Moments, fallback: &Moments, empty: &[bool]) -> Result<Moments> {
    let empty = Tensor::f_from_slice(empty)?.f_reshape([-1, 1, 1, 1])?.f_to_device(moments.mean.device())?;
    let chosen =
        |own: &Tensor, other: &Tensor| other.f_expand_as(own).and_then(|other| other.f_where_self(&empty, own));
    Ok(Moments { mean: chosen(&moments.mean, &fallback.mean)?, scale: chosen(&moments.scale, &fallback.scale)? })
}

/// (N, C, 1, 1) each, to (C, sum of N).
fn joined(parts: &[Moments]) -> Result<Moments> {
    let along = |of: fn(&Moments) -> &Tensor| -> Result<Tensor> {
        let parts: Vec<_> = parts.iter().map(of).collect();
        Ok(Tensor::f_cat(&parts, 0)?.f_flatten(1, 3)?.f_transpose(0, 1)?.f_contiguous()?)
    };
    Ok(Moments { mean: along(|moments| &moments.mean)?, scale: along(|moments| &moments.scale)? })
}
