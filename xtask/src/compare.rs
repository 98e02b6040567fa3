//! `cargo xtask compare-loader`: compares this crate's data loader with others on the same files.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::checkout::Checkout;
use crate::process_memory::resident_mib;
use crate::profile::Profile;
use crate::scratch::Scratch;
use crate::trouble::{Result, Trouble};

const FORMATS: [&str; 3] = ["png", "jpg", "tif"];
const WORKERS: [usize; 2] = [1, 2];
const OURS: &str = "geolearn";
const PEERS: [&str; 3] = ["pillow", "torchvision", "arcgis"];
/// Exit status of the script if a peer is not installed.
const NOT_INSTALLED: i32 = 3;
/// How often memory is sampled; in a separate run, so that sampling does not slow down what is timed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The command-line options.
#[derive(Debug, PartialEq)]
pub struct Comparison {
    /// A Python with torch and torchvision, and optionally arcgis; `None` measures only this crate.
    pub python: Option<String>,
    /// Number of interleaved rounds.
    pub repeats: usize,
    pub seconds: f64,
    /// File for the figures, as JSON.
    pub json: Option<PathBuf>,
}

impl Default for Comparison {
    fn default() -> Self {
        let python = env::var("GEOLEARN_PEERS_PYTHON").ok().filter(|name| !name.is_empty());
        Self { python, repeats: 3, seconds: 2.0, json: None }
    }
}

/// A loader on a folder.
struct Case {
    loader: &'static str,
    format: &'static str,
    workers: usize,
    runs: Vec<Run>,
    peak_mib: f64,
}

#[derive(Clone, Copy, Default)]
struct Run {
    per_second: f64,
    per_cpu_second: f64,
    first_batch: f64,
    /// Measured from the start of the process.
    start: f64,
}

pub fn compare(checkout: &Checkout, asked: &Comparison) -> Result<()> {
    let loader = Profile::Release.example(checkout, "loader")?;
    let scratch = Scratch::new("loaders")?;
    let mut make = Command::new(&loader);
    make.arg("chips").arg(checkout.root().join("assets/bluemarble")).arg(scratch.path());
    succeed(alike(&mut make))?;
    let command = |case: &Case, seconds: f64| {
        let mut command = match (case.loader, &asked.python) {
            (OURS, _) | (_, None) => Command::new(&loader),
            (_, Some(python)) => Command::new(python),
        };
        match case.loader {
            OURS => command.arg("speed"),
            peer => command.arg(checkout.root().join("benches/peers/loaders.py")).arg(peer),
        };
        command.arg(scratch.path().join(case.format)).arg(case.workers.to_string()).arg(seconds.to_string());
        command
    };
    let mut cases = cases(asked.python.is_some());
    let before = load();
    for repeat in 0..asked.repeats {
        cases.retain_mut(|case| match timed(alike(&mut command(case, asked.seconds))) {
            Ok(run) => {
                case.runs.push(run);
                true
            }
            Err(trouble) => {
                eprintln!("xtask: skipping {} on {}: {trouble}", case.loader, case.format);
                false
            }
        });
        eprintln!("xtask: {} of {} rounds", repeat + 1, asked.repeats);
    }
    for case in &mut cases {
        case.peak_mib = peak_mib(alike(&mut command(case, 0.0)))?;
    }
    let load = format!("load before {before}, after {}", load());
    print!("{}", table(&cases, &load));
    match &asked.json {
        Some(path) => fs::write(path, json(&cases, &load)).map_err(Trouble::file("cannot write", path)),
        None => Ok(()),
    }
}

/// Runs a command that reports its own errors.
pub fn succeed(command: &mut Command) -> Result<()> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Trouble::new(format!("{command:?} failed: {status}"))),
        Err(e) => Err(Trouble::new(format!("cannot start {command:?}: {e}"))),
    }
}

/// Limits libtorch to one thread in every loader, so that the comparison is between workers.
fn alike(command: &mut Command) -> &mut Command {
    command.env("OMP_NUM_THREADS", "1").env("OMP_WAIT_POLICY", "passive").env("MPLBACKEND", "Agg")
}

fn cases(with_peers: bool) -> Vec<Case> {
    let peers = if with_peers { PEERS.as_slice() } else { &[] };
    let mut cases = Vec::new();
    for format in FORMATS {
        for workers in WORKERS {
            for &loader in [OURS].iter().chain(peers) {
                // torchvision cannot decode TIFF.
                if (loader, format) != ("torchvision", "tif") {
                    cases.push(Case { loader, format, workers, runs: Vec::new(), peak_mib: 0.0 });
                }
            }
        }
    }
    cases
}

