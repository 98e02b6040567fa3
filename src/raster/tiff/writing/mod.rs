//! Writes a GeoTIFF row by row.

mod blocks;
mod cloud;
mod fault;
mod grid;
mod output;
mod pack;
mod spec;
mod tags;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3, ArrayView2, Axis, Slice, s};

use self::fault::fault;
use self::grid::{Block, Grid};
use self::output::{Output, Target};
use self::pack::packed;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Samples;

pub(crate) use self::blocks::BlockWriter;
pub use self::spec::{BigTiff, Blocks, Compression, Interleave, OverviewResampling, RasterSpec};

/// Writes a GeoTIFF from top to bottom, using memory for one row of tiles.
///
/// The file appears under its name once [`RasterWriter::finish`] has succeeded; a writer that is dropped earlier, or
/// that failed, leaves nothing behind and does not change an existing file. Tiles are compressed on all cores of
/// rayon's current pool. The header is at the end of the file, and there are no overviews, unless the [`RasterSpec`]
/// requests a Cloud Optimized GeoTIFF; beyond a row of tiles, that only takes disk space.
///
/// ```
/// use geolearn::raster::{Dtype, Place, RasterFile, RasterSpec, RasterWriter, Samples};
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
    /// `None` after a failure.
    output: Option<Target>,
    gathered: Samples,
    gathered_rows: usize,
    /// Which of these pixels have data, once a mask was given.
    valid: Option<Array2<bool>>,
    /// Rows in the file and in `gathered`.
    rows: usize,
}

