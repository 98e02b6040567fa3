//! Compares JPEG fixtures with the output of other decoders (`fixtures/jpeg/make.py`).

use std::path::Path;

use geolearn::raster::{RasterFile, Samples};

/// Returns whether the samples of a JPEG match another decoder's within the tolerance of the format; `None` for files
/// without a reference.
///
/// T.81 leaves the rounding of the inverse DCT (2 levels of 255) and the upsampling of chroma (4) to decoders.
/// libjpeg-turbo repeats samples in images that are one or two chroma samples wide, where others interpolate.
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

/// Returns whether no color component is subsampled.
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
