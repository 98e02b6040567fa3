//! Command-line arguments.

use std::path::PathBuf;

use clap::{Args, Parser};

/// Trains one recipe for a given time and evaluates its translations. The header of `main.rs` describes the tasks.
#[derive(Parser)]
#[command(name = "quality")]
pub enum Task {
    /// List what each recipe changes
    Recipes {
        /// Comma-separated; recipes can be combined with `+`
        names: String,
    },
    /// Copy chips, and save an untrained model and the value ranges
    Prepare {
        folder: PathBuf,
        /// Source folder of the chips
        #[arg(long, value_name = "FOLDER")]
        chips: PathBuf,
        /// Treat images of the same name as pairs of one place, and keep them together
        #[arg(long)]
        paired: bool,
        #[command(flatten)]
        size: Size,
    },
    /// Evaluate the baselines
    Baselines {
        folder: PathBuf,
        #[command(flatten)]
        size: Size,
        #[command(flatten)]
        pairs: Pairs,
    },
    /// Time a training step
    Time {
        folder: PathBuf,
        /// Recipes can be combined with `+`
        #[arg(long, value_name = "NAME")]
        recipe: String,
        /// Seconds to measure for
        #[arg(long, value_name = "S")]
        seconds: f64,
        #[command(flatten)]
        size: Size,
    },
    /// Train a model and save its weights
    Train(Training),
    /// Evaluate a saved model
    Judge {
        folder: PathBuf,
        /// Recipe that trained the model
        #[arg(long, value_name = "NAME")]
        recipe: String,
        /// The saved model
        #[arg(long, value_name = "FILE")]
        weights: PathBuf,
        /// File for a picture of translations
        #[arg(long, value_name = "FILE")]
        picture: Option<PathBuf>,
        #[command(flatten)]
        pairs: Pairs,
    },
}

/// A training run of a given duration.
#[derive(Args)]
pub struct Training {
    pub folder: PathBuf,
    /// Recipes can be combined with `+`
    #[arg(long, value_name = "NAME")]
    pub recipe: String,
    /// Seed of the data and the model
    #[arg(long, value_name = "N")]
    pub seed: u64,
    /// Seconds to train for
    #[arg(long, value_name = "S")]
    pub seconds: f64,
    /// Seconds per step
    #[arg(long, value_name = "S")]
    pub step_seconds: f64,
    /// File for the weights
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    #[command(flatten)]
    pub size: Size,
}

/// The size of the networks.
#[derive(Args)]
pub struct Size {
    /// Features of all networks
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub features: usize,
    /// Residual blocks in the generators
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub blocks: usize,
}

/// Images of the same places in both domains.
#[derive(Args)]
pub struct Pairs {
    /// Images of domain A
    #[arg(long, value_name = "FOLDER", requires = "pairs_b")]
    pub pairs_a: Option<PathBuf>,
    /// Images of domain B
    #[arg(long, value_name = "FOLDER", requires = "pairs_a")]
    pub pairs_b: Option<PathBuf>,
}

impl Pairs {
    /// Returns both folders, if given.
    pub fn both(self) -> Option<[PathBuf; 2]> {
        self.pairs_a.zip(self.pairs_b).map(|(a, b)| [a, b])
    }
}
