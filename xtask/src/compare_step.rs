//! `cargo xtask compare`: times this crate's training step against PyTorch's, interleaved, from the same weights and
//! batches.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::chart;
use crate::checkout::Checkout;
use crate::compare::{load, succeed};
use crate::machine::Machine;
use crate::peer::Peer;
use crate::profile::Profile;
use crate::scratch::Scratch;
use crate::trouble::{Result, Trouble};

/// A contestant this many times slower than the plain recipe is not repeated.
const TOO_SLOW: f64 = 5.0;
/// Maximum relative difference between the losses of the first step.
const F32_APART: f64 = 1e-4;
const OTHERS_APART: f64 = 0.05;

/// Kinds of models, as the timed programs name them; the first is the default.
pub const MODELS: [&str; 2] = ["cyclegan", "pix2pix"];

/// The command-line options.
#[derive(Debug, PartialEq)]
pub struct StepComparison {
    /// One of [`MODELS`].
    pub model: &'static str,
    /// A Python with torch.
    pub python: String,
    /// Number of interleaved rounds.
    pub repeats: usize,
    /// Sides and batch sizes.
    pub sizes: Vec<(usize, usize)>,
    pub precisions: Vec<String>,
    /// Folder for the table and the chart.
    pub out: Option<PathBuf>,
    /// Cargo profile of this crate's program.
    pub profile: Profile,
}

impl Default for StepComparison {
    fn default() -> Self {
        let named = |name| env::var(name).ok().filter(|python| !python.is_empty());
        let python = named("GEOLEARN_PEERS_PYTHON").or_else(|| named("GEOLEARN_TEST_PYTHON"));
        Self {
            python: python.unwrap_or_else(|| "python3".into()),
            model: MODELS[0],
            repeats: 5,
            sizes: vec![(256, 1), (128, 4), (64, 1)],
            precisions: vec!["f32".into(), "bf16".into()],
            out: None,
            profile: Profile::Release,
        }
    }
}

/// A way to compute the step, at one size.
struct Contestant {
    way: &'static str,
    precision: String,
    peer: Peer,
    seconds: Vec<f64>,
    /// Largest relative difference of a first-step loss from the plain recipe's.
    apart: f64,
    is_slow: bool,
}

/// The results of a contestant.
pub struct Row {
    pub size: String,
    pub way: &'static str,
    pub precision: String,
    /// Median of the seconds per step.
    pub seconds: f64,
    /// Median, minimum and maximum of the ratio to the plain recipe in the same round.
    pub ratio: [f64; 3],
    pub peak_mib: f64,
    pub memory_ratio: f64,
    pub apart: f64,
    pub runs: usize,
}

const OURS: &str = "geolearn";
const PLAIN: &str = "plain";
const TUNED: &str = "tuned";

pub fn compare(checkout: &Checkout, asked: &StepComparison) -> Result<()> {
    let step = asked.profile.example(checkout, "step")?;
    let before = load();
    let mut rows = Vec::new();
    let mut words = Vec::new();
    for &size in &asked.sizes {
        rows.extend(compare_at(checkout, asked, &step, size, &mut words)?);
    }
    words.sort();
    words.dedup();
    let text = format!(
        "{}\nMedians of interleaved steps; load before {before}, after {}. {}\n",
        table(&rows),
        load(),
        words.join("; ")
    );
    print!("{text}");
    if let Some(out) = &asked.out {
        fs::create_dir_all(out).map_err(Trouble::file("cannot create", out))?;
        for (name, text) in [("training_step.md", &text), ("training_step.svg", &chart::bars(&rows))] {
            let path = out.join(name);
            fs::write(&path, text).map_err(Trouble::file("cannot write", &path))?;
        }
    }
    for row in rows.iter().filter(|row| row.way == OURS) {
        let [median, least, most] = row.ratio;
        println!("{} {} ratio {median:.2} (min {least:.2} max {most:.2})", row.size, row.precision);
    }
    Ok(())
}

fn compare_at(
    checkout: &Checkout,
    asked: &StepComparison,
    step: &Path,
    (side, batch): (usize, usize),
    words: &mut Vec<String>,
) -> Result<Vec<Row>> {
    let scratch = Scratch::new("step")?;
    let assets = checkout.root().join("assets");
    let place = [scratch.path().display().to_string(), side.to_string(), batch.to_string()];
    succeed(Command::new(step).args(["prepare", "--model", asked.model]).args(&place).env("GEOLEARN_ASSETS", &assets))?;
    let script = checkout.root().join("benches/peers/train_step.py");
    let start = |way, precision: &str| {
        let mut command = match way {
            OURS => Command::new(step),
            _ => Command::new(&asked.python),
        };
        match way {
            OURS => command.args(["run", "--model", asked.model]).args(&place).arg(precision),
            _ => command.arg(&script).arg(way).args(&place).args([precision, asked.model]),
        };
        // Spinning threads would take CPU time from the ones being timed.
        command.env("OMP_WAIT_POLICY", "passive").env("GEOLEARN_ASSETS", &assets);
        Contestant::start(way, precision, &mut command)
    };
    let mut contestants = vec![start(PLAIN, "f32")?];
    for precision in &asked.precisions {
        contestants.push(start(OURS, precision)?);
        // PyTorch emulates it, at a tenth of the speed of f32.
        if precision == "bf16" && !has_bf16() {
            eprintln!("xtask: skipping {TUNED} {precision}: this machine has no instructions for it");
            continue;
        }
        match start(TUNED, precision) {
            Ok(contestant) => contestants.push(contestant),
            Err(trouble) => eprintln!("xtask: skipping {TUNED} {precision}: {trouble}"),
        }
    }
    warm_up(&mut contestants)?;
    for repeat in 0..asked.repeats {
        for contestant in contestants.iter_mut().filter(|contestant| !contestant.is_slow) {
            contestant.time()?;
        }
        eprintln!("xtask: {side}x{side} b{batch}: {} of {} turns", repeat + 1, asked.repeats);
    }
    words.extend(contestants.iter().map(|c| format!("{} {}", c.way, c.peer.words)));
    Ok(rows(&contestants, &format!("{} {side}x{side} b{batch}", asked.model)))
}

