//! The command-line options.

use std::env;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::{count, for_pairs};
use crate::profile::Profile;
use crate::trouble::{Result, Trouble};

/// The recipe that PyTorch trains.
pub const PYTORCH: &str = "pytorch";
/// Name prefix of the recipes that learn from pairs.
const OF_PAIRS: &str = "pix2pix";
const CHIPS: &str = "assets/bluemarble";
/// The bundled pairs, for recipes that learn from them.
const PAIRS: &str = "assets/bluemarble_test";
const PLACES: [&str; 2] = ["assets/bluemarble_test/a", "assets/bluemarble_test/b"];

#[derive(Debug, PartialEq)]
pub struct Quality {
    /// A Python with torch, numpy and Pillow, for the recipe `pytorch`.
    pub python: String,
    /// Training time per run.
    pub seconds: f64,
    /// Number of seeds, starting at 1.
    pub seeds: usize,
    pub recipes: Vec<String>,
    /// `None` selects the bundled chips.
    pub chips: Option<PathBuf>,
    /// Folders of images of the same places.
    pub pairs: Option<[PathBuf; 2]>,
    pub features: usize,
    pub blocks: usize,
    pub inception: Inception,
    /// Output folder; `None` selects `out/quality` in the checkout.
    pub out: Option<PathBuf>,
    /// Cargo profile of this crate's program.
    pub profile: Profile,
}

/// The weights of the network for KID.
#[derive(Debug, PartialEq)]
pub enum Inception {
    /// Found where `cargo xtask inception` puts them, or named by GEOLEARN_INCEPTION.
    Usual,
    File(PathBuf),
    /// Without KID.
    Without,
}

impl Default for Quality {
    fn default() -> Self {
        let named = |name| env::var(name).ok().filter(|python| !python.is_empty());
        let python = named("GEOLEARN_PEERS_PYTHON").or_else(|| named("GEOLEARN_TEST_PYTHON"));
        Self {
            python: python.unwrap_or_else(|| "python3".into()),
            seconds: 600.0,
            seeds: 3,
            recipes: ["paper", "average", "bilinear", PYTORCH].map(String::from).to_vec(),
            chips: None,
            pairs: None,
            features: 16,
            blocks: 3,
            inception: Inception::Usual,
            out: None,
            profile: Profile::Release,
        }
    }
}

impl Quality {
    pub fn parse(words: &[String]) -> Result<Self> {
        let mut asked = Self::default();
        let words = asked.take_pairs(words)?;
        for_pairs("quality", &words, |name, value| {
            match name {
                "--python" => asked.python = value.to_string(),
                "--seconds" => asked.seconds = value.parse().ok().filter(|s: &f64| *s > 0.0 && s.is_finite())?,
                "--seeds" => asked.seeds = count(value)?,
                "--recipes" => asked.recipes = recipes(value)?,
                "--chips" => asked.chips = Some(value.into()),
                "--features" => asked.features = count(value)?,
                "--blocks" => asked.blocks = count(value)?,
                "--inception" if value == "none" => asked.inception = Inception::Without,
                "--inception" => asked.inception = Inception::File(value.into()),
                "--out" => asked.out = Some(value.into()),
                "--profile" => asked.profile = Profile::parse(value)?,
                _ => return Some(false),
            }
            Some(true)
        })?;
        Ok(asked)
    }

    /// Extracts the only option with two values.
    fn take_pairs(&mut self, words: &[String]) -> Result<Vec<String>> {
        let mut words = words.to_vec();
        if let Some(at) = words.iter().position(|word| word == "--pairs") {
            let Some([_, a, b]) = words.get(at..at + 3) else {
                return Err(Trouble::new("--pairs needs two folders, of domain A and of domain B"));
            };
            self.pairs = Some([a.into(), b.into()]);
            words.drain(at..at + 3);
        }
        Ok(words)
    }

    /// Returns whether the chips are pairs: for all recipes, if any of them learns from pairs.
    pub fn is_paired(&self) -> bool {
        self.recipes.iter().any(|recipe| recipe.starts_with(OF_PAIRS))
    }

    /// Returns the folder of chips and its folders of pairs. If the chips are pairs, the held-out pairs are used for
    /// evaluation.
    pub fn places(&self, root: &Path) -> (PathBuf, Option<[PathBuf; 2]>) {
        match &self.chips {
            Some(chips) => (chips.clone(), self.pairs.clone()),
            None if self.is_paired() => (root.join(PAIRS), self.pairs.clone()),
            None => (root.join(CHIPS), Some(self.pairs.clone().unwrap_or_else(|| PLACES.map(|name| root.join(name))))),
        }
    }

