//! An image to be read part by part, however large.

use std::path::{Path, PathBuf};

use super::read::{is_tiff_file, read_tiff_window};
use super::{Dtype, Limits, Place, Raster, RasterFile};
use crate::error::{Error, ErrorKind, Result};

/// Gives parts of an image as [`Raster::open`] would give them: colours in place of a palette, no alpha of a PNG.
/// Of a TIFF only what is asked for is decoded; other formats are decoded at once, within the [`Limits`].
pub(crate) struct Source {
    content: Content,
    /// Bands that are used, of how many; all where there is none.
    selection: Option<Vec<usize>>,
    path: Option<PathBuf>,
}

enum Content {
    Whole(Box<Raster>),
    Tiff(Box<RasterFile>),
}

impl Source {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self> {
        let content = match is_tiff_file(path)? {
            true => Content::Tiff(Box::new(RasterFile::open_within(path, &Limits::default())?)),
            false => Content::Whole(Box::new(Raster::open(path)?)),
        };
        Ok(Self { content, selection: None, path: Some(path.to_path_buf()) })
    }

    /// An image in memory.
    pub fn of(image: Raster) -> Self {
        Self { content: Content::Whole(Box::new(image)), selection: None, path: None }
    }

    /// The same with these bands alone, where the image has `of` bands; otherwise as it is.
    pub fn select(mut self, of: usize, bands: &[usize]) -> Self {
        if self.bands() == of {
            self.selection = Some(bands.to_vec());
        }
        self
    }

    /// Number of bands that it gives.
    pub fn bands(&self) -> usize {
        match (&self.selection, &self.content) {
            (Some(bands), _) => bands.len(),
            (None, Content::Whole(image)) => image.bands(),
            (None, Content::Tiff(file)) if file.info().palette().is_some() => 3,
            (None, Content::Tiff(file)) => file.info().bands(),
        }
    }

    /// Height and width.
    pub fn size(&self) -> (usize, usize) {
        match &self.content {
            Content::Whole(image) => (image.height(), image.width()),
            Content::Tiff(file) => (file.info().height(), file.info().width()),
        }
    }

    /// The type of the samples.
    pub fn dtype(&self) -> Dtype {
        match &self.content {
            Content::Whole(image) => image.dtype(),
            Content::Tiff(file) => file.info().dtype(),
        }
    }

    pub fn place(&self) -> &Place {
        match &self.content {
            Content::Whole(image) => image.place(),
            Content::Tiff(file) => file.info().place(),
        }
    }

    /// The value that stands for "no data".
    pub fn nodata(&self) -> Option<f64> {
        match &self.content {
            Content::Whole(image) => image.nodata(),
            Content::Tiff(file) => file.info().nodata().filter(|_| file.info().palette().is_none()),
        }
    }

    /// The file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// A part that lies within the image.
    pub fn window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<Raster> {
        let image = match &self.content {
            Content::Whole(image) => image.part(row, column, height, width),
            Content::Tiff(file) => read_tiff_window(file, row, column, height, width)?,
        };
        Ok(match &self.selection {
            Some(bands) => image.select(bands),
            None => image,
        })
    }

    /// That the image has so many bands to give.
    pub fn check_bands(&self, expected: usize) -> Result<()> {
        if self.bands() == expected {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Usage, "wrong number of bands")
            .expected(expected)
            .found(self.bands())
            .help("Give an image with the bands of the chips that the model learned from, in their order.");
        Err(match self.path() {
            Some(path) => error.at(path),
            None => error,
        })
    }
}
