//! Tests that written GeoTIFFs read back unchanged, with this crate's reader and with GDAL. The latter needs a Python
//! with rasterio in GEOLEARN_TEST_PYTHON.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

mod beside;
mod cloud;
#[path = "../common/mod.rs"]
mod common;
mod places;
mod refused;
mod samples;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use geolearn::ErrorKind;
use geolearn::raster::{
    BandScale, BigTiff, Blocks, Compression, Crs, Dtype, Interleave, Place, RasterFile, RasterSpec, RasterWriter,
    Samples,
};
use ndarray::{Array3, s};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const DTYPES: [Dtype; 10] = [
    Dtype::U8,
    Dtype::I8,
    Dtype::U16,
    Dtype::I16,
    Dtype::U32,
    Dtype::I32,
    Dtype::U64,
    Dtype::I64,
    Dtype::F32,
    Dtype::F64,
];
const COMPRESSIONS: [Compression; 4] = [Compression::None, Compression::Deflate, Compression::Lzw, Compression::Zstd];

/// Values over the whole range of a type, half of them smooth; for floats, including NaN and infinities.
fn samples(dtype: Dtype, shape: (usize, usize, usize), seed: u64) -> Samples {
    let bits = |(band, row, column): (usize, usize, usize)| {
        let place = ((band * shape.1 + row) * shape.2 + column) as u64;
        match band % 2 {
            0 => place.wrapping_mul(3).wrapping_add(seed),
            _ => (place ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23),
        }
    };
    let float = |bits: u64| match bits % 97 {
        0 => f64::NAN,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        _ => bits as f64 / 7.0 - 1e6,
    };
    match dtype {
        Dtype::U8 => Samples::U8(Array3::from_shape_fn(shape, |at| bits(at) as u8)),
        Dtype::I8 => Samples::I8(Array3::from_shape_fn(shape, |at| bits(at) as i8)),
        Dtype::U16 => Samples::U16(Array3::from_shape_fn(shape, |at| bits(at) as u16)),
        Dtype::I16 => Samples::I16(Array3::from_shape_fn(shape, |at| bits(at) as i16)),
        Dtype::U32 => Samples::U32(Array3::from_shape_fn(shape, |at| bits(at) as u32)),
        Dtype::I32 => Samples::I32(Array3::from_shape_fn(shape, |at| bits(at) as i32)),
        Dtype::U64 => Samples::U64(Array3::from_shape_fn(shape, bits)),
        Dtype::I64 => Samples::I64(Array3::from_shape_fn(shape, |at| bits(at) as i64)),
        Dtype::F32 => Samples::F32(Array3::from_shape_fn(shape, |at| float(bits(at)) as f32)),
        Dtype::F64 => Samples::F64(Array3::from_shape_fn(shape, |at| float(bits(at)))),
        other => panic!("unexpected sample type {other}"),
    }
}

/// Copies some rows of samples into an array that is not contiguous.
fn rows(samples: &Samples, from: usize, to: usize) -> Samples {
    macro_rules! cut {
        ($($variant:ident),*) => {
            match samples {
                $(Samples::$variant(data) => Samples::$variant(data.slice(s![.., from..to, ..]).to_owned()),)*
                other => panic!("unexpected sample type {}", other.dtype()),
            }
        };
    }
    cut!(U8, I8, U16, I16, U32, I32, U64, I64, F32, F64)
}

fn write(path: &Path, spec: RasterSpec, samples: &Samples, step: usize) {
    let (_, height, _) = spec.shape();
    let mut writer = RasterWriter::create(path, spec).unwrap();
    for from in (0..height).step_by(step) {
        writer.write_rows(&rows(samples, from, (from + step).min(height))).unwrap();
    }
    writer.finish().unwrap();
}

fn hash(samples: &Samples) -> String {
    Sha256::digest(samples.interleaved_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn layouts() -> [(Blocks, Interleave); 4] {
    let tiles = Blocks::Tiles { width: 16, height: 32 };
    [
        (tiles, Interleave::Pixel),
        (tiles, Interleave::Band),
        (Blocks::Strips { rows: 7 }, Interleave::Pixel),
        (Blocks::Strips { rows: 7 }, Interleave::Band),
    ]
}

/// Returns what rasterio reads from each file; `None` without a test Python.
fn rasterio(files: &[PathBuf]) -> Option<Vec<Value>> {
    let script = fixture("geotiff/check.py");
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&script];
    arguments.extend(files.iter().map(|file| file as &dyn AsRef<OsStr>));
    Some(serde_json::from_str(&common::python::run(&arguments)?).unwrap())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn names_in(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
