//! What can be asked of the worker.

use std::path::PathBuf;

use clap::{Args, Parser};

/// Trains one recipe for a given time and measures its translations. The top of this program tells what tasks answer.
#[derive(Parser)]
#[command(name = "quality")]
pub enum Task {
    /// Tells what recipes change
    Recipes {
        /// Separated by commas; each may be several joined by `+`
        names: String,
    },
    /// Copies chips, and saves an untrained model and the ranges of values
    Prepare {
        folder: PathBuf,
        /// Where the chips come from
        #[arg(long, value_name = "FOLDER")]
        chips: PathBuf,
        /// Images of the same name show the same place, and are kept together
        #[arg(long)]
        paired: bool,
        #[command(flatten)]
        size: Size,
    },
    /// Measures what learns nothing
    Baselines {
        folder: PathBuf,
        #[command(flatten)]
        size: Size,
        #[command(flatten)]
        pairs: Pairs,
    },
    /// Measures a training step
    Time {
        folder: PathBuf,
        /// Several may be joined by `+`
        #[arg(long, value_name = "NAME")]
        recipe: String,
        /// How long to measure
        #[arg(long, value_name = "S")]
        seconds: f64,
        #[command(flatten)]
        size: Size,
    },
    /// Trains a model and saves its weights
    Train(Training),
    /// Measures a saved model
    Judge {
        folder: PathBuf,
        /// Which it was trained by
        #[arg(long, value_name = "NAME")]
        recipe: String,
        /// The saved model
        #[arg(long, value_name = "FILE")]
        weights: PathBuf,
        /// Where a picture of translations goes
        #[arg(long, value_name = "FILE")]
        picture: Option<PathBuf>,
        #[command(flatten)]
        pairs: Pairs,
    },
}

/// A training of a given time.
#[derive(Args)]
pub struct Training {
    pub folder: PathBuf,
    /// Several may be joined by `+`
    #[arg(long, value_name = "NAME")]
    pub recipe: String,
    /// Of the data and the model
    #[arg(long, value_name = "N")]
    pub seed: u64,
    /// How long to train
    #[arg(long, value_name = "S")]
    pub seconds: f64,
    /// How long a step takes
    #[arg(long, value_name = "S")]
    pub step_seconds: f64,
    /// Where the model goes
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
    /// Residual blocks of the generators
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub blocks: usize,
}

/// Images of the same places.
#[derive(Args)]
pub struct Pairs {
    /// Of domain A
    #[arg(long, value_name = "FOLDER", requires = "pairs_b")]
    pub pairs_a: Option<PathBuf>,
    /// Of domain B
    #[arg(long, value_name = "FOLDER", requires = "pairs_a")]
    pub pairs_b: Option<PathBuf>,
}

impl Pairs {
    /// Returns both folders, where they were given.
    pub fn both(self) -> Option<[PathBuf; 2]> {
        self.pairs_a.zip(self.pairs_b).map(|(a, b)| [a, b])
    }
}
