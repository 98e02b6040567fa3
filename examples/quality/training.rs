//! Trains one recipe for a given time.

use std::path::Path;
use std::time::{Duration, Instant};

use geolearn::models::cyclegan::CycleGanBuilder;
use geolearn::runtime::num_threads;
use geolearn::{CycleGan, DataBunch, Domain, FitOptions, Pix2Pix};
use serde_json::{Value, json};

use crate::Outcome;
use crate::arguments::{Size, Training};
use crate::chips;
use crate::clock::Clock;
use crate::model::{Kind, Model};
use crate::recipes::Mixture;

/// More epochs than any measurement needs; the clock ends the fit.
const MANY: usize = 1_000_000;

/// Trains and saves a model, and returns a summary.
pub fn train(asked: &Training) -> Outcome<Value> {
    let recipe = Mixture::named(&asked.recipe)?;
    let data = chips::data(&asked.folder, recipe.kind(), asked.seed)?;
    let step = asked.step_seconds;
    let epochs = epochs(asked.seconds, step * data.batches_per_epoch() as f64)?;
    let mut model = untrained(&recipe, &data, &asked.size)?;
    let begin = Instant::now();
    // Validation would take time away from training.
    model.fit(recipe.fit(FitOptions::new(epochs).validate_every(0)))?;
    let took = begin.elapsed().as_secs_f64();
    model.save_safetensors(&asked.weights)?;
    Ok(json!({
        "epochs": epochs,
        "steps": model.history().steps(),
        "seconds": took,
        "step_seconds": step,
        "chips_a": data.len(Domain::A),
        "chips_b": data.len(Domain::B),
        "threads": num_threads(),
        "device": if model.device().torch().is_cuda() { "cuda" } else { "cpu" },
        "by": format!("geolearn {}", env!("CARGO_PKG_VERSION")),
    }))
}

/// Builds the model of a recipe. A U-Net halves its chips as often as possible, up to eight times.
fn untrained(recipe: &Mixture, data: &DataBunch, size: &Size) -> geolearn::Result<Model> {
    Ok(match recipe.kind() {
        Kind::CycleGan => Model::CycleGan(recipe.cyclegan(builder(data, size)).build()?),
        Kind::Pix2Pix => {
            let &Size { features, blocks } = size;
            let (height, width) = data.chip_size(Domain::A);
            let levels = height.trailing_zeros().min(width.trailing_zeros()).clamp(2, 8) as usize;
            let builder = Pix2Pix::builder(data).gen_levels(levels).gen_features(features);
            Model::Pix2Pix(recipe.pix2pix(builder.disc_features(features).gen_blocks(blocks)).build()?)
        }
    })
}

/// Builds a CycleGAN of the requested size with the published recipe.
pub fn builder(data: &DataBunch, size: &Size) -> CycleGanBuilder {
    let &Size { features, blocks } = size;
    CycleGan::builder(data).gen_features(features).disc_features(features).gen_blocks(blocks)
}

/// Measures the seconds per step with a temporary model.
pub fn time(folder: &Path, recipe: &str, seconds: f64, size: &Size) -> Outcome<Value> {
    let recipe = Mixture::named(recipe)?;
    let mut model = untrained(&recipe, &chips::data(folder, recipe.kind(), 0)?, size)?;
    let (clock, seconds) = Clock::new(Duration::try_from_secs_f64(seconds)?);
    model.fit(recipe.fit(FitOptions::new(MANY).validate_every(0).progress(false)).callback(clock))?;
    Ok(json!({ "step_seconds": seconds.get().ok_or("the fit ended before a step could be timed")? }))
}

/// Returns the number of whole epochs that fit into the time, so that the learning-rate schedule completes.
fn epochs(seconds: f64, epoch: f64) -> Outcome<usize> {
    match (seconds / epoch).floor() {
        epochs if epochs >= 1.0 => Ok(epochs as usize),
        _ => Err(format!("one epoch takes {epoch:.1} s, more than the {seconds} s available").into()),
    }
}
