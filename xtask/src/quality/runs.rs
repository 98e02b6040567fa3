//! Reads and writes finished runs, one line of JSON each.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::trouble::{Result, Trouble};

/// The recipe name of the baselines.
pub const BASELINES: &str = "baselines";
/// The seed under which step times are recorded.
pub const TIMED: usize = 0;

pub struct Runs {
    file: PathBuf,
    lines: Vec<Value>,
}

impl Runs {
    pub fn read(file: PathBuf) -> Result<Self> {
        let text = match file.exists() {
            true => fs::read_to_string(&file).map_err(Trouble::file("cannot read", &file))?,
            false => String::new(),
        };
        let parse = |(i, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|e| {
                Trouble::new(format!("line {} of {} is not a run: {e}", i + 1, file.display()))
                    .advice("remove the line to repeat its run")
            })
        };
        let lines =
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect::<Result<_>>()?;
        Ok(Self { file, lines })
    }

    /// Finds the run of a recipe and seed with these settings.
    pub fn find(&self, recipe: &str, seed: usize, settings: &Value) -> Option<&Value> {
        let is_it = |run: &&Value| run["recipe"] == recipe && run["seed"] == seed && run["settings"] == *settings;
        self.lines.iter().find(is_it)
    }

    pub fn add(&mut self, run: Value) -> Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(&self.file);
        file.and_then(|mut file| writeln!(file, "{run}")).map_err(Trouble::file("cannot write", &self.file))?;
        self.lines.push(run);
        Ok(())
    }

    pub fn file(&self) -> &Path {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn runs_are_found_again_under_their_settings() {
        let scratch = Scratch::new("runs").unwrap();
        let file = scratch.path().join("quality.jsonl");
        let settings = json!({ "seconds": 60.0 });
        let mut runs = Runs::read(file.clone()).unwrap();
        runs.add(json!({ "recipe": "paper", "seed": 2, "settings": settings, "steps": 7 })).unwrap();
        let runs = Runs::read(file).unwrap();
        assert_eq!(runs.find("paper", 2, &settings).unwrap()["steps"], 7);
        for (recipe, seed, settings) in
            [("paper", 1, &settings), ("average", 2, &settings), ("paper", 2, &json!({ "seconds": 61.0 }))]
        {
            assert!(runs.find(recipe, seed, settings).is_none());
        }
    }

    #[test]
    fn a_broken_line_is_named() {
        let scratch = Scratch::new("runs").unwrap();
        let file = scratch.path().join("quality.jsonl");
        fs::write(&file, "{\"recipe\": \"paper\"}\n{\"recipe\": ").unwrap();
        let trouble = Runs::read(file).err().unwrap().to_string();
        assert!(trouble.contains("line 2"), "{trouble}");
    }
}
