//! TIFF, as GDAL reads it: the first image of the file, its samples as they are stored.

mod blocks;
mod codec;
mod colours;
mod entries;
mod fault;
mod fax;
mod gdal;
mod geo;
mod half;
mod inks;
mod layout;
mod own;
mod source;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tiff_reader::{OpenOptions, ParseBudgets, TiffFile};

use self::fault::{Fault, guarded};
use self::layout::Layout;
use self::own::{Own, Part};
use super::{Limits, RasterInfo, Samples};
use crate::error::{Error, ErrorKind};

type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) use self::writing::BlockWriter;
pub use self::writing::{BigTiff, Blocks, Compression, Interleave, RasterSpec, RasterWriter};

/// One tag; 64 MiB are offsets of 8 million tiles.
const TAG_BYTES: usize = 64 << 20;
/// All tags of the image.
const HEADER_BYTES: usize = 256 << 20;
/// Decoded blocks that are kept for the next rows; more where a block is larger.
const CACHE_BYTES: usize = 16 << 20;

/// An open TIFF file.
pub(super) struct TiffImage {
    path: PathBuf,
    file: TiffFile,
    layout: Layout,
    own: Option<Own>,
    /// The samples are inks, and become colours.
    are_inks: bool,
    limits: Limits,
}

/// Whether these are the first bytes of a TIFF, classic or big, of either byte order.
pub(super) fn is_tiff(bytes: &[u8]) -> bool {
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| bytes.starts_with(&magic[..]))
}

impl TiffImage {
    pub fn open(path: &Path, limits: &Limits) -> Result<(Self, RasterInfo)> {
        guarded(|| open(path, limits)).map_err(|fault| fault.at(path))
    }

    /// Reads a part that lies within the image and the limits.
    pub fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<Samples> {
        self.check_block()?;
        let mut samples = Samples::zeros(self.layout.dtype, (self.layout.bands, height, width));
        // Whole blocks at a time, so that no block is decoded twice.
        let step = self.layout.rows_at_once(width);
        let mut from = row;
        while from < row + height {
            let to = (from / step * step).saturating_add(step).min(row + height);
            let bytes = self.rows(from, column, to - from, width)?;
            samples.put_rows(from - row, &bytes);
            from = to;
        }
        Ok(samples)
    }

    fn rows(&self, row: usize, column: usize, height: usize, width: usize) -> Result<Vec<u8>> {
        guarded(|| {
            let bytes = self.stored_rows(row, column, height, width)?;
            Ok(if self.layout.is_half { half::widen(&bytes) } else { bytes })
        })
        .map_err(|fault| fault.at(&self.path))
    }

    /// Samples as stored, halves as halves.
    fn stored_rows(&self, row: usize, column: usize, height: usize, width: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = match &self.own {
            Some(own) if own.reads_all() => vec![0; height * width * self.layout.bands * self.layout.stored_bytes()],
            _ => self.file.read_window_bytes(0, row, column, height, width)?,
        };
        if let Some(own) = &self.own {
            let mut part = Part { rows: row..row + height, columns: column..column + width, bytes: &mut bytes };
            own.fill(self.file.source(), &mut part)?;
        }
        if self.are_inks {
            inks::to_rgba(&mut bytes);
        }
        Ok(bytes)
    }

    /// A block is decoded as a whole, however small the part that is wanted.
    fn check_block(&self) -> Result<()> {
        let Layout { block_bands, block_rows, block_columns, dtype, .. } = self.layout;
        let bytes = [block_rows, block_columns, dtype.bytes()].iter().try_fold(block_bands, |a, b| a.checked_mul(*b));
        if bytes.is_none_or(|bytes| bytes as u64 > self.limits.max_sample_bytes) {
            return Err(Error::new(ErrorKind::Limits, "the tiles or strips of this TIFF are too large")
                .at(&self.path)
                .expected(format!("at most {} bytes each", self.limits.max_sample_bytes))
                .found(format!("{block_columns} x {block_rows} pixels of {block_bands} bands"))
                .help("Rewrite it with gdal_translate -co TILED=YES."));
        }
        Ok(())
    }
}

