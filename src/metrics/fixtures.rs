//! Images, features, and reference results of other programs, all created by `tests/fixtures/metrics/make.py`.

use ndarray::Array3;
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::arrays::tensor_to_array;
use crate::testing::{fixture, npy};

/// Returns a number or list in `truth.json`, by its JSON pointer.
pub(super) fn truth(pointer: &str) -> Value {
    let text = std::fs::read_to_string(fixture("metrics/truth.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap().pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).clone()
}

/// Returns an image (C, H, W).
pub(super) fn array(name: &str) -> Array3<f32> {
    tensor_to_array(&npy(&format!("metrics/{name}.npy"))).unwrap()
}

/// Returns two images of 3 bands and 23 x 31 pixels, with integers in [0, 255].
pub(super) fn pair() -> (Array3<f32>, Array3<f32>) {
    (array("image"), array("reference"))
}

/// Returns the same with a few nodata pixels: in all bands of the image, and in the first band of the reference.
pub(super) fn pair_with_gaps() -> (Array3<f32>, Array3<f32>) {
    let (mut image, mut reference) = pair();
    image.slice_mut(ndarray::s![.., 0, 20..23]).fill(f32::NAN);
    reference[(0, 17, 7)] = f32::NAN;
    (image, reference)
}

/// Returns a set of feature vectors (N, 64), "a" or "b".
pub(super) fn features(set: &str) -> Tensor {
    npy(&format!("metrics/features_{set}.npy")).to_kind(Kind::Double)
}
