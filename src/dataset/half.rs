//! Files that contain the chips of both domains side by side.

use serde::{Deserialize, Serialize};

use super::shape::Shape;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Raster;

/// The half of a file that belongs to a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Half {
    Left,
    Right,
}

impl Half {
    /// Returns the shape of one half of a file of this shape.
    ///
    /// # Errors
    /// [`ErrorKind::Layout`] if the file does not consist of two squares.
    pub(super) fn shape(self, file: Shape) -> Result<Shape> {
        if !holds_two(file.size()) {
            return Err(Error::new(ErrorKind::Layout, "the file does not hold two chips side by side")
                .expected("a width of twice the height")
                .found(file)
                .help("Cut the chips to squares, or put those of each domain into a folder of their own."));
        }
        Ok(file.sized((file.height, file.width / 2)))
    }

    /// Crops this half from a file's image.
    pub fn of(self, image: Raster) -> Raster {
        let (height, width) = (image.height(), image.width() / 2);
        let column = match self {
            Self::Left => 0,
            Self::Right => width,
        };
        image.crop(0, column, height, width)
    }
}

/// Returns whether an image of this height and width contains two chips. Only squares are accepted, since nothing else
/// distinguishes a pair from a single chip in the wrong folder.
pub(super) fn holds_two((height, width): (usize, usize)) -> bool {
    width == 2 * height
}
