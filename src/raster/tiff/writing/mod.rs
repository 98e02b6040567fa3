//! A GeoTIFF written row by row.

mod blocks;
mod grid;
mod pack;
mod spec;
mod tags;

use std::io::{Cursor, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::{Array3, Axis, Slice};
use rayon::prelude::*;
use tiff_writer::{ImageBuilder, ImageHandle, TiffWriter};

use self::grid::{Block, Grid};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Samples;
use crate::store::Pending;

pub(crate) use self::blocks::BlockWriter;
pub use self::spec::{BigTiff, Blocks, Compression, Interleave, RasterSpec};

/// Does the same to samples of each type.
macro_rules! for_each_type {
    (($($variant:ident),*), $samples:expr, $data:ident => $work:expr) => {
        match $samples { $(Samples::$variant($data) => $work,)* }
    };
    ($samples:expr, $data:ident => $work:expr) => {
        for_each_type!((U8, I8, U16, I16, U32, I32, U64, I64, F32, F64), $samples, $data => $work)
    };
}

/// Writes a GeoTIFF from top to bottom, in memory for one row of tiles.
///
/// The file appears under its name when [`RasterWriter::finish`] has succeeded; a writer that is dropped before, or
/// that failed, leaves nothing behind, and an older file as it was. Tiles are compressed on all cores of rayon's
/// current pool. A Cloud Optimised GeoTIFF it is not: there are no overviews, and the header stands at the end.
///
/// ```
/// use geolearn::{Dtype, Place, RasterFile, RasterSpec, RasterWriter, Samples};
/// use ndarray::Array3;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("heights.tif");
/// let place = Place::new([30.0, 0.0, 399960.0, 0.0, -30.0, 5300040.0]).with_epsg(32633)?;
/// let spec = RasterSpec::new(1, 100, 80, Dtype::F32).place(place.clone()).nodata(-9999.0);
/// let mut writer = RasterWriter::create(&path, spec)?;
/// for _ in 0..4 {
///     writer.write_rows(&Samples::F32(Array3::from_elem((1, 25, 80), 512.5)))?;
/// }
/// writer.finish()?;
///
/// let file = RasterFile::open(&path)?;
/// assert_eq!((file.info().place(), file.info().nodata()), (&place, Some(-9999.0)));
/// assert_eq!(file.read()?, Samples::F32(Array3::from_elem((1, 100, 80), 512.5)));
/// # Ok::<(), geolearn::Error>(())
/// ```
pub struct RasterWriter {
    path: PathBuf,
    spec: RasterSpec,
    grid: Grid,
    /// None after a failure.
    output: Option<Output<Pending>>,
    gathered: Samples,
    gathered_rows: usize,
    /// Rows in the file and in `gathered`.
    rows: usize,
}

struct Output<W: Write + Seek> {
    tiff: TiffWriter<W>,
    image: ImageHandle,
}

impl RasterWriter {
    /// Begins a file that will be called `path`; its folder must exist.
    ///
    /// ```
    /// use geolearn::{Dtype, ErrorKind, RasterSpec, RasterWriter};
    ///
    /// let error = RasterWriter::create("a.tif", RasterSpec::new(0, 64, 64, Dtype::U8)).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Usage);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a [`RasterSpec`] out of its ranges, [`ErrorKind::Limits`] when a row of tiles takes
    /// more than 2 GiB or there are more than 8 million tiles, [`ErrorKind::Io`] when the folder cannot be written.
    pub fn create(path: impl AsRef<Path>, spec: RasterSpec) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let grid = Grid::of(&spec, &path)?;
        grid.check_gathered(&path, spec.dtype().bytes())?;
        let output = Some(Output::begin(&spec, &grid, &path)?);
        let (bands, _, width) = spec.shape();
        let gathered = Samples::zeros(spec.dtype(), (bands, grid.rows_at_once(), width));
        Ok(Self { path, spec, grid, output, gathered, gathered_rows: 0, rows: 0 })
    }

    /// Writes the next rows, any number of them.
    ///
    /// # Shapes
    /// (bands, any, width), in the type of the [`RasterSpec`].
    ///
    /// ```
    /// use geolearn::{Dtype, ErrorKind, RasterSpec, RasterWriter, Samples};
    /// use ndarray::Array3;
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("image.tif");
    /// let mut writer = RasterWriter::create(&path, RasterSpec::new(1, 10, 10, Dtype::U8))?;
    /// let error = writer.write_rows(&Samples::U8(Array3::zeros((1, 11, 10)))).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Usage);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for another type, width or number of bands, for more rows than the image has, and after
    /// a failure; [`ErrorKind::Io`] when the file cannot be written, as on a full disk.
    pub fn write_rows(&mut self, rows: &Samples) -> Result<()> {
        self.check(rows)?;
        let (_, count, _) = rows.shape();
        let mut from = 0;
        while from < count {
            let room = self.grid.rows_at_once() - self.gathered_rows;
            let step = room.min(count - from);
            copy_rows(rows, from, &mut self.gathered, self.gathered_rows, step);
            from += step;
            self.gathered_rows += step;
            self.rows += step;
            if step == room || self.rows == self.spec.shape().1 {
                self.pack_gathered()?;
            }
        }
        Ok(())
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when rows are missing, and after a failure; [`ErrorKind::Io`] when the file cannot be
    /// written. There is no new file then.
    pub fn finish(mut self) -> Result<()> {
        let output = self.take_output()?;
        let (_, height, _) = self.spec.shape();
        if self.rows != height {
            return Err(Error::new(ErrorKind::Usage, "the image is not complete")
                .at(&self.path)
                .expected(format!("{height} rows"))
                .found(self.rows)
                .help("Write all rows before finish()."));
        }
        output.publish(&self.path)
    }

    fn check(&self, rows: &Samples) -> Result<()> {
        let (bands, height, width) = self.spec.shape();
        let (dtype, shape) = (rows.dtype(), rows.shape());
        let left = height - self.rows;
        if dtype == self.spec.dtype() && (shape.0, shape.2) == (bands, width) && shape.1 <= left {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, "these rows do not fit the image to be written")
            .at(&self.path)
            .expected(format!("{} of {bands} bands, {width} columns, at most {left} rows", self.spec.dtype()))
            .found(format!("{dtype} of {} bands, {} columns, {} rows", shape.0, shape.2, shape.1)))
    }

    /// Writes the blocks of the gathered rows. What fails half-way is given up, and its room on the disk with it.
    fn pack_gathered(&mut self) -> Result<()> {
        let mut output = self.take_output()?;
        let first = self.rows - self.gathered_rows;
        let blocks = self.grid.blocks(first..self.rows, 0..self.spec.shape().2);
        let packed = packed(&self.gathered, 0..self.gathered_rows, &blocks, &self.spec);
        let written = packed.and_then(|packed| {
            blocks.iter().zip(packed).try_for_each(|(block, bytes)| output.put(block.index, &bytes))
        });
        written.map_err(|error| fault(&self.path, error))?;
        self.output = Some(output);
        self.gathered_rows = 0;
        Ok(())
    }

    fn take_output(&mut self) -> Result<Output<Pending>> {
        self.output.take().ok_or_else(|| {
            Error::new(ErrorKind::Usage, "this file was given up when writing it failed")
                .at(&self.path)
                .help("Create a new writer.")
        })
    }
}

