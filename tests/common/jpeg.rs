//! What other decoders read in the JPEGs among the fixtures (`fixtures/jpeg/make.py`).

use std::path::Path;

use geolearn::raster::{RasterFile, Samples};

/// Tells whether samples of a JPEG are those of another decoder, as far as two decoders agree; none of other files.
///
/// T.81 leaves the rounding of the inverse DCT to decoders (2 levels of 255), and how subsampled colors are enlarged (4).
/// libjpeg-turbo repeats the samples of images that are one or two colors wide, where others blend them.
pub fn is_as_elsewhere(path: &Path, samples: &Samples) -> Option<bool> {
    let name = path.file_name()?.to_str()?;
    let truth = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/jpeg/{name}.png"));
    let truth = RasterFile::open(truth).ok()?.read().ok()?;
    let levels = match name {
        "jpeg_thin_420_progressive.jpg" => 16.0,
        _ if is_whole(name) => 2.0,
        _ => 4.0,
    };
    let differences = (samples.to_f32() - truth.to_f32()).mapv(f32::abs);
    Some(differences.iter().all(|difference| *difference <= levels))
}

/// Tells whether no color is subsampled.
fn is_whole(name: &str) -> bool {
    matches!(
        name,
        "b3_uint8_jpeg_planar.tif"
            | "cmyk.jpg"
            | "grey_adobe_after_sof.jpg"
            | "jpeg_444.jpg"
            | "jpeg_cmyk.tif"
            | "jpeg_one_pixel.jpg"
    )
}
