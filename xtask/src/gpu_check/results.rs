//! Reads the results that `xtask/gpu/run.sh` wrote.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::trace::{self, Summary};
use crate::trouble::{Result, Trouble};

pub struct Results {
    facts: Vec<(String, String)>,
    /// A line per part: its name and exit status.
    pub parts: Vec<String>,
    pub steps: Vec<Step>,
    /// What could not be measured, and why.
    pub left_out: Vec<String>,
    pub ceilings: Value,
    /// Times per image.
    pub images: Vec<Value>,
    pub scenes: Vec<Value>,
    pub traces: Vec<Trace>,
}

/// Steps measured in one way, at one batch size.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub way: String,
    pub side: u64,
    pub batch: u64,
    pub precision: String,
    pub median: f64,
    pub p10: f64,
    pub p90: f64,
    /// Measured without reading the losses.
    pub unread: f64,
    pub memory_mib: Option<f64>,
    /// From the initial weights on the first batch.
    pub first_losses: Vec<f64>,
}

pub struct Trace {
    /// As in `b8-bf16`.
    pub name: String,
    pub summary: Summary,
}

impl Results {
    /// Fails if the folder has no steps measured on a GPU. Other parts may be missing.
    pub fn read(folder: &Path) -> Result<Self> {
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let facts: Vec<(String, String)> =
            text("facts.txt").lines().filter_map(|line| line.split_once(": ")).map(owned).collect();
        let parts: Vec<String> = text("summary.txt").lines().map(String::from).collect();
        let rows = lines(&text("steps.jsonl"))?;
        let (steps, left_out): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["error"].is_null());
        if !steps.iter().any(|row| row["device"] == "cuda") {
            let stopped = parts.iter().find_map(|line| line.strip_prefix("stopped: "));
            let why = stopped.unwrap_or("steps.jsonl is missing or empty");
            return Err(Trouble::new(format!("{} has no steps measured on a GPU: {why}", folder.display()))
                .advice("run `bash xtask/gpu/run.sh` on a machine with an NVIDIA GPU, and pass its output folder"));
        }
        if let Some(row) = steps.iter().find(|row| row["device"] != "cuda") {
            return Err(Trouble::new(format!("steps.jsonl mixes devices: {row}")));
        }
        let ceilings = text("ceilings.json");
        let predictions = lines(&text("predictions.jsonl"))?;
        let (scenes, images) = predictions.into_iter().partition(|row| !row["megapixels"].is_null());
        Ok(Self {
            facts,
            parts,
            steps: steps.into_iter().map(Step::of).collect::<Result<_>>()?,
            left_out: left_out.into_iter().map(error_of).collect(),
            ceilings: if ceilings.is_empty() { Value::Null } else { parsed("ceilings.json", &ceilings)? },
            images,
            scenes,
            traces: traces(folder)?,
        })
    }

    /// Returns an empty string if unknown.
    pub fn fact(&self, name: &str) -> &str {
        self.facts.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.into(), value.trim().into())
}

fn parsed(name: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|e| Trouble::new(format!("{name} is not JSON: {e}: {text:.60}")))
}

fn lines(text: &str) -> Result<Vec<Value>> {
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| parsed("a line", line)).collect()
}

fn error_of(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or("?").to_string();
    format!("{} {} b{}: {}", text("way"), text("precision"), row["batch"], text("error"))
}

impl Step {
    fn of(row: &Value) -> Result<Self> {
        let missing = |name: &str| Trouble::new(format!("a row of steps.jsonl has no {name}: {row}"));
        let text = |name: &str| row[name].as_str().map(String::from).ok_or_else(|| missing(name));
        let number = |name: &str| row[name].as_f64().ok_or_else(|| missing(name));
        let count = |name: &str| row[name].as_u64().ok_or_else(|| missing(name));
        let losses = row["first_losses"].as_array().ok_or_else(|| missing("first_losses"))?;
        Ok(Self {
            way: text("way")?,
            side: count("side")?,
            batch: count("batch")?,
            precision: text("precision")?,
            median: number("median_ms")?,
            p10: number("p10_ms")?,
            p90: number("p90_ms")?,
            unread: number("unread_ms")?,
            memory_mib: row["memory_mib"].as_f64(),
            first_losses: losses.iter().map(|loss| loss.as_f64().unwrap_or(f64::NAN)).collect(),
        })
    }
}

/// Reads files such as `trace-b8-bf16-3-steps.json.gz`, sorted by name.
fn traces(folder: &Path) -> Result<Vec<Trace>> {
    let entries = fs::read_dir(folder).map_err(Trouble::file("cannot read", folder))?.flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let named = names.iter().filter_map(|file| Some((file, name_and_steps(file)?)));
    let read = |(file, (name, steps)): (&String, (&str, usize))| {
        let json = unzipped(&folder.join(file))?;
        let summary = trace::summary(&json, steps).map_err(|trouble| Trouble::new(format!("{file}: {trouble}")))?;
        Ok(Trace { name: name.into(), summary })
    };
    named.map(read).collect()
}

fn name_and_steps(file: &str) -> Option<(&str, usize)> {
    let (name, steps) = file.strip_prefix("trace-")?.strip_suffix("-steps.json.gz")?.rsplit_once('-')?;
    Some((name, steps.parse().ok()?))
}

fn unzipped(path: &Path) -> Result<Vec<u8>> {
    let mut gzip = Command::new("gzip");
    let output = gzip.arg("-dc").arg(path).output().map_err(|e| Trouble::new(format!("cannot start {gzip:?}: {e}")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Trouble::new(format!("{gzip:?}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_trace_is_named_by_its_file() {
        assert_eq!(name_and_steps("trace-b8-bf16-3-steps.json.gz"), Some(("b8-bf16", 3)));
        for other in ["trace-b8.json", "steps.jsonl", "trace-b8-bf16-x-steps.json.gz"] {
            assert_eq!(name_and_steps(other), None);
        }
    }

    #[test]
    fn results_of_no_gpu_are_refused_with_the_reason() {
        let scratch = Scratch::new("results").unwrap();
        let trouble = |_: ()| Results::read(scratch.path()).err().unwrap().to_string();
        assert!(trouble(()).contains("steps.jsonl is missing or empty"));
        fs::write(scratch.path().join("summary.txt"), "doctor: exit 4, 1 s\nstopped: CUDA cannot be used\n").unwrap();
        assert!(trouble(()).contains("CUDA cannot be used"));
        let row = r#"{"way": "geolearn", "device": "cpu", "batch": 1}"#;
        fs::write(scratch.path().join("steps.jsonl"), row).unwrap();
        assert!(trouble(()).contains("no steps measured on a GPU"));
        let cut = r#"{"way": "geolearn", "device": "cuda""#;
        fs::write(scratch.path().join("steps.jsonl"), cut).unwrap();
        assert!(trouble(()).contains("not JSON"));
    }
}
