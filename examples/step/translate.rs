//! Times the generator of the published recipe on one image at a time.

use std::path::Path;
use std::time::Instant;

use geolearn::{CycleGan, DatasetType, Device, Domain, PrepareData};
use ndarray::Array3;
use serde_json::json;

use crate::memory;
use crate::work::{Outcome, asset, at_share, write_line};

/// Images before timing starts.
const WARM_UP: usize = 10;
const BANDS: usize = 3;

/// Writes a line with the milliseconds from an array of `side` x `side` pixels to its translation, both in host memory.
///
/// Uses initial weights, which take as long as trained ones.
pub fn run(file: &Path, side: usize, images: usize) -> Outcome<()> {
    if images == 0 {
        return Err("at least one image is needed".into());
    }
    let data = PrepareData::new(asset("bluemarble"), DatasetType::CycleGan).prepare()?;
    let model = CycleGan::builder(&data).seed(42).device(Device::Auto).build()?;
    let device = model.device().torch();
    let image = Array3::from_shape_fn((BANDS, side, side), |(band, y, x)| ((band * 5 + y * 3 + x) % 256) as f32);
    memory::reset(device);
    let mut times = Vec::new();
    for number in 0..WARM_UP + images {
        let begin = Instant::now();
        let made = model.predict_array(&image, Domain::B)?;
        let milliseconds = 1e3 * begin.elapsed().as_secs_f64();
        if made.dim() != image.dim() {
            return Err(format!("an image of shape {:?} gave one of shape {:?}", image.dim(), made.dim()).into());
        }
        if number >= WARM_UP {
            times.push(milliseconds);
        }
    }
    times.sort_by(f64::total_cmp);
    let row = json!({
        "device": if device.is_cuda() { "cuda" } else { "cpu" },
        "side": side,
        "images": images,
        "median_ms": at_share(&times, 0.5),
        "p10_ms": at_share(&times, 0.1),
        "p90_ms": at_share(&times, 0.9),
        "memory_mib": memory::peak_mib(device),
    });
    write_line(file, &row)
}
