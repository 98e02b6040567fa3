//! `cargo xtask quality`: compares training recipes, including PyTorch's research recipe, after equal training time.

mod asked;
mod runs;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::checkout::Checkout;
use crate::compare::{load, succeed};
use crate::date;
use crate::machine;
use crate::trouble::{Result, Trouble};
use asked::{Inception, PYTORCH};
use runs::{BASELINES, Runs, TIMED};
use table::Row;

pub use asked::Quality;

pub fn measure(checkout: &Checkout, asked: &Quality) -> Result<()> {
    let program = asked.profile.example(checkout, "quality")?;
    let out = asked.out.clone().unwrap_or_else(|| checkout.root().join("out/quality"));
    for folder in ["chips", "models", "pictures"] {
        let folder = out.join(folder);
        fs::create_dir_all(&folder).map_err(Trouble::file("cannot create", &folder))?;
    }
    let contest = Contest { checkout, asked, program, out };
    let changes = contest.changes()?;
    let mut runs = Runs::read(contest.out.join("quality.jsonl"))?;
    contest.prepare(&mut runs)?;
    contest.time_all(&mut runs)?;
    contest.run_all(&mut runs)?;
    let text = contest.text(&runs, &changes);
    let path = contest.out.join("quality.md");
    fs::write(&path, &text).map_err(Trouble::file("cannot write", &path))?;
    print!("{text}");
    eprintln!("xtask: {}, {} and pictures", path.display(), runs.file().display());
    Ok(())
}

/// How often each recipe's step is timed, and for how long: a fraction of the training time, within bounds.
const TIMED_ROUNDS: usize = 3;
const TIMED_SHARE: f64 = 0.05;
const TIMED_SECONDS: f64 = 5.0;

/// A comparison of recipes under equal conditions.
struct Contest<'a> {
    checkout: &'a Checkout,
    asked: &'a Quality,
    program: PathBuf,
    out: PathBuf,
}