fn timed(command: &mut Command) -> Result<Run> {
    let begin = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| Trouble::new(format!("cannot start {command:?}: {e}")))?;
    let mut run = Run::default();
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines().map_while(|l| l.ok())) {
        let Some((name, Ok(value))) = line.split_once(' ').map(|(name, value)| (name, value.parse::<f64>())) else {
            continue;
        };
        match name {
            "first_batch_s" => (run.first_batch, run.start) = (value, begin.elapsed().as_secs_f64()),
            "chips_per_s" => run.per_second = value,
            "chips_per_cpu_s" => run.per_cpu_second = value,
            _ => {}
        }
    }
    let status = child.wait().map_err(|e| Trouble::new(format!("cannot wait for {command:?}: {e}")))?;
    match status.code() {
        Some(0) if run.per_cpu_second > 0.0 => Ok(run),
        Some(NOT_INSTALLED) => Err(Trouble::new("it is not installed in this Python")),
        _ => Err(Trouble::new(format!("{command:?} failed: {status}"))),
    }
}

/// Returns the peak memory of the process and its workers; shared memory counts once.
fn peak_mib(command: &mut Command) -> Result<f64> {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|e| Trouble::new(format!("cannot start {command:?}: {e}")))?;
    let mut peak = 0.0f64;
    while child.try_wait().map_err(|e| Trouble::new(e.to_string()))?.is_none() {
        peak = peak.max(resident_mib(child.id()));
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(peak)
}

/// Returns the system's load average over the last minute.
pub fn load() -> String {
    let load = fs::read_to_string(Path::new("/proc/loadavg")).unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_string()
}

impl Case {
    fn median(&self, of: fn(&Run) -> f64) -> f64 {
        let mut values: Vec<f64> = self.runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    }
}

fn table(cases: &[Case], load: &str) -> String {
    let mut text = String::from(
        "| Format | Workers | Loader | Chips per CPU-second | Ours relative to it | Chips per second | First batch, s | From the start of the process, s | Peak memory, MiB |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for case in cases {
        let per_core = case.median(|run| run.per_cpu_second);
        let same = |other: &&Case| other.loader == OURS && (other.format, other.workers) == (case.format, case.workers);
        let ratio = cases.iter().find(same).map_or(0.0, |ours| ours.median(|run| run.per_cpu_second) / per_core);
        text.push_str(&format!(
            "| {} | {} | {} | {per_core:.0} | {ratio:.2} | {:.0} | {:.3} | {:.2} | {:.0} |\n",
            case.format,
            case.workers,
            case.loader,
            case.median(|run| run.per_second),
            case.median(|run| run.first_batch),
            case.median(|run| run.start),
            case.peak_mib,
        ));
    }
    let runs = cases.first().map_or(0, |case| case.runs.len());
    text + &format!("\nMedians of {runs} interleaved rounds; {load}.\n")
}

fn json(cases: &[Case], load: &str) -> String {
    let rows: Vec<String> = cases
        .iter()
        .map(|case| {
            let runs: Vec<String> = case
                .runs
                .iter()
                .map(|run| {
                    let Run { per_second, per_cpu_second, first_batch, start } = run;
                    format!("{{\"chips_per_s\": {per_second}, \"chips_per_cpu_s\": {per_cpu_second}, \"first_batch_s\": {first_batch}, \"start_s\": {start}}}")
                })
                .collect();
            let Case { loader, format, workers, peak_mib, .. } = case;
            format!(
                "    {{\"loader\": \"{loader}\", \"format\": \"{format}\", \"workers\": {workers}, \"peak_mib\": {peak_mib:.1}, \"runs\": [{}]}}",
                runs.join(", ")
            )
        })
        .collect();
    format!("{{\n  \"load\": \"{load}\",\n  \"cases\": [\n{}\n  ]\n}}\n", rows.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_median_and_the_ratio() {
        let case = |loader, speeds: [f64; 3]| {
            let runs = speeds.map(|per_cpu_second| Run { per_cpu_second, ..Run::default() }).to_vec();
            Case { loader, format: "png", workers: 1, runs, peak_mib: 10.0 }
        };
        let cases = [case(OURS, [600.0, 10.0, 700.0]), case("pillow", [300.0, 200.0, 400.0])];
        let table = table(&cases, "load 1");
        assert!(table.contains("| png | 1 | pillow | 300 | 2.00 |"), "{table}");
        assert_eq!(json(&cases, "load 1").matches("chips_per_cpu_s").count(), 6);
    }
}