/// Runs one step of each contestant, and checks that the losses agree.
fn warm_up(contestants: &mut Vec<Contestant>) -> Result<()> {
    let mut plain = None;
    let mut left = Vec::new();
    for mut contestant in contestants.drain(..) {
        let answer = match contestant.peer.steps(1) {
            Ok(answer) => answer,
            Err(trouble) if contestant.way == TUNED => {
                eprintln!("xtask: skipping {TUNED} {}: {trouble}", contestant.precision);
                continue;
            }
            Err(trouble) => return Err(trouble),
        };
        let (expected, _) = plain.get_or_insert_with(|| (answer.losses.clone(), answer.seconds[0]));
        contestant.apart = apart(&answer.losses, expected);
        let most = if contestant.precision == "f32" { F32_APART } else { OTHERS_APART };
        if contestant.apart.is_nan() || contestant.apart > most {
            let Contestant { way, precision, apart, .. } = &contestant;
            return Err(Trouble::new(format!(
                "losses of {way} {precision} differ from the plain recipe's by {apart:.1e}, more than {most:.0e}"
            )));
        }
        left.push(contestant);
    }
    *contestants = left;
    // The first step of a program is slow, and says nothing about speed with torch.compile.
    let mut limit = None;
    for contestant in contestants.iter_mut() {
        contestant.time()?;
        let seconds = contestant.seconds[0];
        contestant.is_slow = seconds > TOO_SLOW * *limit.get_or_insert(seconds);
        if !contestant.is_slow {
            contestant.seconds.clear();
        }
    }
    Ok(())
}

/// Returns the largest relative difference of a loss.
pub fn apart(found: &[f64], expected: &[f64]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let each = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / a.abs().max(b.abs()).max(f64::MIN_POSITIVE));
    each.fold(0.0, |worst, next| if next > worst || next.is_nan() { next } else { worst })
}

fn rows(contestants: &[Contestant], size: &str) -> Vec<Row> {
    let plain = &contestants[0];
    let row = |c: &Contestant| {
        let reference = if c.is_slow { vec![median(&plain.seconds)] } else { plain.seconds.clone() };
        let ratios: Vec<f64> = c.seconds.iter().zip(&reference).map(|(ours, theirs)| ours / theirs).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        Row {
            size: size.to_string(),
            way: c.way,
            precision: c.precision.clone(),
            seconds: median(&c.seconds),
            ratio: [median(&ratios), least, most],
            peak_mib: c.peer.peak_mib(),
            memory_ratio: c.peer.peak_mib() / plain.peer.peak_mib(),
            apart: c.apart,
            runs: c.seconds.len(),
        }
    };
    contestants.iter().map(row).collect()
}

impl Contestant {
    fn start(way: &'static str, precision: &str, command: &mut Command) -> Result<Self> {
        let peer = Peer::start(command)?;
        Ok(Self { way, precision: precision.to_string(), peer, seconds: Vec::new(), apart: 0.0, is_slow: false })
    }

    fn time(&mut self) -> Result<()> {
        self.seconds.extend(self.peer.steps(1)?.seconds);
        Ok(())
    }
}

fn has_bf16() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    Machine::this().device.is_some() || flags.contains(" avx512_bf16") || flags.contains(" amx_bf16")
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| Size | Way | Precision | Seconds per step | Ratio to plain | Min | Max | Steps | Peak memory, MiB | Ratio | Loss difference |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Row { size, way, precision, seconds, ratio: [median, least, most], peak_mib, memory_ratio, apart, runs } =
            row;
        text.push_str(&format!(
            "| {size} | {way} | {precision} | {seconds:.2} | {median:.2} | {least:.2} | {most:.2} | {runs} | {peak_mib:.0} | {memory_ratio:.2} | {apart:.0e} |\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_compared_by_their_share() {
        assert_eq!(apart(&[2.0, 10.0], &[2.0, 9.0]), 0.1);
        assert_eq!(apart(&[2.0], &[2.0, 9.0]), f64::INFINITY);
        assert!(apart(&[f64::NAN, 1.0], &[1.0, 1.0]).is_nan());
    }

    #[test]
    fn a_row_tells_all() {
        let row = Row {
            size: "pix2pix 64x64 b1".into(),
            way: OURS,
            precision: "f32".into(),
            seconds: 0.5,
            ratio: [0.5, 0.4, 0.6],
            peak_mib: 800.0,
            memory_ratio: 0.7,
            apart: 2e-7,
            runs: 5,
        };
        let line = "| pix2pix 64x64 b1 | geolearn | f32 | 0.50 | 0.50 | 0.40 | 0.60 | 5 | 800 | 0.70 | 2e-7 |";
        assert!(table(&[row]).contains(line));
    }
}
