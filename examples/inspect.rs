//! Prints one line of JSON for each raster file.
//!
//! ```text
//! cargo run --release --example inspect -- chips/*.tif
//! ```

use std::path::{Path, PathBuf};

use clap::Parser;
use geolearn::Result;
use geolearn::raster::{Crs, RasterFile, Samples};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Prints one line of JSON for each raster file.
#[derive(Parser)]
#[command(name = "inspect")]
struct Arguments {
    /// Raster files in any supported format
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[allow(clippy::print_stdout, reason = "a program for the terminal")]
fn main() {
    for path in Arguments::parse().files {
        let line = described(&path).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{}", with_path(&path, line));
    }
}

/// Builds the JSON object of a file, starting with its path.
fn with_path(path: &Path, line: Value) -> Value {
    let mut whole = json!({ "path": path.to_string_lossy() });
    if let (Value::Object(whole), Value::Object(line)) = (&mut whole, line) {
        whole.extend(line);
    }
    whole
}

fn described(path: &Path) -> Result<Value> {
    let file = RasterFile::open(path)?;
    let samples = file.read()?;
    let info = file.info();
    let bands: Vec<[Value; 3]> = (0..info.bands()).map(|band| summary(&samples, band)).collect();
    let column = |index: usize| bands.iter().map(|band| band[index].clone()).collect::<Value>();
    Ok(json!({
        "count": info.bands(),
        "dtype": info.dtype().name(),
        "height": info.height(),
        "width": info.width(),
        "crs": info.place().crs().map(|crs| match crs {
            Crs::Epsg(number) => json!(number),
            other => json!(other.to_string()),
        }),
        "transform": info.place().transform(),
        "nodata": info.nodata().map(number),
        "descriptions": info.band_names(),
        "min": column(0),
        "max": column(1),
        "mean": column(2),
        "sha256": hex(&Sha256::digest(samples.interleaved_bytes())),
    }))
}

/// Returns the minimum, maximum and mean of all values that are not NaN.
fn summary(samples: &Samples, band: usize) -> [Value; 3] {
    let (mut min, mut max, mut sum, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0u64);
    for value in samples.band(band).into_iter().flatten().filter(|value| !value.is_nan()) {
        (min, max, sum, count) = (min.min(value), max.max(value), sum + value, count + 1);
    }
    match count {
        0 => [Value::Null, Value::Null, Value::Null],
        count => [number(min), number(max), number(sum / count as f64)],
    }
}

/// Writes NaN and the infinities as strings, since JSON numbers cannot represent them.
fn number(value: f64) -> Value {
    match value {
        finite if finite.is_finite() => json!(finite),
        nan if nan.is_nan() => json!("nan"),
        infinite => json!(if infinite > 0.0 { "inf" } else { "-inf" }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
