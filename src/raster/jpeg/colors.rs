//! The meaning of the components of a JPEG, and the bands that GDAL converts them to.

use super::stream::Stream;

/// The conversion from components to bands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Colors {
    /// Components are bands.
    Stored,
    /// Luminance and color differences (YCbCr) become red, green, and blue.
    Ycbcr,
    /// Cyan, magenta, yellow, and black become red, green, and blue.
    Cmyk,
    /// Like [`Colors::Cmyk`], with the first three components as luminance and color differences.
    Ycck,
}

impl Colors {
    /// Decides like libjpeg 9's `default_decompress_parms`: component identifiers take precedence over markers.
    pub fn of(stream: &Stream) -> Self {
        let ids: Vec<u8> = stream.frame.components.iter().map(|component| component.id).collect();
        match (&ids[..], stream.adobe_transform) {
            ([1, 2, 3], _) => Self::Ycbcr,
            (b"RGB", _) => Self::Stored,
            ([_, _, _], Some(0)) if !stream.has_jfif => Self::Stored,
            ([_, _, _], _) => Self::Ycbcr,
            ([_, _, _, _], None | Some(0)) => Self::Cmyk,
            ([_, _, _, _], _) => Self::Ycck,
            _ => Self::Stored,
        }
    }

    /// Returns the number of bands for this many components.
    pub fn bands(self, components: usize) -> usize {
        if self == Self::Stored { components } else { 3 }
    }

    /// Converts four inks per pixel, as GDAL's driver stores them, to red, green, and blue.
    pub fn mix_inks(self, inks: &[u8]) -> Vec<u8> {
        let color = |&[a, b, c, black]: &[u8; 4]| {
            let colors = if self == Self::Ycck { rgb(a, b, c).map(|value| 255 - value) } else { [a, b, c] };
            colors.map(|color| (u16::from(color) * u16::from(black) / 255) as u8)
        };
        inks.as_chunks::<4>().0.iter().flat_map(color).collect()
    }
}

/// Converts a color by ITU-R BT.601 in fixed-point arithmetic with 65536 as 1, like libjpeg.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    const HALF: i32 = 1 << 15;
    let red = (91_881 * cr + HALF) >> 16;
    let green = (-22_553 * cb - 46_802 * cr + HALF) >> 16;
    let blue = (116_130 * cb + HALF) >> 16;
    [red, green, blue].map(|difference| (y + difference).clamp(0, 255) as u8)
}
