//! Shows a custom callback that monitors the balance between generator and discriminator, and stops training when the
//! discriminators win.
//!
//! ```text
//! cargo run --release --example custom_callback -- [EPOCHS]
//! ```
//!
//! A discriminator whose loss approaches zero recognizes every generated image, so the generator no longer learns from
//! it. This callback writes one line per epoch to its own log file, and stops the fit after three such epochs in a row.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

mod common;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Parser;
use geolearn::dataset::Augment;
use geolearn::train::{Callback, Checkpoint, EndReport, EpochReport, FitReport, Flow, StepReport};
use geolearn::{CycleGan, DatasetType, Error, FitOptions, PrepareData, Result};

/// The discriminators have won when their mean loss falls below this; both losses are near 0.25 when the game is
/// balanced.
const WON: f64 = 0.02;
const PATIENCE: usize = 3;

struct Balance {
    path: PathBuf,
    log: Option<File>,
    /// Largest generator loss of any step in the current epoch.
    worst_step: f64,
}

impl Balance {
    fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), log: None, worst_step: 0.0 }
    }

    fn line(&mut self, text: &str) -> Result<()> {
        let Some(log) = &mut self.log else { return Ok(()) };
        writeln!(log, "{text}").map_err(|e| Error::callback(format!("{}: {e}", self.path.display())))
    }
}

impl Callback for Balance {
    fn on_fit_start(&mut self, report: &FitReport<'_>) -> Result<Flow> {
        // A resumed fit appends to the log.
        let log = File::options()
            .create(true)
            .append(report.steps_done > 0)
            .write(true)
            .truncate(report.steps_done == 0)
            .open(&self.path)
            .map_err(|e| Error::callback(format!("{}: {e}", self.path.display())))?;
        self.log = Some(log);
        self.line(&format!("{} epochs of {} steps", report.epochs, report.steps_per_epoch))?;
        Ok(Flow::Continue)
    }

    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        let place = report.names.iter().position(|name| name == "generator");
        let loss = place.and_then(|i| report.losses.get(i)).copied().unwrap_or(0.0);
        self.worst_step = self.worst_step.max(loss);
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        let curve = |name| report.history.losses(name).unwrap_or_default();
        let means: Vec<f64> =
            curve("discriminator_a").iter().zip(curve("discriminator_b")).map(|(a, b)| (a + b) / 2.0).collect();
        let worst = std::mem::take(&mut self.worst_step);
        self.line(&format!(
            "epoch {}: discriminators {:.3}, worst step {worst:.2}",
            report.epoch,
            means[means.len() - 1]
        ))?;
        // Depends on the history alone, so a resumed fit stops where an uninterrupted one would.
        let won = means.iter().rev().take_while(|&&mean| mean < WON).count() >= PATIENCE;
        Ok(if won { Flow::Stop } else { Flow::Continue })
    }

    fn on_fit_end(&mut self, report: &EndReport<'_>) -> Result<()> {
        self.line(&format!("{} epochs in total", report.history.epochs().len()))
    }
}

/// Trains for a few epochs, and logs the balance between generator and discriminator to out/balance.txt.
#[derive(Parser)]
#[command(name = "custom_callback")]
struct Arguments {
    /// Epochs to train for
    #[arg(default_value_t = 3)]
    epochs: usize,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let Arguments { epochs } = Arguments::parse();
    let chips = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/bluemarble");
    let data = PrepareData::new(chips, DatasetType::CycleGan).augment(Augment::none()).prepare()?;
    let mut model = CycleGan::builder(&data).gen_blocks(2).gen_features(8).disc_features(8).build()?;
    std::fs::create_dir_all("out")?;
    let (log, checkpoints) = ("out/balance.txt", "out/balance_checkpoints");
    let signal = common::stop_on_ctrl_c()?;
    let fit = FitOptions::new(epochs)
        .checkpoint(Checkpoint::Last)
        .checkpoint_dir(checkpoints)
        .resume(true)
        .callback(Balance::new(log))
        .callback(signal.clone());
    model.fit(fit)?;
    if signal.is_set() {
        println!("Stopped; run the same command again to resume.");
    } else {
        // Otherwise the next run would resume a finished fit and train nothing.
        std::fs::remove_file(Path::new(checkpoints).join("last.safetensors"))?;
    }
    print!("{}", std::fs::read_to_string(log)?);
    Ok(())
}
