//! Compares the network with the original (`tests/fixtures/inception/make.py`), and tests invalid files of weights.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use tch::{Kind, Tensor};

use super::*;
use crate::metrics::feature_set::FeatureDistances;
use crate::testing::{self, Tolerance, npy};

/// Features are between 0 and about 5. Differences from another order of f32 sums, with the batch norms folded in, stay
/// well below this.
const FEATURE: Tolerance = Tolerance::abs(1e-4);
const BOTH: [(Resize, &str); 2] = [(Resize::Tensorflow, "tensorflow"), (Resize::Clean, "clean")];

/// Every tenth chip of each domain, 16 of each, as (32, 3, 64, 64) in u8.
fn chips() -> Tensor {
    let of_domain = |domain: &str| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/bluemarble").join(domain).join("images");
        let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().step_by(10).take(16).collect::<Vec<_>>()
    };
    let chip = |path: PathBuf| {
        let picture = image::open(path).unwrap().to_rgb8();
        Tensor::from_slice(picture.as_raw()).view([64, 64, 3]).permute([2, 0, 1])
    };
    let paths = [of_domain("A"), of_domain("B")].concat();
    Tensor::stack(&paths.into_iter().map(chip).collect::<Vec<_>>(), 0)
}

/// Four images of 299x299 pixels, each composed of 5x5 chips.
fn mosaics(chips: &Tensor) -> Tensor {
    let mosaic = |first| {
        let row = |y: i64| Tensor::cat(&(0..5).map(|x| chips.get(first + 5 * y + x)).collect::<Vec<_>>(), 2);
        Tensor::cat(&(0..5).map(row).collect::<Vec<_>>(), 1).narrow(1, 0, 299).narrow(2, 0, 299)
    };
    Tensor::stack(&[0i64, 2, 4, 7].map(mosaic), 0)
}

#[test]
fn features_equal_those_of_the_original_network() {
    let Some(inception) = testing::inception(Device::Cpu) else { return };
    let chips = chips();
    for (resize, name) in BOTH {
        // Already of this size, so neither method changes them.
        let found = inception.features(&mosaics(&chips), resize).unwrap();
        FEATURE.tensor(name, &found, &npy("inception/features_mosaics.npy"));
        let found = inception.features(&chips, resize).unwrap();
        FEATURE.tensor(name, &found, &npy(&format!("inception/features_{name}.npy")));
    }
}

/// Compares distances between this crate's features of both domains with those that SciPy computes from the original's
/// (`make_distances.py`). KID is a difference of sums a hundred times as large.
#[test]
fn distances_are_those_of_the_original_features() {
    let Some(inception) = testing::inception(Device::Cpu) else { return };
    let text = std::fs::read_to_string(testing::fixture("inception/distances.json")).unwrap();
    let truth: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (resize, name) in BOTH {
        let features = inception.features(&chips(), resize).unwrap();
        let (a, b) = (features.narrow(0, 0, 16), features.narrow(0, 16, 16));
        let FeatureDistances { fid, kid } = FeatureDistances::between(&a, &b).unwrap();
        let of = |distance: &str| truth[name][distance].as_f64().unwrap();
        assert!((fid / of("fid") - 1.0).abs() < 1e-3, "{name}: {fid} instead of {}", of("fid"));
        assert!((kid.value / of("kid") - 1.0).abs() < 1e-4, "{name}: {} instead of {}", kid.value, of("kid"));
    }
}

#[test]
fn features_repeat_and_do_not_depend_on_the_kind_of_the_images() {
    let Some(inception) = testing::inception(Device::Cpu) else { return };
    let chips = chips().narrow(0, 0, 2);
    let features = |images: &Tensor| inception.features(images, Resize::default()).unwrap();
    let first = features(&chips);
    assert_eq!(features(&chips), first);
    assert_eq!(features(&chips.to_kind(Kind::Float)), first);
    assert_eq!((first.kind(), first.device()), (Kind::Float, tch::Device::Cpu));
}

#[test]
fn features_on_cuda_are_those_of_the_original_network() {
    let Some(tch::Device::Cuda(index)) = testing::cuda() else { return };
    let Some(inception) = testing::inception(Device::Cuda(index)) else { return };
    for (resize, name) in BOTH {
        let found = inception.features(&chips(), resize).unwrap();
        FEATURE.tensor(name, &found, &npy(&format!("inception/features_{name}.npy")));
    }
}

/// An image without symmetries, in integer arithmetic.
fn pattern(height: i64, width: i64) -> Tensor {
    let axis = |side: i64, shape: [i64; 3]| Tensor::arange(side, (Kind::Int64, tch::Device::Cpu)).view(shape);
    let (y, x, c) = (axis(height, [1, height, 1]), axis(width, [1, 1, width]), axis(3, [3, 1, 1]));
    (&y * &y * 7 + &x * &x * 3 + &y * &x * 13 + c * 91).remainder(256).to_kind(Kind::Uint8).unsqueeze(0)
}

/// A few f32 rounding errors, relative to the values.
#[test]
fn images_are_resized_as_tensorflow_and_pillow_do() {
    let picked: Vec<i64> = (0..299).step_by(13).chain([298]).collect();
    let picked = Tensor::from_slice(&picked);
    for (resize, name) in BOTH {
        for (height, width) in [(64, 64), (37, 523), (410, 299)] {
            let found = resize.apply(&pattern(height, width)).unwrap().squeeze_dim(0);
            let found = found.index_select(1, &picked).index_select(2, &picked);
            let what = format!("{name}_{height}x{width}");
            Tolerance::abs(255.0 * 1e-6).tensor(&what, &found, &npy(&format!("inception/{what}.npy")));
        }
        let pixel = resize.apply(&Tensor::full([1, 3, 1, 1], 7.0, (Kind::Float, tch::Device::Cpu))).unwrap();
        assert_eq!(pixel, Tensor::full([1, 3, 299, 299], 7.0, (Kind::Float, tch::Device::Cpu)), "{name}");
    }
}

