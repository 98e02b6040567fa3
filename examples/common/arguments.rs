//! Command-line arguments of the training examples.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser};

/// Trains a model on a folder of chips. See the header of the source file for details.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// Epochs to train for
    #[arg(long, value_name = "N")]
    pub epochs: usize,
    /// Folder with the chips of both domains
    #[arg(long, value_name = "FOLDER")]
    pub chips: PathBuf,
    /// Folder for pictures, models and checkpoints
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Resume an interrupted fit
    #[arg(long)]
    pub resume: bool,
}

impl Arguments {
    /// Parses `--epochs N`, `--chips FOLDER`, `--out FOLDER` and `--resume`. The defaults are `epochs`, the bundled
    /// `chips`, and a folder named after the example. Exits with status 2 on invalid arguments, and after printing
    /// `--help`.
    pub fn read(example: &'static str, epochs: usize, chips: &str) -> Self {
        let chips = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(chips);
        let defaults: [(&str, OsString); 3] = [
            ("epochs", epochs.to_string().into()),
            ("chips", chips.into()),
            ("out", Path::new("out").join(example).into()),
        ];
        let command = defaults.into_iter().fold(Self::command().name(example), |command, (name, default)| {
            command.mut_arg(name, |argument| argument.required(false).default_value(default))
        });
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}
