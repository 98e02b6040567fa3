//! World files: six numbers next to an image that define its transform.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Place;

/// Enough for six numbers in any notation.
const CAP: u64 = 4096;

/// Reads the transform of a world file next to an image, in rasterio's order; `None` if there is no such file.
pub(super) fn transform(image: &Path) -> Option<[f64; 6]> {
    names(image).iter().find_map(|path| parse(&text(path)?))
}

/// Sets the transform of an image without one from its world file.
pub(super) fn complete(place: &mut Place, image: &Path) {
    if place.transform.is_none() {
        place.transform = transform(image);
    }
}

/// Returns the possible paths of an image's world file. GDAL looks for the same: `.tfw` or `.tifw` next to a `.tif`,
/// then `.wld`, each in uppercase too.
pub(super) fn names(image: &Path) -> Vec<PathBuf> {
    let ending = image.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let (first, last) = (ending.chars().next(), ending.chars().last());
    let short = first.zip(last).map(|(first, last)| format!("{first}{last}w"));
    let endings = short.into_iter().chain([format!("{ending}w"), "wld".into()]);
    let cases = |ending: String| [ending.to_lowercase(), ending.to_uppercase()];
    endings.flat_map(cases).map(|ending| image.with_extension(ending)).collect()
}

fn text(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(CAP).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The last two numbers are the center of the first pixel.
fn parse(text: &str) -> Option<[f64; 6]> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(6);
    let numbers: Vec<f64> = lines.map(|line| line.replace(',', ".").parse().ok()).collect::<Option<_>>()?;
    let [a, d, b, e, x, y] = numbers[..] else { return None };
    let is_flat = (a == 0.0 && b == 0.0) || (d == 0.0 && e == 0.0);
    (!is_flat).then_some([a, b, x - 0.5 * a - 0.5 * b, d, e, y - 0.5 * d - 0.5 * e])
}

/// Returns the text of a world file.
pub(super) fn written([a, b, c, d, e, f]: [f64; 6]) -> String {
    let (x, y) = (c + 0.5 * a + 0.5 * b, f + 0.5 * d + 0.5 * e);
    [a, d, b, e, x, y].map(|number| format!("{number}\n")).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corner_is_half_a_pixel_before_the_center() {
        let north_up = "10.0\n0\n0\n-10.0\n500005\n4099995\n";
        assert_eq!(parse(north_up), Some([10.0, 0.0, 500_000.0, 0.0, -10.0, 4_100_000.0]));
        assert_eq!(parse("8\n3\n3\n-8\n0\n0"), Some([8.0, 3.0, -5.5, 3.0, -8.0, 2.5]));
        assert_eq!(parse("0\n0\n0\n-1\n0\n0"), None);
        assert_eq!(parse("1\n2\nx"), None);
    }
}