/// The bytes of a whole file, as [`RasterWriter`] writes it; `path` is what messages call it.
pub(crate) fn encoded(samples: &Samples, spec: &RasterSpec, path: &Path) -> Result<Vec<u8>> {
    let (_, height, width) = spec.shape();
    let grid = Grid::of(spec, path)?;
    let image = tags::image(spec, &grid, path)?;
    let mut output = Output::on(Cursor::new(Vec::new()), image, spec, path)?;
    for top in (0..height).step_by(grid.rows_at_once()) {
        let rows = top..(top + grid.rows_at_once()).min(height);
        let blocks = grid.blocks(rows.clone(), 0..width);
        let bytes = packed(samples, rows, &blocks, spec).map_err(|error| fault(path, error))?;
        let mut put = |(block, bytes): (&Block, Vec<u8>)| output.put(block.index, &bytes);
        blocks.iter().zip(bytes).try_for_each(&mut put).map_err(|error| fault(path, error))?;
    }
    Ok(output.finish(path)?.into_inner())
}

/// The bytes of blocks of these rows.
fn packed(
    samples: &Samples,
    rows: Range<usize>,
    blocks: &[Block],
    spec: &RasterSpec,
) -> tiff_writer::Result<Vec<Vec<u8>>> {
    for_each_type!(samples, data => {
        let data = data.slice_axis(Axis(1), Slice::from(rows));
        blocks.par_iter().map(|block| pack::pack(data, block, spec.compression)).collect()
    })
}

impl Output<Pending> {
    fn begin(spec: &RasterSpec, grid: &Grid, path: &Path) -> Result<Self> {
        // What cannot be written leaves no file behind.
        let image = tags::image(spec, grid, path)?;
        Self::on(Pending::create(path)?, image, spec, path)
    }

    fn publish(self, path: &Path) -> Result<()> {
        self.finish(path)?.finish()?.publish()
    }
}

impl<W: Write + Seek> Output<W> {
    fn on(target: W, image: ImageBuilder, spec: &RasterSpec, path: &Path) -> Result<Self> {
        let begin = || {
            let mut tiff = TiffWriter::new(target, tags::options(spec))?;
            let image = tiff.add_image(image)?;
            Ok(Self { tiff, image })
        };
        begin().map_err(|error| fault(path, error))
    }

    fn finish(self, path: &Path) -> Result<W> {
        self.tiff.finish().map_err(|error| fault(path, error))
    }

    fn put(&mut self, index: usize, bytes: &[u8]) -> tiff_writer::Result<()> {
        self.tiff.write_block_raw(&self.image, index, bytes)
    }
}

impl std::fmt::Debug for RasterWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RasterWriter({:?}, {} of {} rows)", self.path, self.rows, self.spec.shape().1)
    }
}

/// Copies `count` rows; the caller has seen to it that both sides have them, and are of one type.
fn copy_rows(from: &Samples, first: usize, to: &mut Samples, at: usize, count: usize) {
    fn copy<T: Copy>(from: &Array3<T>, first: usize, to: &mut Array3<T>, at: usize, count: usize) {
        let from = from.slice_axis(Axis(1), Slice::from(first..first + count));
        to.slice_axis_mut(Axis(1), Slice::from(at..at + count)).assign(&from);
    }
    macro_rules! copy_alike {
        ($($variant:ident),*) => {
            match (from, to) {
                $((Samples::$variant(from), Samples::$variant(to)) => copy(from, first, to, at, count),)*
                _ => {}
            }
        };
    }
    copy_alike!(U8, I8, U16, I16, U32, I32, U64, I64, F32, F64);
}

fn fault(path: &Path, error: tiff_writer::Error) -> Error {
    match error {
        tiff_writer::Error::Io(error) => Error::io("file cannot be written", path, error).help("Is the disk full?"),
        error => Error::new(ErrorKind::Unsupported, "this image cannot be written as TIFF").at(path).because(error),
    }
}
