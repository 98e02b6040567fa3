//! What can be said to the examples that train.

use std::path::{Path, PathBuf};

/// What is given after the name of an example.
#[derive(Debug)]
pub struct Arguments {
    pub epochs: usize,
    pub chips: PathBuf,
    pub out: PathBuf,
    /// Whether to go on with a fit that was interrupted.
    pub resume: bool,
}

impl Arguments {
    /// Reads `--epochs N`, `--chips FOLDER`, `--out FOLDER` and `--resume`; without them, `epochs`, the bundled `chips`
    /// and a folder of the example's name. Ends the program where something else is found.
    pub fn read(example: &str, epochs: usize, chips: &str) -> Self {
        let chips = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(chips);
        let mut read = Self { epochs, chips, out: Path::new("out").join(example), resume: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            if name == "--resume" {
                read.resume = true;
                continue;
            }
            let value = arguments.next().unwrap_or_default();
            match (name.as_str(), value.parse()) {
                ("--epochs", Ok(epochs)) => read.epochs = epochs,
                ("--chips", _) if !value.is_empty() => read.chips = value.into(),
                ("--out", _) if !value.is_empty() => read.out = value.into(),
                _ => {
                    eprintln!(
                        "usage: {example} [--epochs N] [--chips FOLDER] [--out FOLDER] [--resume]; found {name} {value}"
                    );
                    std::process::exit(2);
                }
            }
        }
        read
    }
}
