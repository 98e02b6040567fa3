//! Draws text on pictures, with a bundled font so that it looks the same everywhere.

use std::sync::Once;

use image::RgbImage;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::error::{Error, ErrorKind, Result};

const FONT: &str = "sans-serif";
pub(super) const INK: RGBColor = RGBColor(40, 40, 40);

/// Creates a white picture of the given size, and calls `draw` on it.
pub(crate) fn drawn(
    width: u32,
    height: u32,
    draw: impl FnOnce(&DrawingArea<BitMapBackend<'_>, plotters::coord::Shift>) -> Result<()>,
) -> Result<RgbImage> {
    static REGISTER: Once = Once::new();
    // Fails only for an invalid font; drawing text then reports it.
    REGISTER.call_once(|| drop(register_font(FONT, FontStyle::Normal, dejavu::sans::regular())));
    let mut buffer = vec![255u8; width as usize * height as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut buffer, (width, height)).into_drawing_area();
        draw(&area)?;
        area.present().map_err(trouble)?;
    }
    RgbImage::from_raw(width, height, buffer).ok_or_else(|| Error::new(ErrorKind::Usage, "picture has no size"))
}

/// Converts an error of plotters.
pub(super) fn trouble(source: impl std::error::Error) -> Error {
    Error::new(ErrorKind::Unsupported, "picture cannot be drawn").because(source.to_string())
}

/// Returns the bundled font at `size` pixels.
pub(super) fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

/// Returns the bundled font, centered on its position.
pub(super) fn centered(size: u32) -> TextStyle<'static> {
    text(size).pos(Pos::new(HPos::Center, VPos::Center))
}

/// Line width in pixels.
pub(super) fn width_of(line: &str, size: u32) -> u32 {
    text(size).font.box_size(line).map_or(0, |(width, _)| width)
}
