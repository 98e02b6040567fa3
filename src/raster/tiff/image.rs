//! An open TIFF, read like GDAL: the first image of the file, with its samples as stored.

use std::path::Path;

use tiff_reader::header::TiffHeader;
use tiff_reader::source::TiffSource;
use tiff_reader::{Ifd, ParseBudgets, constants, ifd};

use super::decoder::{Decoder, Part};
use super::fault::{Fault, guarded};
use super::layout::Layout;
use super::{cmyk, colors, gdal, geo, numbers, pages};
use crate::error::{Error, ErrorKind};
use crate::raster::budget::{Budget, Turn};
use crate::raster::byte_source::ByteSource;
use crate::raster::image_format::{ImageFormat, OpenImage, ReadSamples};
use crate::raster::{Limits, RasterInfo, Samples, ValiditySource};

type Result<T, E = Error> = std::result::Result<T, E>;

/// Limit for one tag; 64 MiB are offsets of 8 million tiles.
const TAG_BYTES: usize = 64 << 20;
/// Limit for all tags of the image.
const HEADER_BYTES: usize = 256 << 20;
/// Limit for entries of the directory.
const ENTRIES: usize = 65_536;

/// An open TIFF file.
struct TiffImage {
    source: ByteSource,
    layout: Layout,
    decoder: Decoder,
    /// Whether the samples are inks, to be converted to colors.
    is_cmyk: bool,
    limits: Limits,
}

/// The contents of a file.
struct OpenTiff {
    image: TiffImage,
    info: RasterInfo,
    mask: Option<TiffImage>,
}

/// The format: classic TIFF or BigTIFF, in either byte order.
pub(in super::super) struct Tiff;

impl ImageFormat for Tiff {
    fn probe(&self, opening: &[u8]) -> bool {
        [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| opening.starts_with(&magic[..]))
    }

    fn open(&self, source: &ByteSource, limits: &Limits) -> Result<OpenImage> {
        let OpenTiff { image, info, mask } = TiffImage::open(source, limits)?;
        let mask = mask.map(|mask| Box::new(mask) as Box<dyn ReadSamples>);
        Ok(OpenImage { info, presentation: None, samples: Box::new(image), mask })
    }
}

impl ReadSamples for TiffImage {
    fn read(&self) -> Result<(Samples, Turn<'static>)> {
        self.read_window(0, 0, self.layout.height, self.layout.width)
    }

    fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<(Samples, Turn<'static>)> {
        let part = Part { rows: row..row + height, columns: column..column + width };
        self.read_part(part, Budget::process())
    }
}

impl TiffImage {
    fn open(source: &ByteSource, limits: &Limits) -> Result<OpenTiff> {
        guarded(|| open(source, limits)).map_err(|fault| fault.at(source.path()))
    }

    fn read_part<'a>(&self, part: Part, budget: &'a Budget) -> Result<(Samples, Turn<'a>)> {
        let (dtype, most) = (self.layout.dtype(), self.limits.max_sample_bytes);
        let shape = (self.layout.bands, part.rows.len(), part.columns.len());
        let made = (shape.0 * shape.1 * shape.2 * dtype.bytes()) as u64;
        let needed = made.saturating_add(self.decoder.copies().saturating_mul(self.block_bytes()?));
        let spare = most.checked_sub(needed).ok_or_else(|| self.too_large_blocks())?;
        let mut turn = budget.turn(needed, most);
        let mut samples = Samples::zeros(dtype, shape);
        let spare = usize::try_from(spare).unwrap_or(usize::MAX);
        guarded(|| self.decoder.read(&self.source, &part, spare, &mut samples))
            .map_err(|fault| fault.at(self.source.path()))?;
        if self.is_cmyk {
            cmyk::to_rgba(&mut samples);
        }
        turn.shrink_to(made);
        Ok((samples, turn))
    }

    /// A block is decoded as a whole, however small the requested part is.
    fn block_bytes(&self) -> Result<u64> {
        let bytes = self.layout.block_bytes().map(|bytes| bytes as u64);
        bytes.filter(|bytes| *bytes <= self.limits.max_sample_bytes).ok_or_else(|| self.too_large_blocks())
    }

    fn too_large_blocks(&self) -> Error {
        let Layout { block_bands, block_rows, block_columns, .. } = self.layout;
        Error::new(ErrorKind::Limits, "the tiles or strips of this TIFF are too large")
            .at(self.source.path())
            .expected(format!("at most {} bytes to decode one", self.limits.max_sample_bytes))
            .found(format!("{block_columns} x {block_rows} pixels of {block_bands} bands"))
            .help("Rewrite it with gdal_translate -co TILED=YES, or allow more with Limits::max_sample_bytes.")
    }
}

fn open(source: &ByteSource, limits: &Limits) -> Result<OpenTiff, Fault> {
    let header = TiffHeader::parse(&source.read_exact_at(0, source.len().min(16) as usize)?)?;
    // Damage after the first image does no harm.
    let (image, mut info) = directory(source, limits, &header, header.first_ifd_offset)?;
    let pages = pages::look(source, &header);
    info.pages = pages.count;
    let mask = pages.mask.and_then(|at| mask(&image, &header, at));
    info.mask = mask.as_ref().map(|_| ValiditySource::InternalMask);
    Ok(OpenTiff { image, info, mask })
}

