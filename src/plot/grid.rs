//! Arranges images in rows and columns, with a title for each column.

use image::{RgbImage, imageops};
use plotters::prelude::*;

use super::canvas::{centered, drawn, trouble, width_of};
use super::picture::Picture;
use crate::error::{Error, ErrorKind, Result};

/// Small chips are enlarged to about this side with nearest-neighbor sampling, so that details are visible.
const CELL: u32 = 192;
/// About 800 MB.
const MOST_PIXELS: u128 = 1 << 28;
const GAP: u32 = 8;
const HEADING: u32 = 18;
const LABEL: u32 = 15;

impl Picture {
    /// Rejects a picture without rows.
    pub(crate) fn check_rows(rows: usize) -> Result<()> {
        if rows == 0 {
            return Err(Error::new(ErrorKind::Usage, "a picture needs rows").expected("1 or more").found(0));
        }
        Ok(())
    }

    /// Arranges rows of images under column titles. Small images are enlarged; short rows end early.
    ///
    /// ```
    /// use geolearn::{Picture, Raster};
    ///
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?.to_rgb_image();
    /// let picture = Picture::grid("One place, twice", &["left", "right"], &[vec![chip.clone(), chip]])?;
    /// assert!(picture.as_rgb_image().width() > 2 * 64);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` if the picture would be too large, `Unsupported` if the text cannot be drawn.
    pub fn grid(title: &str, columns: &[&str], rows: &[Vec<RgbImage>]) -> Result<Self> {
        let rows: Vec<Vec<RgbImage>> = rows.iter().map(|row| row.iter().map(enlarged).collect()).collect();
        let cells = || rows.iter().flatten();
        let cell_width =
            cells().map(RgbImage::width).chain(columns.iter().map(|c| width_of(c, LABEL))).max().unwrap_or(CELL);
        let cell_height = cells().map(RgbImage::height).max().unwrap_or(CELL);
        let (across, down) = (columns.len().max(1) as u32, rows.len() as u32);
        check_size(columns.len().max(1), rows.len(), cell_width, cell_height)?;
        let top = HEADING + LABEL + 3 * GAP;
        let width = (across * (cell_width + GAP) + GAP).max(width_of(title, HEADING) + 2 * GAP);
        let height = top + down * (cell_height + GAP);

        let mut picture = drawn(width, height, |area| {
            let at = |x: u32, y: u32| (x as i32, y as i32);
            area.draw(&Text::new(title.to_string(), at(width / 2, GAP + HEADING / 2), centered(HEADING)))
                .map_err(trouble)?;
            columns.iter().enumerate().try_for_each(|(i, name)| {
                let x = GAP + i as u32 * (cell_width + GAP) + cell_width / 2;
                let y = 2 * GAP + HEADING + LABEL / 2;
                area.draw(&Text::new(name.to_string(), at(x, y), centered(LABEL))).map_err(trouble)
            })
        })?;
        for (y, row) in rows.iter().enumerate() {
            for (x, image) in row.iter().enumerate() {
                let left = GAP + x as u32 * (cell_width + GAP) + (cell_width - image.width()) / 2;
                let upper = top + y as u32 * (cell_height + GAP);
                imageops::replace(&mut picture, image, i64::from(left), i64::from(upper));
            }
        }
        Ok(Picture::new(picture))
    }
}

/// Checks the size, since the whole picture is in memory.
fn check_size(columns: usize, rows: usize, width: u32, height: u32) -> Result<()> {
    let side = |count: usize, cell: u32| (count as u128) * u128::from(cell + GAP);
    let pixels = side(columns, width) * side(rows, height);
    if pixels > MOST_PIXELS {
        return Err(Error::new(ErrorKind::Usage, "the picture would be too large")
            .expected(format!("at most {MOST_PIXELS} pixels"))
            .found(format!("{rows} rows of {columns} images of {width} x {height}"))
            .help("Ask for fewer rows."));
    }
    Ok(())
}

fn enlarged(image: &RgbImage) -> RgbImage {
    let longest = image.width().max(image.height()).max(1);
    let factor = (CELL / longest).max(1);
    imageops::resize(image, image.width() * factor, image.height() * factor, imageops::FilterType::Nearest)
}
