//! Writes a GeoTIFF block by block, in any order, because rows of a very wide image would not fit into memory.

use std::path::{Path, PathBuf};

use super::fault::fault;
use super::grid::Grid;
use super::output::Target;
use super::pack::packed;
use super::spec::{Blocks, RasterSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Samples;

/// Writes a GeoTIFF from pieces of whole blocks, without keeping any of them in memory. Otherwise it is like
/// [`RasterWriter`](super::RasterWriter).
pub(crate) struct BlockWriter {
    path: PathBuf,
    spec: RasterSpec,
    grid: Grid,
    output: Target,
    pixels: usize,
}

impl BlockWriter {
    /// Begins a file with blocks of `side` x `side` pixels, a multiple of 16.
    pub fn create(path: &Path, spec: RasterSpec, side: usize) -> Result<Self> {
        let spec = spec.blocks(Blocks::Tiles { width: side, height: side });
        let grid = Grid::of(&spec, path)?;
        let output = Target::begin(&spec, &grid, path)?;
        Ok(Self { path: path.to_path_buf(), spec, grid, output, pixels: 0 })
    }

    /// Writes the piece that begins at (`row`, `column`); it must begin and end at block boundaries, or end with the
    /// image.
    ///
    /// # Shapes
    /// (bands, any, any), in the type of the [`RasterSpec`].
    pub fn write(&mut self, (row, column): (usize, usize), piece: &Samples) -> Result<()> {
        let (bands, height, width) = piece.shape();
        let (all_bands, all_rows, all_columns) = self.spec.shape();
        let fits = |start: usize, length: usize, side: usize, all: usize| {
            let end = start.saturating_add(length);
            length > 0 && start.is_multiple_of(side) && (end == all || end < all && end.is_multiple_of(side))
        };
        let is_placed = fits(row, height, self.grid.block_height, all_rows)
            && fits(column, width, self.grid.block_width, all_columns);
        if !is_placed || (bands, piece.dtype()) != (all_bands, self.spec.dtype()) {
            return Err(Error::new(ErrorKind::Usage, "this piece does not fit the image to be written")
                .at(&self.path)
                .expected(format!("whole blocks of {} of {all_bands} bands", self.spec.dtype()))
                .found(format!("{} of {bands} bands, {width} x {height} pixels", piece.dtype())));
        }
        let blocks = self.grid.blocks(row..row + height, column..column + width);
        let bytes = packed(piece, 0..height, &blocks, self.spec.compression);
        let mut put = |bytes: Vec<Vec<u8>>| -> tiff_writer::Result<()> {
            blocks.iter().zip(bytes).try_for_each(|(block, bytes)| self.output.put(block.index, &bytes))
        };
        bytes.and_then(&mut put).map_err(|error| fault(&self.path, error))?;
        self.pixels += height * width;
        Ok(())
    }

    /// Completes the file and renames it to its final name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if pieces are missing, [`ErrorKind::Io`] if the file cannot be written.
    pub fn finish(self) -> Result<()> {
        let (_, height, width) = self.spec.shape();
        if self.pixels != height * width {
            return Err(Error::new(ErrorKind::Usage, "the image is not complete")
                .at(&self.path)
                .expected(format!("{} pixels", height * width))
                .found(self.pixels));
        }
        self.output.publish(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Dtype, OverviewResampling, RasterFile, RasterWriter};
    use ndarray::{Array3, s};

    /// Pieces in an order other than top to bottom.
    #[test]
    fn pieces_make_the_same_image_as_rows() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rows) = (folder.path().join("a.tif"), folder.path().join("b.tif"));
        let image = Array3::from_shape_fn((2, 70, 101), |(b, y, x)| (b * 9000 + y * 101 + x) as u16);
        let spec = RasterSpec::new(2, 70, 101, Dtype::U16).nodata(0.0);
        let mut writer = BlockWriter::create(&path, spec.clone(), 32).unwrap();
        for (top, end) in [(32, 70), (0, 32)] {
            for (left, right) in [(64, 101), (0, 64)] {
                let piece = Samples::U16(image.slice(s![.., top..end, left..right]).to_owned());
                writer.write((top, left), &piece).unwrap();
            }
        }
        writer.finish().unwrap();
        let mut writer = RasterWriter::create(&rows, spec).unwrap();
        writer.write_rows(&Samples::U16(image)).unwrap();
        writer.finish().unwrap();
        let (made, expected) = (RasterFile::open(&path).unwrap(), RasterFile::open(&rows).unwrap());
        assert_eq!(made.read().unwrap(), expected.read().unwrap());
        assert_eq!(made.info().nodata(), Some(0.0));
    }

    /// Includes overviews, because the file has an order of its own.
    #[test]
    fn pieces_make_the_same_cloud_optimized_file_as_rows() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rows) = (folder.path().join("a.tif"), folder.path().join("b.tif"));
        let image = Array3::from_shape_fn((2, 70, 101), |(b, y, x)| (b * 90 + y + x) as f32 / 3.0);
        let spec = RasterSpec::new(2, 70, 101, Dtype::F32).cloud_optimized(OverviewResampling::Average);
        let mut writer = BlockWriter::create(&path, spec.clone(), 32).unwrap();
        for (top, end) in [(64, 70), (0, 64)] {
            for (left, right) in [(96, 101), (0, 96)] {
                let piece = Samples::F32(image.slice(s![.., top..end, left..right]).to_owned());
                writer.write((top, left), &piece).unwrap();
            }
        }
        writer.finish().unwrap();
        let mut writer = RasterWriter::create(&rows, spec.blocks(Blocks::Tiles { width: 32, height: 32 })).unwrap();
        writer.write_rows(&Samples::F32(image.clone())).unwrap();
        writer.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&rows).unwrap());
        assert_eq!(RasterFile::open(&path).unwrap().read().unwrap(), Samples::F32(image));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the temporary file is gone");
    }

    #[test]
    fn pieces_that_do_not_fit_or_are_missing_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tif");
        let spec = RasterSpec::new(1, 64, 50, Dtype::U8);
        let mut writer = BlockWriter::create(&path, spec, 32).unwrap();
        for (at, height, width) in [((1, 0), 32, 32), ((0, 0), 31, 32), ((0, 0), 32, 33), ((32, 32), 64, 18)] {
            let error = writer.write(at, &Samples::U8(Array3::zeros((1, height, width)))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
        }
        let error = writer.write((0, 0), &Samples::U16(Array3::zeros((1, 32, 32)))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        writer.write((0, 0), &Samples::U8(Array3::zeros((1, 32, 50)))).unwrap();
        assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
