//! A raster file of any kind that this crate reads, in its own type and with its place.

use std::path::{Path, PathBuf};

use image::ImageFormat;

use super::tiff::{self, TiffImage};
use super::{Limits, RasterInfo, Samples, pam, picture, world};
use crate::error::{Error, ErrorKind, Result, caught};

/// An open raster file: its facts at once, its samples when asked for.
///
/// To open a file reads its header, however large the file is.
///
/// TIFF (GeoTIFF, BigTIFF, cloud-optimised), PNG, JPEG and BMP are told by the content, not by the name. Samples are
/// what rasterio reads: the first image of a file at full resolution, in the file's own type (half precision as
/// `float32`), alpha as a band, palettes as indices, EXIF orientation not applied.
///
/// ```
/// use geolearn::{Dtype, RasterFile};
///
/// let file = RasterFile::open("assets/bluemarble/A/images/y0300_x0900.png")?;
/// assert_eq!((file.info().bands(), file.info().dtype()), (3, Dtype::U8));
/// assert_eq!(file.read()?.shape(), (3, 64, 64));
/// assert_eq!(file.read_window(10, 20, 5, 7)?.shape(), (3, 5, 7));
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug)]
pub struct RasterFile {
    path: PathBuf,
    limits: Limits,
    info: RasterInfo,
    content: Content,
}

enum Content {
    Tiff(Box<TiffImage>),
    Picture(ImageFormat),
}

impl RasterFile {
    /// Opens a file within the default [`Limits`].
    ///
    /// ```
    /// use geolearn::{ErrorKind, RasterFile};
    ///
    /// let error = RasterFile::open("assets/bluemarble/README.md").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Format);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when the file cannot be read,
    /// [`ErrorKind::Format`](crate::ErrorKind::Format) when it is no image or its header is damaged,
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a feature that this crate does not read, with
    /// its name, [`ErrorKind::Limits`](crate::ErrorKind::Limits) when it is larger than the limits allow.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_within(path, &Limits::default())
    }

    /// Opens a file within the given limits.
    ///
    /// ```
    /// use geolearn::{ErrorKind, Limits, RasterFile};
    ///
    /// let chip = "assets/bluemarble/A/images/y0300_x0900.png";
    /// let file = RasterFile::open_within(chip, &Limits::default().max_sample_bytes(1000))?;
    /// assert_eq!(file.read().unwrap_err().kind(), ErrorKind::Limits);
    /// assert_eq!(file.read_window(0, 0, 10, 10).unwrap_err().kind(), ErrorKind::Limits);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`RasterFile::open`].
    pub fn open_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let mut file = Self::open_unplaced(path, limits)?;
        world::complete(&mut file.info.place, path);
        Ok(file)
    }

    /// The same without a look for world files, which training does not need.
    pub(super) fn open_unplaced(path: &Path, limits: &Limits) -> Result<Self> {
        let opening = picture::opening(path)?;
        let (content, mut info) = match tiff::is_tiff(&opening) {
            true => {
                let (image, info) = TiffImage::open(path, limits)?;
                (Content::Tiff(Box::new(image)), info)
            }
            false => {
                let (format, info) = guarded(path, || picture::info(path, &opening, limits))?;
                (Content::Picture(format), info)
            }
        };
        pam::complete(&mut info, path);
        Ok(Self { path: path.to_path_buf(), limits: *limits, info, content })
    }

    /// What the file says about its image.
    ///
    /// ```
    /// # use geolearn::RasterFile;
    /// let file = RasterFile::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!(file.info().format(), "PNG");
    /// assert_eq!(file.info().nodata(), None);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn info(&self) -> &RasterInfo {
        &self.info
    }

    /// Reads the whole image.
    ///
    /// # Shapes
    /// (bands, height, width), in the file's own type and scale.
    ///
    /// # Errors
    /// As [`RasterFile::open`].
    pub fn read(&self) -> Result<Samples> {
        self.read_window(0, 0, self.info.height, self.info.width)
    }

    /// Reads `height` x `width` pixels from (`row`, `column`) on. Of a TIFF only the tiles or strips concerned are
    /// decoded.
    ///
    /// # Shapes
    /// (bands, `height`, `width`).
    ///
    /// # Errors
    /// As [`RasterFile::open`], and [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a part that does not lie
    /// within the image.
    pub fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<Samples> {
        self.info.check_window(&self.path, &self.limits, (row, column, height, width))?;
        match &self.content {
            Content::Tiff(image) => image.read_window(row, column, height, width),
            Content::Picture(format) => {
                let whole = (0, 0, self.info.height, self.info.width);
                let samples = guarded(&self.path, || picture::read(&self.path, *format, &self.info, &self.limits))?;
                Ok(if whole == (row, column, height, width) {
                    samples
                } else {
                    samples.crop(row, column, height, width)
                })
            }
        }
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tiff(_) => f.write_str("Tiff"),
            Self::Picture(format) => write!(f, "{format:?}"),
        }
    }
}

/// Runs a decoder; where it panics, the file is at fault.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(decode).unwrap_or_else(|words| {
        Err(Error::new(ErrorKind::Format, "image file is damaged").at(path).found(words).help("Make or copy it again."))
    })
}
