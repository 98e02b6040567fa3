//! Measures the time and memory of training steps.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::memory;
use crate::work::{Outcome, Way, Work, at_share, read, write_line};

/// Steps before timing starts: cuDNN selects kernels in the first, the allocator grows, and CUDA graphs are captured.
const WARM_UP: usize = 10;
/// For steps slower than this many milliseconds, at most `MOST_OF_SLOW` are timed.
const SLOW_MS: f64 = 200.0;
const MOST_OF_SLOW: usize = 20;

/// Writes a line for each batch size and way. If one fails, its line gives the reason, and the next one is tried.
pub fn run(file: &Path, side: usize, batches: &[usize], ways: &[Way<'_>], steps: usize) -> Outcome<()> {
    if steps == 0 {
        return Err("at least one step is needed".into());
    }
    let mut failed = 0;
    for &batch in batches {
        for way in ways {
            let mut row = json!({ "way": "geolearn", "side": side, "batch": batch, "precision": way.name });
            let outcome = Work::new(side, batch, way.precision).and_then(|work| measured(work, way, steps));
            match outcome {
                Ok(Value::Object(found)) => row.as_object_mut().into_iter().for_each(|row| row.extend(found.clone())),
                Ok(_) => {}
                Err(error) => {
                    failed += 1;
                    row["error"] = error.to_string().into();
                }
            }
            write_line(file, &row)?;
        }
    }
    if failed > 0 { Err(format!("{failed} could not be measured").into()) } else { Ok(()) }
}

fn measured(mut work: Work, way: &Way<'_>, steps: usize) -> Outcome<Value> {
    memory::reset(work.model().device().torch());
    let first_losses = read(&work.step()?)?;
    let mut last = 0.0;
    for _ in 1..WARM_UP {
        let begin = Instant::now();
        read(&work.step()?)?;
        last = 1e3 * begin.elapsed().as_secs_f64();
    }
    let steps = if last > SLOW_MS { steps.min(MOST_OF_SLOW) } else { steps };
    let mut times = Vec::new();
    for _ in 0..steps {
        let begin = Instant::now();
        read(&work.step()?)?;
        times.push(1e3 * begin.elapsed().as_secs_f64());
    }
    let begin = Instant::now();
    for _ in 1..steps {
        drop(work.step()?);
    }
    read(&work.step()?)?;
    let unread = 1e3 * begin.elapsed().as_secs_f64() / steps as f64;
    work.check(way)?;
    times.sort_by(f64::total_cmp);
    let at = |share| at_share(&times, share);
    Ok(json!({
        "device": device(&work),
        "steps": steps,
        "median_ms": at(0.5),
        "p10_ms": at(0.1),
        "p90_ms": at(0.9),
        "unread_ms": unread,
        "memory_mib": memory::peak_mib(work.model().device().torch()),
        "first_losses": first_losses,
    }))
}

/// Returns the device type as `torch` names it.
fn device(work: &Work) -> &'static str {
    if work.model().device().torch().is_cuda() { "cuda" } else { "cpu" }
}
