//! Images, features and what other programs computed of them: `tests/fixtures/metrics/make.py` made these.

use ndarray::Array3;
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::arrays::tensor_to_array;
use crate::testing::{fixture, npy};

/// A number or list of `truth.json`, by its JSON pointer.
pub(super) fn truth(pointer: &str) -> Value {
    let text = std::fs::read_to_string(fixture("metrics/truth.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap().pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).clone()
}

/// An image (C, H, W).
pub(super) fn array(name: &str) -> Array3<f32> {
    tensor_to_array(&npy(&format!("metrics/{name}.npy"))).unwrap()
}

/// Two images of 3 bands and 23 x 31 pixels, of whole numbers in [0, 255].
pub(super) fn pair() -> (Array3<f32>, Array3<f32>) {
    (array("image"), array("reference"))
}

/// The same without data at a few pixels: in the image in all bands, in the reference in its first band.
pub(super) fn pair_with_gaps() -> (Array3<f32>, Array3<f32>) {
    let (mut image, mut reference) = pair();
    image.slice_mut(ndarray::s![.., 0, 20..23]).fill(f32::NAN);
    reference[(0, 17, 7)] = f32::NAN;
    (image, reference)
}

/// A set of feature vectors (N, 64), "a" or "b".
pub(super) fn features(set: &str) -> Tensor {
    npy(&format!("metrics/features_{set}.npy")).to_kind(Kind::Double)
}