    /// Returns the settings that runs in one table must share.
    pub fn settings(&self) -> Value {
        let pairs = self.pairs.as_ref().map(|pairs| pairs.each_ref().map(|folder| folder.display().to_string()));
        let usual = if self.is_paired() { PAIRS } else { CHIPS };
        let mut settings = json!({
            "seconds": self.seconds,
            "chips": self.chips.as_ref().map_or(usual.to_string(), |chips| chips.display().to_string()),
            "pairs": pairs,
            "features": self.features,
            "blocks": self.blocks,
            "inception": match &self.inception {
                Inception::Usual => "usual".to_string(),
                Inception::File(file) => file.display().to_string(),
                Inception::Without => "none".to_string(),
            },
        });
        if self.profile == Profile::Dev {
            settings["profile"] = "dev".into();
        }
        if self.is_paired() {
            settings["paired"] = true.into();
        }
        settings
    }

    /// Returns the equivalent command.
    pub fn command(&self) -> String {
        let Self { seconds, seeds, features, blocks, .. } = self;
        let mut command = format!("cargo xtask quality --seconds {seconds} --seeds {seeds}");
        command += &format!(" --recipes {}", self.recipes.join(","));
        let default = Self::default();
        if let Some(chips) = &self.chips {
            command += &format!(" --chips {}", chips.display());
        }
        if let Some([a, b]) = &self.pairs {
            command += &format!(" --pairs {} {}", a.display(), b.display());
        }
        if (*features, *blocks) != (default.features, default.blocks) {
            command += &format!(" --features {features} --blocks {blocks}");
        }
        match &self.inception {
            Inception::Usual => command,
            Inception::File(file) => command + &format!(" --inception {}", file.display()),
            Inception::Without => command + " --inception none",
        }
    }
}

/// Parses a comma-separated list of unique names.
fn recipes(list: &str) -> Option<Vec<String>> {
    let names: Vec<String> = list.split(',').map(String::from).collect();
    let fine = |(i, name): (usize, &String)| !name.is_empty() && !names[..i].contains(name);
    names.iter().enumerate().all(fine).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Quality> {
        Quality::parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_taken_in_any_order() {
        let line = "--seconds 60 --pairs a b --seeds 1 --recipes paper,average+bilinear --chips c --inception none";
        let asked = parse(line).unwrap();
        assert_eq!((asked.seconds, asked.seeds), (60.0, 1));
        assert_eq!(asked.recipes, ["paper", "average+bilinear"]);
        assert_eq!(asked.places(Path::new("/r")), ("c".into(), Some(["a".into(), "b".into()])));
        assert_eq!(parse("").unwrap(), Quality::default());
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (line, named) in [
            ("--seconds 0", "--seconds"),
            ("--seconds inf", "--seconds"),
            ("--seeds 0", "--seeds"),
            ("--recipes paper,paper", "--recipes"),
            ("--recipes paper,", "--recipes"),
            ("--pairs a", "--pairs"),
            ("--seed 1", "--seed"),
            ("--seeds", "--seeds"),
        ] {
            let trouble = parse(line).unwrap_err().to_string();
            assert!(trouble.contains(named), "{line:?} gave {trouble:?}");
        }
    }

    #[test]
    fn chips_without_pairs_have_none_but_the_bundled_ones_do() {
        assert_eq!(parse("--chips c").unwrap().places(Path::new("/r")), ("c".into(), None));
        let (chips, pairs) = parse("").unwrap().places(Path::new("/r"));
        assert_eq!(chips, Path::new("/r/assets/bluemarble"));
        assert_eq!(pairs.unwrap()[1], Path::new("/r/assets/bluemarble_test/b"));
        // The pairs for training are not the ones for evaluation.
        let (chips, pairs) = parse("--recipes paper,pix2pix").unwrap().places(Path::new("/r"));
        assert_eq!((chips, pairs), ("/r/assets/bluemarble_test".into(), None));
    }

    #[test]
    fn the_command_asks_for_the_same() {
        for line in [
            "--seconds 60 --seeds 1 --recipes paper",
            "--seconds 1.5 --seeds 2 --recipes paper,pytorch --chips c --pairs a b --features 4 --blocks 1 --inception f",
            "--seconds 60 --seeds 1 --recipes paper --inception none",
        ] {
            let asked = parse(line).unwrap();
            assert_eq!(asked.command(), format!("cargo xtask quality {line}"));
        }
        let settings = |line| parse(line).unwrap().settings();
        assert_eq!(settings("--seeds 1 --recipes paper --python p --out o"), settings(""));
        assert_ne!(settings("--seconds 60"), settings(""));
        assert_ne!(settings("--features 8"), settings(""));
        assert_ne!(settings("--profile dev"), settings(""));
        assert_eq!(settings("--profile release"), settings(""));
        // Paired and unpaired chips must not share a table.
        assert_ne!(settings("--recipes paper,pix2pix --chips c"), settings("--recipes paper --chips c"));
    }
}