impl RasterWriter {
    /// Begins a file that will have the name `path`; its folder must exist.
    ///
    /// ```
    /// use geolearn::ErrorKind;
    /// use geolearn::raster::{Dtype, RasterSpec, RasterWriter};
    ///
    /// let error = RasterWriter::create("a.tif", RasterSpec::new(0, 64, 64, Dtype::U8)).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Usage);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the [`RasterSpec`] is out of range, [`ErrorKind::Limits`] if a row of tiles takes more
    /// than 2 GiB or there are more than 8 million tiles, [`ErrorKind::Io`] if the folder is not writable.
    pub fn create(path: impl AsRef<Path>, spec: RasterSpec) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let grid = Grid::of(&spec, &path)?;
        grid.check_gathered(&path, spec.dtype().bytes())?;
        let output = Some(Target::begin(&spec, &grid, &path)?);
        let (bands, _, width) = spec.shape();
        let gathered = Samples::zeros(spec.dtype(), (bands, grid.rows_at_once(), width));
        Ok(Self { path, spec, grid, output, gathered, gathered_rows: 0, valid: None, rows: 0 })
    }

    /// Writes the next rows, any number of them.
    ///
    /// # Shapes
    /// (bands, any, width), in the type of the [`RasterSpec`].
    ///
    /// ```
    /// use geolearn::ErrorKind;
    /// use geolearn::raster::{Dtype, RasterSpec, RasterWriter, Samples};
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
    /// [`ErrorKind::Usage`] for another type, width, or number of bands, for more rows than the image has, and after a
    /// failure; [`ErrorKind::Io`] if the file cannot be written, for example on a full disk.
    pub fn write_rows(&mut self, rows: &Samples) -> Result<()> {
        self.check(rows)?;
        self.gather(rows, None)
    }

    /// Writes the next rows with a mask of the pixels that have data, if no nodata value can mark them. A Cloud
    /// Optimized GeoTIFF stores it as its internal mask; rows without a mask count as valid.
    ///
    /// # Shapes
    /// `rows` as in [`RasterWriter::write_rows`], `valid` (any, width) with as many rows.
    ///
    /// ```
    /// use geolearn::raster::{Dtype, OverviewResampling, RasterSpec, RasterWriter, Samples};
    /// use ndarray::{Array2, Array3};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("image.tif");
    /// let spec = RasterSpec::new(3, 600, 900, Dtype::U8).cloud_optimized(OverviewResampling::Average);
    /// let mut writer = RasterWriter::create(&path, spec)?;
    /// let lit = Array2::from_shape_fn((600, 900), |(y, x)| y + x > 100);
    /// writer.write_masked_rows(&Samples::U8(Array3::zeros((3, 600, 900))), lit.view())?;
    /// writer.finish()?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`RasterWriter::write_rows`]; also [`ErrorKind::Usage`] for a mask of another shape, or for a file that is
    /// not cloud-optimized.
    pub fn write_masked_rows(&mut self, rows: &Samples, valid: ArrayView2<'_, bool>) -> Result<()> {
        self.check(rows)?;
        let (_, height, width) = rows.shape();
        if valid.dim() != (height, width) {
            return Err(Error::new(ErrorKind::Usage, "this mask does not fit the rows to be written")
                .at(&self.path)
                .expected(format!("{width} columns, {height} rows"))
                .found(format!("{} columns, {} rows", valid.ncols(), valid.nrows())));
        }
        if self.spec.overviews.is_none() {
            return Err(Error::new(ErrorKind::Usage, "only Cloud Optimized GeoTIFFs are written with a mask")
                .at(&self.path)
                .help("Ask for one by RasterSpec::cloud_optimized, or set a nodata value."));
        }
        let all = (self.grid.rows_at_once(), width);
        self.valid.get_or_insert_with(|| Array2::from_elem(all, true));
        self.gather(rows, Some(valid))
    }

    /// Completes the file and renames it to its final name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if rows are missing, and after a failure; [`ErrorKind::Io`] if the file cannot be written.
    /// In these cases no new file is created.
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

    fn gather(&mut self, rows: &Samples, valid: Option<ArrayView2<'_, bool>>) -> Result<()> {
        let (_, count, _) = rows.shape();
        let mut from = 0;
        while from < count {
            let room = self.grid.rows_at_once() - self.gathered_rows;
            let step = room.min(count - from);
            copy_rows(rows, from, &mut self.gathered, self.gathered_rows, step);
            if let Some(gathered) = &mut self.valid {
                let mut to = gathered.slice_mut(s![self.gathered_rows..self.gathered_rows + step, ..]);
                match valid {
                    Some(valid) => to.assign(&valid.slice(s![from..from + step, ..])),
                    None => to.fill(true),
                }
            }
            from += step;
            self.gathered_rows += step;
            self.rows += step;
            if step == room || self.rows == self.spec.shape().1 {
                self.pack_gathered()?;
            }
        }
        Ok(())
    }

    /// Writes the blocks of the gathered rows. If that fails midway, the file is abandoned and its disk space freed.
    fn pack_gathered(&mut self) -> Result<()> {
        let mut output = self.take_output()?;
        let first = self.rows - self.gathered_rows;
        let blocks = self.grid.blocks(first..self.rows, 0..self.spec.shape().2);
        let packed = packed(&self.gathered, 0..self.gathered_rows, &blocks, self.spec.compression);
        let written = packed.and_then(|packed| {
            blocks.iter().zip(packed).try_for_each(|(block, bytes)| output.put(block.index, &bytes))?;
            let Some(valid) = &self.valid else { return Ok(()) };
            let valid = valid.slice(s![..self.gathered_rows, ..]);
            // All planes share a mask.
            let mut first_plane = blocks.iter().filter(|block| block.bands.start == 0);
            first_plane.try_for_each(|block| output.put_mask(block, valid))
        });
        written.map_err(|error| fault(&self.path, error))?;
        self.output = Some(output);
        self.gathered_rows = 0;
        Ok(())
    }

    fn take_output(&mut self) -> Result<Target> {
        self.output.take().ok_or_else(|| {
            Error::new(ErrorKind::Usage, "this file was given up when writing it failed")
                .at(&self.path)
                .help("Create a new writer.")
        })
    }
}

/// Returns the bytes of a whole file, as [`RasterWriter`] writes it; `path` is its name in messages.
pub(crate) fn encoded(samples: &Samples, spec: &RasterSpec, path: &Path) -> Result<Vec<u8>> {
    let (_, height, width) = spec.shape();
    let grid = Grid::of(spec, path)?;
    let image = tags::image(spec, &grid, path)?;
    let mut output = Output::on(Cursor::new(Vec::new()), image, spec, path)?;
    for top in (0..height).step_by(grid.rows_at_once()) {
        let rows = top..(top + grid.rows_at_once()).min(height);
        let blocks = grid.blocks(rows.clone(), 0..width);
        let bytes = packed(samples, rows, &blocks, spec.compression).map_err(|error| fault(path, error))?;
        let mut put = |(block, bytes): (&Block, Vec<u8>)| output.put(block.index, &bytes);
        blocks.iter().zip(bytes).try_for_each(&mut put).map_err(|error| fault(path, error))?;
    }
    Ok(output.finish(path)?.into_inner())
}

impl std::fmt::Debug for RasterWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RasterWriter({:?}, {} of {} rows)", self.path, self.rows, self.spec.shape().1)
    }
}

/// Copies `count` rows; the caller has checked that both sides have them and are of the same type.
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
