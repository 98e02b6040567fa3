//! Pixels in memory and on disk, without torch.

mod bmp;
mod dtype;
mod file;
mod ijg;
mod info;
mod jpeg;
mod limits;
mod picture;
mod place;
mod png;
mod read;
mod resize;
mod samples;
mod tiff;
mod window;
mod world;
mod write;

use std::path::Path;

use image::RgbImage;
use ndarray::Array3;

use crate::error::{Error, ErrorKind, Result};

pub use dtype::Dtype;
pub use file::RasterFile;
pub use info::RasterInfo;
pub use limits::Limits;
pub use place::{Crs, Place};
pub use samples::Samples;
pub(crate) use window::Window;

/// An image in memory: 8-bit samples in (bands, height, width).
///
/// # Shapes
/// `data()` is (bands, height, width); no side is 0. Values are 0 to 255, in the file's own scale.
///
/// ```
/// use geolearn::Raster;
///
/// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
/// assert_eq!((chip.bands(), chip.height(), chip.width()), (3, 64, 64));
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Raster {
    data: Array3<u8>,
}

impl Raster {
    /// An image from an array in (bands, height, width).
    ///
    /// ```
    /// use geolearn::Raster;
    /// use ndarray::Array3;
    ///
    /// let grey = Raster::new(Array3::zeros((1, 4, 6)))?;
    /// assert_eq!((grey.bands(), grey.height(), grey.width()), (1, 4, 6));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when a side is 0.
    pub fn new(data: Array3<u8>) -> Result<Self> {
        if data.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "an image needs pixels")
                .expected("(bands, height, width), each at least 1")
                .found(format!("{:?}", data.dim())));
        }
        Ok(Self { data })
    }

    /// Reads an image file within the default [`Limits`].
    ///
    /// The format (PNG, JPEG, BMP) is told by the content, not by the name. Grey gives one band, colour three; a
    /// palette becomes colour; EXIF orientation is applied. An alpha band is left out, with a warning when it
    /// hides something.
    ///
    /// ```
    /// use geolearn::{ErrorKind, Raster};
    ///
    /// let error = Raster::open("assets/bluemarble/README.md").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Format);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the file cannot be read, [`ErrorKind::Format`] when it is no image or is truncated
    /// or damaged, [`ErrorKind::Unsupported`] for TIFF, CMYK, 16 bits a sample and other formats,
    /// [`ErrorKind::Limits`] when it is larger than the limits allow.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_within(path, &Limits::default())
    }

    /// Reads an image file within the given limits; see [`Raster::open`].
    ///
    /// ```
    /// use geolearn::{ErrorKind, Limits, Raster};
    ///
    /// let small = Limits::default().max_pixels(1000);
    /// let error = Raster::open_within("assets/bluemarble/A/images/y0300_x0900.png", &small).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Limits);
    /// ```
    ///
    /// # Errors
    /// As [`Raster::open`].
    pub fn open_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        read::read(path.as_ref(), limits)
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.data.dim().0
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.data.dim().1
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.data.dim().2
    }

    /// The samples in (bands, height, width).
    pub fn data(&self) -> &Array3<u8> {
        &self.data
    }

    /// The samples in (bands, height, width), without a copy.
    pub fn into_data(self) -> Array3<u8> {
        self.data
    }

    /// The image as RGB: the first three bands, or the first band three times where there are fewer.
    ///
    /// ```
    /// use geolearn::Raster;
    /// use ndarray::Array3;
    ///
    /// let grey = Raster::new(Array3::from_elem((1, 2, 3), 7))?;
    /// let rgb = grey.to_rgb_image();
    /// assert_eq!((rgb.width(), rgb.height(), rgb.get_pixel(0, 0).0), (3, 2, [7, 7, 7]));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn to_rgb_image(&self) -> RgbImage {
        let shown = if self.bands() >= 3 { [0, 1, 2] } else { [0, 0, 0] };
        RgbImage::from_fn(self.width() as u32, self.height() as u32, |x, y| {
            image::Rgb(shown.map(|band| self.data[(band, y as usize, x as usize)]))
        })
    }

    /// The image at another size.
    ///
    /// Bilinear where it grows, a triangle filter as wide as the reduction where it shrinks (so nothing aliases).
    /// The ratio of the sides is not kept.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// let small = chip.resize(32, 16)?;
    /// assert_eq!((small.width(), small.height()), (32, 16));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when a side is 0 or the image would have more pixels than the default [`Limits`] allow.
    pub fn resize(&self, width: usize, height: usize) -> Result<Self> {
        resize::resize(self, width, height)
    }

    /// Writes the image as PNG or JPEG (quality 95), as the name ends.
    ///
    /// The file is written beside its place and renamed, so a failure leaves an older file as it was.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("copy.png");
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// chip.save(&path)?;
    /// assert_eq!(Raster::open(&path)?, chip);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for another ending, [`ErrorKind::Unsupported`] for other than one or three bands,
    /// [`ErrorKind::Io`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write::save(self, path.as_ref())
    }
}

impl From<RgbImage> for Raster {
    /// Three bands, red first.
    fn from(image: RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        Self { data: read::planar(&image, 3, 3, height, width) }
    }
}

impl std::fmt::Debug for Raster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Raster({} bands, {} x {} pixels, u8)", self.bands(), self.width(), self.height())
    }
}
