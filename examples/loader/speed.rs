//! Measures the chips per second loaded from one folder.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use geolearn::dataset::Augment;
use geolearn::{DatasetType, Domain, PrepareData};

use super::process;

/// Chips of each domain per batch.
const BATCH: usize = 8;

/// Loads whole epochs for at least `seconds`. Augmentation is off, so that every loader does the same work.
pub fn measure(folder: &Path, workers: usize, seconds: f64) -> Result<(), Box<dyn Error>> {
    let options = PrepareData::new(folder, DatasetType::CycleGan).batch_size(BATCH).workers(workers);
    let data = options.augment(Augment::none()).cache(false).prepare()?;
    let asked = Instant::now();
    black_box(data.epoch(0)?.next().ok_or("no batch")??);
    println!("first_batch_s {}", asked.elapsed().as_secs_f64());
    let (begin, cpu, mut epochs) = (Instant::now(), process::cpu_seconds(), 0);
    while begin.elapsed().as_secs_f64() < seconds {
        epochs += 1;
        for batch in data.epoch(epochs)? {
            black_box(batch?);
        }
    }
    let chips = epochs as f64 * 2.0 * data.len(Domain::A).max(data.len(Domain::B)) as f64;
    println!("chips_per_s {}", chips / begin.elapsed().as_secs_f64());
    println!("chips_per_cpu_s {}", chips / (process::cpu_seconds() - cpu));
    println!("peak_mib {}", process::peak_mib());
    Ok(())
}