impl Contest<'_> {
    /// Checks every recipe before hours of training, and returns what each one changes.
    fn changes(&self) -> Result<String> {
        let (theirs, ours): (Vec<&String>, Vec<&String>) = self.asked.recipes.iter().partition(|name| *name == PYTORCH);
        let mut text = String::new();
        if !ours.is_empty() {
            let names: Vec<&str> = ours.into_iter().map(String::as_str).collect();
            let lines = output(self.worker().args(["recipes", &names.join(",")]))?;
            for (name, change) in lines.lines().filter_map(|line| line.split_once('\t')) {
                text += &format!("- `{name}`: {change}\n");
            }
        }
        if !theirs.is_empty() {
            self.check_python()?;
            text +=
                &format!("- `{PYTORCH}`: the research code's recipe in plain PyTorch, `benches/peers/quality.py`\n");
        }
        Ok(text)
    }

    fn check_python(&self) -> Result<()> {
        let python = &self.asked.python;
        succeed(Command::new(python).args(["-c", "import numpy, PIL, torch"])).map_err(|trouble| {
            Trouble::new(format!("the recipe {PYTORCH} cannot be trained: {trouble}")).advice(format!(
                "install torch, numpy and Pillow for {python}, name a Python that has them with --python or \
                 GEOLEARN_PEERS_PYTHON, or leave {PYTORCH} out of --recipes"
            ))
        })
    }

    /// Sorts the chips into their folders, and evaluates the baselines.
    fn prepare(&self, runs: &mut Runs) -> Result<()> {
        let (chips, _) = self.asked.places(self.checkout.root());
        let mut prepare = self.task("prepare");
        prepare.args(self.size()).arg("--chips").arg(chips);
        if self.asked.is_paired() {
            prepare.arg("--paired");
        }
        succeed(&mut prepare)?;
        if runs.find(BASELINES, 0, &self.asked.settings()).is_some() {
            return Ok(());
        }
        let before = load();
        let measured = answer(self.task("baselines").args(self.size()).args(self.pairs()))?;
        if self.asked.inception != Inception::Without
            && measured.pointer("/metrics/b/baselines/0/scores/kid").is_none_or(Value::is_null)
        {
            return Err(without_kid(&measured));
        }
        runs.add(self.run(BASELINES, 0, &before, [&measured]))
    }

    /// Times a step of each recipe several times, interleaved, and keeps the shortest time, since other load only makes
    /// steps slower. The number of training steps follows from it, whatever the load during training.
    fn time_all(&self, runs: &mut Runs) -> Result<()> {
        let settings = self.asked.settings();
        let is_new = |recipe: &&String| runs.find(recipe, TIMED, &settings).is_none();
        let recipes: Vec<&String> = self.asked.recipes.iter().filter(is_new).collect();
        let before = load();
        let mut shortest = vec![f64::INFINITY; recipes.len()];
        for round in 1..=TIMED_ROUNDS {
            for (recipe, shortest) in recipes.iter().zip(&mut shortest) {
                eprintln!("xtask: measuring a step of {recipe}, {round} of {TIMED_ROUNDS}");
                let measured = answer(&mut self.timing(recipe))?;
                let seconds = measured["step_seconds"].as_f64().filter(|seconds| *seconds > 0.0);
                *shortest = shortest.min(seconds.ok_or_else(|| Trouble::new(format!("no step time in {measured}")))?);
            }
        }
        for (recipe, shortest) in recipes.into_iter().zip(shortest) {
            runs.add(self.run(recipe, TIMED, &before, [&json!({ "step_seconds": shortest })]))?;
        }
        Ok(())
    }

    fn timing(&self, recipe: &str) -> Command {
        let seconds = (self.asked.seconds * TIMED_SHARE).min(TIMED_SECONDS).to_string();
        if recipe != PYTORCH {
            let mut command = self.task("time");
            command.args(["--recipe", recipe, "--seconds", &seconds]).args(self.size());
            return command;
        }
        self.peer("time", &seconds)
    }

    /// Trains all recipes with one seed before the next seed, so that changes in machine load affect all recipes.
    fn run_all(&self, runs: &mut Runs) -> Result<()> {
        let recipes = &self.asked.recipes;
        for seed in 1..=self.asked.seeds {
            for (i, recipe) in recipes.iter().enumerate() {
                let (number, of) = ((seed - 1) * recipes.len() + i + 1, self.asked.seeds * recipes.len());
                if runs.find(recipe, seed, &self.asked.settings()).is_some() {
                    eprintln!("xtask: run {number} of {of}, {recipe} with seed {seed}, is there already");
                    continue;
                }
                eprintln!("xtask: run {number} of {of}, {recipe} with seed {seed}");
                let before = load();
                let weights = self.out.join(format!("models/{recipe}-{seed}.safetensors"));
                let step = runs
                    .find(recipe, TIMED, &self.asked.settings())
                    .map_or(Value::Null, |run| run["step_seconds"].clone());
                let trained = answer(&mut self.training(recipe, seed, &step.to_string(), &weights))?;
                let picture = self.out.join(format!("pictures/{recipe}-{seed}.png"));
                let mut judge = self.task("judge");
                judge
                    .args(["--recipe", recipe])
                    .arg("--weights")
                    .arg(&weights)
                    .arg("--picture")
                    .arg(&picture)
                    .args(self.pairs());
                let judged = answer(&mut judge)?;
                runs.add(self.run(recipe, seed, &before, [&trained, &judged]))?;
            }
        }
        Ok(())
    }

    fn training(&self, recipe: &str, seed: usize, step: &str, weights: &Path) -> Command {
        let (seconds, seed) = (self.asked.seconds.to_string(), seed.to_string());
        if recipe != PYTORCH {
            let mut command = self.task("train");
            command.args(["--recipe", recipe, "--seed", &seed, "--seconds", &seconds, "--step-seconds", step]);
            command.args(self.size()).arg("--weights").arg(weights);
            return command;
        }
        let mut command = self.peer("train", &seconds);
        command.args([step, &seed]).arg(weights);
        command
    }

    /// Returns the command for PyTorch's side of a task.
    fn peer(&self, task: &str, seconds: &str) -> Command {
        let Quality { python, features, blocks, .. } = self.asked;
        let mut command = alike(Command::new(python));
        command.arg(self.checkout.root().join("benches/peers/quality.py")).arg(task).arg(self.chips());
        command.args([seconds, &features.to_string(), &blocks.to_string()]);
        command
    }

    fn chips(&self) -> PathBuf {
        self.out.join("chips")
    }

    fn worker(&self) -> Command {
        let mut command = alike(Command::new(&self.program));
        match &self.asked.inception {
            Inception::Usual => &mut command,
            Inception::File(file) => command.env("GEOLEARN_INCEPTION", file),
            Inception::Without => command.env("GEOLEARN_INCEPTION", self.out.join("none")),
        };
        command
    }

    fn task(&self, name: &str) -> Command {
        let mut command = self.worker();
        command.arg(name).arg(self.chips());
        command
    }

    fn size(&self) -> [String; 4] {
        let Quality { features, blocks, .. } = self.asked;
        ["--features".into(), features.to_string(), "--blocks".into(), blocks.to_string()]
    }

    fn pairs(&self) -> Vec<PathBuf> {
        let (_, pairs) = self.asked.places(self.checkout.root());
        pairs.map_or(Vec::new(), |[a, b]| vec!["--pairs-a".into(), a, "--pairs-b".into(), b])
    }

    /// Returns the record of a run.
    fn run<const N: usize>(&self, recipe: &str, seed: usize, before: &str, answers: [&Value; N]) -> Value {
        let mut run = json!({
            "recipe": recipe,
            "seed": seed,
            "settings": self.asked.settings(),
            "date": date::today(),
            "machine": machine::processors(),
            "load": [before, load()],
        });
        for (name, value) in answers.iter().filter_map(|answer| answer.as_object()).flatten() {
            run[name] = value.clone();
        }
        run
    }

    fn text(&self, runs: &Runs, changes: &str) -> String {
        let settings = self.asked.settings();
        let of = |recipe| (1..=self.asked.seeds).filter_map(|seed| runs.find(recipe, seed, &settings)).collect();
        let rows: Vec<Row> = self.asked.recipes.iter().map(|recipe| Row { recipe, runs: of(recipe) }).collect();
        let all: Vec<&Value> = rows.iter().flat_map(|row| row.runs.iter().copied()).collect();
        let baselines = runs.find(BASELINES, 0, &settings).unwrap_or(&Value::Null);
        format!("{}{changes}\n{}\n\n    {}\n", table::table(&rows, baselines), conditions(&all), self.asked.command())
    }
}

