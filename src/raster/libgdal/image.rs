//! The samples of an image opened with GDAL.

use std::sync::Arc;

use gdal::Dataset;
use gdal::raster::GdalType;
use ndarray::{Array3, s};

use super::blocks::{Part, pieces};
use super::dataset::Datasets;
use super::fault;
use crate::error::{Error, ErrorKind, Result, caught};
use crate::raster::budget::{Budget, Turn};
use crate::raster::image_format::ReadSamples;
use crate::raster::{Dtype, Limits, RasterInfo, Samples};

/// Number of bytes of samples in all bands that are read at once.
const PIECE_BYTES: usize = 32 << 20;

/// An open image.
pub(super) struct GdalImage {
    datasets: Arc<Datasets>,
    dtype: Dtype,
    /// Height and width of the blocks that are decoded as a unit.
    block: (usize, usize),
    limits: Limits,
}

impl GdalImage {
    /// Creates it from datasets with this header.
    pub fn new(datasets: Arc<Datasets>, info: &RasterInfo, limits: &Limits) -> Result<Self> {
        let dataset = datasets.take()?;
        let (width, height) =
            dataset.rasterband(1).map_err(|error| fault::not_read(datasets.path(), error))?.block_size();
        datasets.give_back(dataset);
        let block = (height.clamp(1, info.height), width.clamp(1, info.width));
        Ok(Self { datasets, dtype: info.dtype, block, limits: *limits })
    }

    /// Returns the pixels in a piece, as many as its bytes allow.
    fn piece_pixels(&self) -> usize {
        PIECE_BYTES / (self.datasets.shape().0 * self.dtype.bytes()).max(1)
    }

    /// Returns the memory needed besides this many bytes of samples: a block of all bands, and one band of a piece.
    fn spare_bytes(&self, made: u64) -> Result<u64> {
        let (bands, ..) = self.datasets.shape();
        let (height, width) = self.block;
        let block = (height as u64).saturating_mul(width as u64).saturating_mul((bands * self.dtype.bytes()) as u64);
        if block <= self.limits.max_sample_bytes {
            return Ok(block.saturating_add(made.min(PIECE_BYTES as u64) / bands.max(1) as u64));
        }
        Err(Error::new(ErrorKind::Limits, "the blocks of this image are too large")
            .at(self.datasets.path())
            .expected(format!("at most {} bytes to decode one", self.limits.max_sample_bytes))
            .found(format!("{width} x {height} pixels of {bands} bands"))
            .help("Rewrite it with gdal_translate -co TILED=YES, or allow more with Limits::max_sample_bytes."))
    }
}

impl ReadSamples for GdalImage {
    fn read(&self) -> Result<(Samples, Turn<'static>)> {
        let (_, height, width) = self.datasets.shape();
        self.read_window(0, 0, height, width)
    }

    fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<(Samples, Turn<'static>)> {
        let made = (self.datasets.shape().0 * height * width * self.dtype.bytes()) as u64;
        let needed = made.saturating_add(self.spare_bytes(made)?);
        let mut turn = Budget::process().turn(needed, self.limits.max_sample_bytes);
        let dataset = self.datasets.take()?;
        let mut samples = Samples::zeros(self.dtype, (self.datasets.shape().0, height, width));
        let part = Part { rows: row..row + height, columns: column..column + width };
        let pieces = pieces(&part, self.block, self.piece_pixels());
        caught(|| fill(&dataset, (row, column), &pieces, &mut samples))
            .map_err(|words| fault::damaged(self.datasets.path(), words))?
            .map_err(|error| fault::not_read(self.datasets.path(), error))?;
        self.datasets.give_back(dataset);
        turn.shrink_to(made);
        Ok((samples, turn))
    }
}

/// Reads the pieces of a window that begins at `corner`.
fn fill(dataset: &Dataset, corner: (usize, usize), pieces: &[Part], to: &mut Samples) -> gdal::errors::Result<()> {
    let from = Pieces { dataset, corner, pieces };
    match to {
        Samples::U8(to) => from.fill(to, |value: u8| value),
        // Before version 3.7, GDAL treats signed bytes as unsigned; in both cases the lower 8 bits are right.
        Samples::I8(to) => from.fill(to, |value: i16| value as i8),
        Samples::U16(to) => from.fill(to, |value: u16| value),
        Samples::I16(to) => from.fill(to, |value: i16| value),
        Samples::U32(to) => from.fill(to, |value: u32| value),
        Samples::I32(to) => from.fill(to, |value: i32| value),
        Samples::U64(to) => from.fill(to, |value: u64| value),
        Samples::I64(to) => from.fill(to, |value: i64| value),
        Samples::F32(to) => from.fill(to, |value: f32| value),
        Samples::F64(to) => from.fill(to, |value: f64| value),
    }
}

/// The source of the samples.
struct Pieces<'a> {
    dataset: &'a Dataset,
    corner: (usize, usize),
    pieces: &'a [Part],
}

impl Pieces<'_> {
    /// Reads all bands of one piece, one by one, as `R`, which every version of GDAL supports.
    fn fill<R, T>(&self, to: &mut Array3<T>, stored: impl Fn(R) -> T) -> gdal::errors::Result<()>
    where
        R: GdalType + Copy + Default,
    {
        let mut values = Vec::new();
        for Part { rows, columns } in self.pieces {
            let size = (columns.len(), rows.len());
            values.resize(size.0 * size.1, R::default());
            let corner = (columns.start as isize, rows.start as isize);
            let (down, across) = (rows.start - self.corner.0, columns.start - self.corner.1);
            for (index, mut plane) in to.outer_iter_mut().enumerate() {
                self.dataset.rasterband(index + 1)?.read_into_slice(corner, size, size, &mut values, None)?;
                let mut plane = plane.slice_mut(s![down..down + size.1, across..across + size.0]);
                plane.iter_mut().zip(&values).for_each(|(to, value)| *to = stored(*value));
            }
        }
        Ok(())
    }
}
