//! Records steps with libtorch's profiler.

use crate::work::{Outcome, Way, Work, read};

const WARM_UP: usize = 5;
const STEPS: usize = 3;

/// Writes one trace per batch size and way, such as `FILE-b1-bf16-3-steps.json` for batch size 1 in bf16.
pub fn run(file: &str, side: usize, batches: &[usize], ways: &[Way<'_>]) -> Outcome<()> {
    for &batch in batches {
        for way in ways {
            let mut work = Work::new(side, batch, way.precision)?;
            for _ in 0..WARM_UP {
                read(&work.step()?)?;
            }
            work.check(way)?;
            let path = format!("{file}-b{batch}-{}-{STEPS}-steps.json", way.name);
            geolearn::profile::trace(&path, || {
                let mut losses = Vec::new();
                for _ in 0..STEPS {
                    losses.push(work.step()?);
                }
                losses.iter().try_for_each(|losses| read(losses).map(drop))
            })?;
            println!("{path}");
        }
    }
    Ok(())
}