/// Reads the header of the image whose directory is at this offset.
fn directory(
    source: &ByteSource,
    limits: &Limits,
    header: &TiffHeader,
    at: u64,
) -> Result<(TiffImage, RasterInfo), Fault> {
    let budgets = ParseBudgets {
        max_ifd_entries: ENTRIES,
        max_tag_value_bytes: TAG_BYTES,
        max_metadata_value_bytes: HEADER_BYTES,
        ..ParseBudgets::default()
    };
    let ifd = ifd::parse_ifd_at_with_budgets(source, header, at, budgets)?;
    let photometric = numbers::first(&ifd, constants::TAG_PHOTOMETRIC_INTERPRETATION)?.unwrap_or(GRAY);
    let layout = Layout::of(&ifd, header.byte_order, photometric)?;
    let is_cmyk = cmyk::are(&ifd, photometric, &layout);
    let info = info(source.path(), &ifd, &layout, photometric, is_cmyk);
    let decoder = Decoder::of(&ifd, &layout, photometric, info.nodata, source)?;
    Ok((TiffImage { source: source.clone(), layout, decoder, is_cmyk, limits: *limits }, info))
}

/// Opens the mask of an image. An unreadable one is ignored, with a warning, as in GDAL.
fn mask(image: &TiffImage, header: &TiffHeader, at: u64) -> Option<TiffImage> {
    let path = image.source.path().display();
    match directory(&image.source, &image.limits, header, at) {
        Ok((mask, _)) if mask.layout.size() == image.layout.size() => Some(mask),
        Ok(_) => {
            tracing::warn!(%path, "the mask in this TIFF is not of the size of its image and is passed over");
            None
        }
        Err(fault) => {
            let error = fault.at(image.source.path());
            tracing::warn!(%error, "the mask in this TIFF cannot be read and is passed over");
            None
        }
    }
}

fn info(path: &Path, ifd: &Ifd, layout: &Layout, photometric: u64, is_cmyk: bool) -> RasterInfo {
    let shape = (layout.bands, layout.height, layout.width);
    // GDAL goes by the colors, regardless of the samples' description.
    let palette = if layout.bands == 1 { colors::palette(ifd) } else { None };
    let told = gdal::told(path, ifd, layout.bands);
    let mut info = RasterInfo {
        place: geo::place(ifd),
        nodata: gdal::nodata(path, ifd, layout.dtype()).map(|value| layout.dtype().stored(value)),
        band_names: told.names,
        band_scales: told.scales,
        stated_statistics: told.statistics,
        has_palette: palette.is_some() || photometric == PALETTE && layout.bands == 1,
        palette,
        is_mask_of_another: told.is_mask,
        block: (layout.block_rows, layout.block_columns),
        alpha_band: if is_cmyk { Some(3) } else { colors::alpha_band(ifd, layout.bands) },
        ..RasterInfo::plain("TIFF", shape, layout.dtype())
    };
    told.nodata_values.iter().for_each(|text| info.list_nodata(text));
    info
}

const GRAY: u64 = 1;
const PALETTE: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Blocks, Compression, Dtype, RasterSpec, RasterWriter};
    use ndarray::Array3;

    /// 17 megabytes in one strip, which the second part no longer needs from the file.
    #[test]
    fn a_large_strip_is_decoded_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("strip.tif");
        let spec = RasterSpec::new(1, 4200, 4200, Dtype::U8).blocks(Blocks::Strips { rows: 4200 });
        let mut writer = RasterWriter::create(&path, spec).unwrap();
        let image = Samples::U8(Array3::from_shape_fn((1, 4200, 4200), |(_, y, x)| (y * 7 + x) as u8));
        writer.write_rows(&image).unwrap();
        writer.finish().unwrap();
        let file = TiffImage::open(&ByteSource::open(&path).unwrap(), &Limits::default()).unwrap().image;
        assert_eq!(read(&file, 0, 0, 64, 64), image.crop(0, 0, 64, 64));
        destroy(&path);
        assert_eq!(read(&file, 4000, 900, 64, 64), image.crop(4000, 900, 64, 64));
    }

    /// 4 megabytes from a file of a few kilobytes, read by more threads than there is memory for.
    #[test]
    fn threads_together_stay_within_the_limits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("strip.tif");
        let spec = RasterSpec::new(1, 2048, 2048, Dtype::U8).blocks(Blocks::Strips { rows: 2048 });
        let mut writer = RasterWriter::create(&path, spec.compression(Compression::Deflate)).unwrap();
        writer.write_rows(&Samples::U8(Array3::zeros((1, 2048, 2048)))).unwrap();
        writer.finish().unwrap();
        let (budget, image) = (Budget::new(), 1 << 22);
        let file =
            TiffImage::open(&ByteSource::open(&path).unwrap(), &Limits::default().max_sample_bytes(2 * image + 5))
                .unwrap()
                .image;
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let (samples, _turn) = file.read_part(Part { rows: 0..2048, columns: 0..2048 }, &budget).unwrap();
                    assert_eq!(samples.shape(), (1, 2048, 2048));
                });
            }
        });
        assert!((image..=2 * image).contains(&budget.most()), "{}", budget.most());
    }

    /// The same for a compression that is decoded as a whole.
    #[test]
    fn a_part_of_the_last_block_is_not_decoded_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jpeg.tif");
        std::fs::copy("tests/fixtures/tiff/b3_uint8_jpeg_ycbcr_tiled.tif", &path).unwrap();
        let file = TiffImage::open(&ByteSource::open(&path).unwrap(), &Limits::default()).unwrap().image;
        let corner = read(&file, 0, 0, 12, 12);
        destroy(&path);
        assert_eq!(read(&file, 5, 3, 7, 9), corner.crop(5, 3, 7, 9));
    }

    fn read(file: &TiffImage, row: usize, column: usize, height: usize, width: usize) -> Samples {
        file.read_window(row, column, height, width).unwrap().0
    }

    /// Nothing can be decoded any longer.
    fn destroy(path: &Path) {
        let length = path.metadata().unwrap().len() as usize;
        std::fs::write(path, vec![0; length]).unwrap();
    }
}