fn open(path: &Path, limits: &Limits) -> Result<(TiffImage, RasterInfo), Fault> {
    let (shown, stored) = source::Shown::open(path)?;
    let shown = Arc::new(shown);
    let options = |block_cache_bytes: usize| OpenOptions {
        block_cache_bytes,
        parse_budgets: ParseBudgets {
            max_ifds: 1,
            max_tag_value_bytes: TAG_BYTES,
            max_metadata_value_bytes: HEADER_BYTES,
            ..ParseBudgets::default()
        },
        decode_output_bytes: usize::try_from(limits.max_sample_bytes).unwrap_or(usize::MAX),
        ..OpenOptions::default()
    };
    let mut file = TiffFile::from_source_with_options(shown.clone(), options(CACHE_BYTES))?;
    let layout = Layout::of(file.ifd(0)?, &stored)?;
    let most = usize::try_from(limits.max_sample_bytes).unwrap_or(usize::MAX);
    if let Some(bytes) = layout.block_bytes().filter(|bytes| (CACHE_BYTES + 1..=most).contains(bytes)) {
        // An image that is a single strip would be decoded again for each part of it.
        file = TiffFile::from_source_with_options(shown, options(bytes))?;
    }
    let ifd = file.ifd(0)?;
    let shape = (layout.bands, layout.height, layout.width);
    // GDAL goes by the colours, whatever the samples are called.
    let palette = if layout.bands == 1 { colours::palette(ifd) } else { None };
    let has_palette = palette.is_some() || stored.photometric == PALETTE && layout.bands == 1;
    let are_inks = inks::are(ifd, stored.photometric, &layout);
    let nodata = gdal::nodata(path, ifd, layout.dtype).map(|value| layout.dtype.stored(value));
    let told = gdal::told(path, ifd, layout.bands);
    let info = RasterInfo {
        place: geo::place(ifd),
        nodata,
        band_names: told.names,
        band_scales: told.scales,
        has_palette,
        palette,
        alpha_band: if are_inks { Some(3) } else { colours::alpha_band(ifd, layout.bands) },
        ..RasterInfo::plain("TIFF", shape, layout.dtype)
    };
    let own = Own::of(ifd, file.byte_order(), &layout, stored.photometric, info.nodata)?;
    Ok((TiffImage { path: path.to_path_buf(), file, layout, own, are_inks, limits: *limits }, info))
}

const PALETTE: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Dtype;
    use ndarray::Array3;

    /// 17 megabytes in one strip, which the second part does not need from the file any more.
    #[test]
    fn a_large_strip_is_decoded_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("strip.tif");
        let spec = RasterSpec::new(1, 4200, 4200, Dtype::U8).blocks(Blocks::Strips { rows: 4200 });
        let mut writer = RasterWriter::create(&path, spec).unwrap();
        let image = Samples::U8(Array3::from_shape_fn((1, 4200, 4200), |(_, y, x)| (y * 7 + x) as u8));
        writer.write_rows(&image).unwrap();
        writer.finish().unwrap();
        let (file, _) = TiffImage::open(&path, &Limits::default()).unwrap();
        assert_eq!(file.read_window(0, 0, 64, 64).unwrap(), image.crop(0, 0, 64, 64));
        destroy(&path);
        assert_eq!(file.read_window(4000, 900, 64, 64).unwrap(), image.crop(4000, 900, 64, 64));
    }

    /// The same of what the library does not decode.
    #[test]
    fn a_part_of_the_last_block_is_not_decoded_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jpeg.tif");
        std::fs::copy("tests/fixtures/tiff/b3_uint8_jpeg_ycbcr_tiled.tif", &path).unwrap();
        let (file, _) = TiffImage::open(&path, &Limits::default()).unwrap();
        let corner = file.read_window(0, 0, 12, 12).unwrap();
        destroy(&path);
        assert_eq!(file.read_window(5, 3, 7, 9).unwrap(), corner.crop(5, 3, 7, 9));
    }

    /// Nothing can be decoded any more.
    fn destroy(path: &Path) {
        let length = path.metadata().unwrap().len() as usize;
        std::fs::write(path, vec![0; length]).unwrap();
    }
}
