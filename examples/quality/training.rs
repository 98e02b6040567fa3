//! Trains one recipe for a given time.

use std::path::Path;
use std::time::{Duration, Instant};

use geolearn::{CycleGan, CycleGanBuilder, DataBunch, FitOptions, num_threads};
use serde_json::{Value, json};

use crate::Outcome;
use crate::arguments::Arguments;
use crate::chips;
use crate::clock::Clock;
use crate::recipes::Mixture;

const FEATURES: usize = 16;
const BLOCKS: usize = 3;
/// Share of the time that is spent on measuring a step, beforehand.
const MEASURED: f64 = 0.1;
/// More than any measurement takes; the clock ends it.
const MANY: usize = 1_000_000;

/// Trains and saves a model; returns what was done.
pub fn train(folder: &Path, arguments: &Arguments) -> Outcome<Value> {
    let recipe = Mixture::named(&arguments.needed::<String>("--recipe")?)?;
    let seconds: f64 = arguments.needed("--seconds")?;
    let data = chips::data(folder, arguments.needed("--seed")?)?;
    let new = || Ok::<_, Box<dyn std::error::Error>>(recipe.model(builder(&data, arguments)?).build()?);
    let step = step_seconds(new()?, &recipe, MEASURED * seconds)?;
    let epochs = epochs(seconds, step * data.batches_per_epoch() as f64)?;
    let mut model = new()?;
    let begin = Instant::now();
    // Validation would take time from training.
    model.fit(recipe.fit(FitOptions::new(epochs).validate_every(0)))?;
    let took = begin.elapsed().as_secs_f64();
    model.save_safetensors(arguments.needed::<String>("--weights")?)?;
    Ok(json!({
        "epochs": epochs,
        "steps": model.history().steps(),
        "seconds": took,
        "step_seconds_before": step,
        "chips_a": data.len(geolearn::Domain::A),
        "chips_b": data.len(geolearn::Domain::B),
        "threads": num_threads(),
        "device": if model.device().torch().is_cuda() { "cuda" } else { "cpu" },
        "by": format!("geolearn {}", env!("CARGO_PKG_VERSION")),
    }))
}

/// A model of the size that is asked for, with the published recipe.
pub fn builder(data: &DataBunch, arguments: &Arguments) -> Outcome<CycleGanBuilder> {
    let features = arguments.value("--features")?.unwrap_or(FEATURES);
    let blocks = arguments.value("--blocks")?.unwrap_or(BLOCKS);
    Ok(CycleGan::builder(data).gen_features(features).disc_features(features).gen_blocks(blocks))
}

/// Measures a step of a model that is thrown away.
fn step_seconds(mut model: CycleGan, recipe: &Mixture, enough: f64) -> Outcome<f64> {
    let (clock, seconds) = Clock::new(Duration::try_from_secs_f64(enough)?);
    model.fit(recipe.fit(FitOptions::new(MANY).validate_every(0).progress(false)).callback(clock))?;
    seconds.get().ok_or_else(|| "a step could not be measured".into())
}

/// Whole epochs, so that the course of the learning rate comes to its end.
fn epochs(seconds: f64, epoch: f64) -> Outcome<usize> {
    match (seconds / epoch).floor() {
        epochs if epochs >= 1.0 => Ok(epochs as usize),
        _ => Err(format!("one epoch takes {epoch:.1} s, more than the {seconds} s that were given").into()),
    }
}