/// Writes a file of zeros of the right length after this header.
fn zeros(path: &Path, header: &str) {
    let header = format!("{header}{}", " ".repeat(header.len().next_multiple_of(8) - header.len()));
    let data: i64 = weights_file::convolutions().iter().flat_map(|c| c.tensors()).map(|(_, s)| bytes(&s)).sum();
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(8 + header.len() as u64 + data as u64).unwrap();
}

fn bytes(shape: &[i64]) -> i64 {
    4 * shape.iter().product::<i64>()
}

/// The header of a file of all tensors.
fn header() -> String {
    let mut begin = 0;
    let entry = |(name, shape): (String, Vec<i64>)| {
        let end = begin + bytes(&shape);
        let entry = format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#);
        begin = end;
        entry
    };
    let entries: Vec<_> = weights_file::convolutions().iter().flat_map(|c| c.tensors()).map(entry).collect();
    format!("{{{}}}", entries.join(","))
}

#[test]
fn other_weights_are_taken_only_when_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zeros.safetensors");
    zeros(&path, &header());
    let error = Inception::open(&path, Device::Cpu).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    for part in [path.to_str().unwrap(), weights_file::SHA256, "cargo xtask inception", "open_unverified"] {
        assert!(error.to_string().contains(part), "{error}");
    }

    let inception = Inception::open_unverified(&path, Device::Cpu).unwrap();
    let cpu = |kind| (kind, tch::Device::Cpu);
    let none = inception.features(&Tensor::zeros([0, 3, 8, 8], cpu(Kind::Float)), Resize::Clean).unwrap();
    assert_eq!(none.size(), [0, 2048]);
    let one = inception.features(&Tensor::ones([1, 3, 8, 9], cpu(Kind::Uint8)), Resize::Clean).unwrap();
    assert_eq!(one, Tensor::zeros([1, 2048], cpu(Kind::Float)));
    for wrong in [
        Tensor::zeros([3, 8, 8], cpu(Kind::Uint8)),
        Tensor::zeros([1, 4, 8, 8], cpu(Kind::Uint8)),
        Tensor::zeros([1, 3, 0, 8], cpu(Kind::Uint8)),
        Tensor::zeros([1, 3, 8, 8], cpu(Kind::Double)),
        Tensor::full([1, 3, 8, 8], -0.5, cpu(Kind::Float)),
        Tensor::full([1, 3, 8, 8], 256.0, cpu(Kind::Float)),
        Tensor::full([1, 3, 8, 8], f64::NAN, cpu(Kind::Float)),
    ] {
        let error = inception.features(&wrong, Resize::Tensorflow).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}

/// Files of one tensor, each with the resulting error.
#[test]
fn files_of_something_else_are_refused() {
    let value = |number: f32| number.to_le_bytes().repeat(32);
    let of = |name: &str, dtype: &str, data: &[u8]| {
        let entry = format!(r#"{{"{name}":{{"dtype":"{dtype}","shape":[32],"data_offsets":[0,{}]}}}}"#, data.len());
        [&(entry.len() as u64).to_le_bytes(), entry.as_bytes(), data].concat()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let whole = of("conv.beta", "F32", &value(1.0));
    for (file, part) in [
        (whole.clone(), "a tensor `conv.mean`"),
        (whole[..whole.len() - 1].to_vec(), "whole safetensors file"),
        (whole[..20].to_vec(), "whole safetensors file"),
        (Vec::new(), "whole safetensors file"),
        (of("conv.gamma", "F32", &value(1.0)), "`conv.gamma`"),
        (of("conv.beta", "F64", &value(1.0).repeat(2)), "F64"),
        (of("conv_3.beta", "F32", &value(1.0)), "of shape [80], found F32 of shape [32]"),
        (of("conv.mean", "F32", &value(f32::NAN)), "finite"),
        (of("conv.mean", "F32", &value(f32::INFINITY)), "finite"),
        (of("conv.var", "F32", &value(-1.0)), "negative"),
    ] {
        std::fs::write(&path, file).unwrap();
        for open in [Inception::open, Inception::open_unverified] {
            let error = open(&path, Device::Cpu).unwrap_err();
            assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(path.as_path())), "{error}");
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }
    let file = File::create(&path).unwrap();
    file.set_len(1 << 32).unwrap();
    assert_eq!(Inception::open_unverified(&path, Device::Cpu).unwrap_err().kind(), ErrorKind::Limits);
}

#[test]
fn a_missing_file_is_told_with_both_ways_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = place(None, Some(folder.path().into())).unwrap();
    let error = Inception::open(&path, Device::Cpu).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    for part in [path.to_str().unwrap(), "cargo xtask inception", VARIABLE] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(place(Some("a/b".into()), Some(folder.path().into())).unwrap(), Path::new("a/b"));
    assert_eq!(place(Some("".into()), Some(folder.path().into())).unwrap(), path);
    assert_eq!(place(None, None).unwrap_err().kind(), ErrorKind::Usage);
}

/// Keras counts 21,768,352 trainable parameters in its InceptionV3 without the classifier: weights and beta.
#[test]
fn the_graph_has_the_known_size() {
    let convolutions = weights_file::convolutions();
    let parameters: i64 = convolutions.iter().map(|c| c.shape.iter().product::<i64>() + c.shape[0]).sum();
    assert_eq!((convolutions.len(), parameters), (94, 21_768_352));
}
