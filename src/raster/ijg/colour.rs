//! What the components of a JPEG stand for, and what GDAL makes of them.

use super::header::Header;

/// From components to bands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Colours {
    /// Components are bands.
    Stored,
    /// Luminance and colour differences become red, green, blue.
    Ycbcr,
    /// Cyan, magenta, yellow, black become red, green, blue, as in GDAL's driver.
    Cmyk,
    /// The same, with the first three as luminance and colour differences.
    Ycck,
}

impl Colours {
    /// As libjpeg 9's `default_decompress_parms` decides: identifiers of components go before markers.
    pub fn of(header: &Header) -> Self {
        let components = header.frame().map(|frame| &frame.components[..]).unwrap_or_default();
        let ids: Vec<u8> = components.iter().map(|component| component.id).collect();
        match (&ids[..], header.adobe_transform) {
            ([1, 2, 3], _) => Self::Ycbcr,
            (b"RGB", _) => Self::Stored,
            ([_, _, _], Some(0)) if !header.has_jfif => Self::Stored,
            ([_, _, _], _) => Self::Ycbcr,
            ([_, _, _, _], None | Some(0)) => Self::Cmyk,
            ([_, _, _, _], _) => Self::Ycck,
            _ => Self::Stored,
        }
    }

    pub fn bands(self, components: usize) -> usize {
        if self == Self::Stored { components } else { 3 }
    }

    /// One line from its components to pixel-interleaved bands.
    pub(super) fn convert(self, lines: &[&[u8]], to: &mut [u8]) {
        match (self, lines) {
            (Self::Ycbcr, [y, cb, cr]) => {
                for (pixel, ((y, cb), cr)) in to.as_chunks_mut::<3>().0.iter_mut().zip(y.iter().zip(*cb).zip(*cr)) {
                    *pixel = rgb(*y, *cb, *cr);
                }
            }
            (Self::Cmyk | Self::Ycck, [a, b, c, black]) => {
                let inks = a.iter().zip(*b).zip(*c).zip(*black);
                for (pixel, (((a, b), c), black)) in to.as_chunks_mut::<3>().0.iter_mut().zip(inks) {
                    let colours = if self == Self::Ycck { rgb(*a, *b, *c).map(|v| 255 - v) } else { [*a, *b, *c] };
                    *pixel = colours.map(|colour| (u16::from(colour) * u16::from(*black) / 255) as u8);
                }
            }
            _ => {
                for (band, line) in lines.iter().enumerate() {
                    let samples = to.iter_mut().skip(band).step_by(lines.len());
                    samples.zip(*line).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}

/// libjpeg 9's `jdcolor.c`: ITU-R BT.601 on whole numbers, 65536 to the unit.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    const HALF: i32 = 1 << 15;
    let red = (91_881 * cr + HALF) >> 16;
    let green = (-22_553 * cb - 46_802 * cr + HALF) >> 16;
    let blue = (116_130 * cb + HALF) >> 16;
    [red, green, blue].map(|difference| (y + difference).clamp(0, 255) as u8)
}
