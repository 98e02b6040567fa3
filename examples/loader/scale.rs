//! Measures the time and memory of each start-up phase.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use geolearn::{DataBunch, DatasetType, PrepareData};

use super::process;

/// Measures each phase. Memory is that of the whole process; the peak covers all phases so far.
pub fn measure(folder: &Path) -> Result<(), Box<dyn Error>> {
    phase("start", || Ok(()))?;
    let data = phase("prepare", || Ok(options(folder).prepare()?))?;
    let clones = phase("1000 clones", || Ok(vec![data.clone(); 1000]))?;
    drop(clones);
    let mut batches = phase("first batch of epoch 0", || first(&data, 0))?;
    phase("100 more batches", || Ok(batches.by_ref().take(100).try_for_each(|batch| batch.map(drop))?))?;
    drop(batches);
    drop(phase("first batch of epoch 1", || first(&data, 1))?);
    drop(data);
    phase("prepare again, cached", || Ok(options(folder).prepare()?)).map(drop)
}

fn options(folder: &Path) -> PrepareData {
    PrepareData::new(folder, DatasetType::CycleGan).batch_size(4).workers(2)
}

fn first(data: &DataBunch, epoch: u64) -> Result<geolearn::dataset::Loader, Box<dyn Error>> {
    let mut batches = data.epoch(epoch)?;
    black_box(batches.next().ok_or("no batch")??);
    Ok(batches)
}

fn phase<T>(name: &str, work: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Result<T, Box<dyn Error>> {
    let (begin, cpu) = (Instant::now(), process::cpu_seconds());
    let made = work()?;
    println!(
        "{name:<24} {:9.3} s, {:8.2} CPU-s, {:7.0} MiB now, {:7.0} MiB peak, {} threads",
        begin.elapsed().as_secs_f64(),
        process::cpu_seconds() - cpu,
        process::resident_mib(),
        process::peak_mib(),
        process::threads(),
    );
    Ok(made)
}