/// Prevents threads from spinning while they wait, which would take CPU time from others.
fn alike(mut command: Command) -> Command {
    command.env("OMP_WAIT_POLICY", "passive");
    command
}

/// Describes the conditions of the runs, without repetition.
fn conditions(runs: &[&Value]) -> String {
    let all = |places: &[&str]| {
        let mut found: Vec<String> = Vec::new();
        for value in runs.iter().flat_map(|run| places.iter().filter_map(|place| run.pointer(place))) {
            let word = value.as_str().map_or_else(|| value.to_string(), String::from);
            if !found.contains(&word) {
                found.push(word);
            }
        }
        found
    };
    let mut loads: Vec<f64> = all(&["/load/0", "/load/1"]).iter().filter_map(|load| load.parse().ok()).collect();
    loads.sort_by(f64::total_cmp);
    let load = match (loads.first(), loads.last()) {
        (Some(least), Some(most)) => format!("load {least} to {most}"),
        _ => "load unknown".into(),
    };
    let join = |place| all(&[place]).join(", ");
    format!(
        "{}; {}; {} threads; {}; {load}; {}.",
        join("/date"),
        join("/machine"),
        join("/threads"),
        join("/device"),
        join("/by")
    )
}

fn without_kid(measured: &Value) -> Trouble {
    let notes = measured.pointer("/metrics/notes").and_then(Value::as_array).into_iter().flatten();
    let notes: Vec<&str> = notes.filter_map(Value::as_str).collect();
    Trouble::new(format!("cannot measure KID. {}", notes.join(" "))).advice(
        "run `cargo xtask inception` once, pass the weights with --inception FILE, or skip KID with --inception none",
    )
}

/// Runs a command that reports its own errors, and returns its standard output.
fn output(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|e| Trouble::new(format!("cannot start {shown}: {e}")))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Trouble::new(format!("{shown} failed: {}", output.status))),
    }
}

/// Runs a command whose last line is JSON.
fn answer(command: &mut Command) -> Result<Value> {
    let text = output(command)?;
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|e| Trouble::new(format!("{command:?}: expected JSON, found {last:?}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_told_once() {
        let run = |load: &str, threads: usize| {
            json!({ "date": "2026-11-27", "machine": "a processor", "load": [load, "1.5"], "threads": threads,
                "device": "cpu", "by": "geolearn 0.1.0" })
        };
        let (one, other) = (run("0.5", 2), run("11.0", 2));
        let text = conditions(&[&one, &other]);
        assert_eq!(text, "2026-11-27; a processor; 2 threads; cpu; load 0.5 to 11; geolearn 0.1.0.");
    }

    #[test]
    fn missing_weights_say_what_to_do() {
        let trouble = without_kid(&json!({ "metrics": { "notes": ["There is no file."] } })).to_string();
        assert!(trouble.contains("There is no file.") && trouble.contains("cargo xtask inception"), "{trouble}");
    }

    #[cfg(unix)]
    #[test]
    fn the_last_line_is_the_answer() {
        let shell = |script| answer(Command::new("sh").args(["-c", script]));
        assert_eq!(shell("echo words; echo '{\"steps\": 3}'").unwrap()["steps"], 3);
        assert!(shell("echo words").unwrap_err().to_string().contains("words"));
        assert!(shell("exit 3").unwrap_err().to_string().contains("exit status: 3"));
    }
}
