//! A raster file of any kind that this crate reads, in its own type and with its place.

use std::path::Path;
use std::sync::Arc;

use super::budget::{Budget, Turn};
use super::origin::Origin;
use super::picture::Picture;
use super::tiff::{self, TiffImage};
use super::{Limits, RasterInfo, Samples, pam, world};
use crate::error::Result;

/// Enough for the signature of every format.
const OPENING_BYTES: u64 = 64;

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
    origin: Origin,
    limits: Limits,
    info: RasterInfo,
    content: Content,
}

enum Content {
    Tiff(Box<TiffImage>),
    Picture(Picture),
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

    /// The same without a look for world files, which training does not need; but a picture with a place is not turned.
    pub(super) fn open_unplaced(path: &Path, limits: &Limits) -> Result<Self> {
        Self::of(Origin::File(path.to_path_buf()), limits)
    }

    /// The same of bytes; nothing stands beside them.
    pub(super) fn in_memory(bytes: &[u8], limits: &Limits) -> Result<Self> {
        Self::of(Origin::Memory(Arc::from(bytes)), limits)
    }

    fn of(origin: Origin, limits: &Limits) -> Result<Self> {
        let opening = origin.opening(OPENING_BYTES)?;
        let (content, mut info) = match tiff::is_tiff(&opening) {
            true => {
                let (image, info) = TiffImage::open(&origin, limits)?;
                (Content::Tiff(Box::new(image)), info)
            }
            false => {
                let (picture, info) = Picture::open(&origin, &opening, limits)?;
                (Content::Picture(picture), info)
            }
        };
        if let Some(path) = origin.file() {
            pam::complete(&mut info, path);
            if matches!(&content, Content::Picture(picture) if picture.is_to_be_turned()) {
                world::complete(&mut info.place, path);
            }
        }
        Ok(Self { origin, limits: *limits, info, content })
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

    pub(super) fn path(&self) -> &Path {
        self.origin.path()
    }

    /// What its header says beside the facts, where it is not a TIFF.
    pub(super) fn picture(&self) -> Option<&Picture> {
        match &self.content {
            Content::Picture(picture) => Some(picture),
            Content::Tiff(_) => None,
        }
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
        Ok(self.read_in_turn(row, column, height, width)?.0)
    }

    /// The same, and the turn in which that was done.
    pub(super) fn read_in_turn(
        &self,
        row: usize,
        column: usize,
        height: usize,
        width: usize,
    ) -> Result<(Samples, Turn<'static>)> {
        self.info.check_window(self.path(), &self.limits, (row, column, height, width))?;
        match &self.content {
            Content::Tiff(image) => image.read_window(row, column, height, width),
            Content::Picture(picture) => {
                let whole = (0, 0, self.info.height, self.info.width);
                let bytes = (self.info.height * self.info.width * self.info.bands * self.info.dtype.bytes()) as u64;
                // The decoder's own and the samples made of them.
                let mut turn = Budget::process().turn(bytes.saturating_mul(2), self.limits.max_sample_bytes);
                let samples = picture.read(&self.origin, &self.info, &self.limits)?;
                turn.shrink_to(bytes);
                let is_whole = whole == (row, column, height, width);
                Ok((if is_whole { samples } else { samples.crop(row, column, height, width) }, turn))
            }
        }
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tiff(_) => f.write_str("Tiff"),
            Self::Picture(picture) => write!(f, "{:?}", picture.format),
        }
    }
}
