//! Kills a child process at random moments, often while it writes.

use crate::common::on_cpu;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use geolearn::train::Checkpoint;

use super::{builder, common, data, last, losses, options, tensors};

const EPOCHS: usize = 5;
const KILLS: usize = 15;
const KILLS_IN_WRITING: usize = 4;
const ROUNDS: usize = 10;
/// Names the working folder of a child; without it the child's test does nothing.
const FOLDER: &str = "GEOLEARN_TEST_RESUME_FOLDER";

fn chips(folder: &Path) -> PathBuf {
    folder.join("chips")
}

/// Trains to the end from the folder's checkpoint, if any, and creates a file when done.
fn train(folder: &Path) {
    let data = data(&chips(folder));
    let mut model = builder(&data).device(geolearn::Device::Cpu).build().unwrap();
    let run = folder.join("run");
    model.fit(options(EPOCHS, &run).checkpoint(Checkpoint::All).checkpoint_every(2)).unwrap();
    std::fs::write(folder.join("done"), "").unwrap();
}

/// Not a test of its own: the child process runs it.
#[test]
#[ignore = "run by the tests that kill it"]
fn child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        train(Path::new(&folder));
    }
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["killed::child", "--exact", "--ignored", "--quiet"])
        .env(FOLDER, folder)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Returns files that are being written, or were when their process was killed.
fn half_written(run: &Path) -> BTreeSet<OsString> {
    let names = std::fs::read_dir(run).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".part")).collect()
}

/// Waits until the child writes a new file, or exits.
fn wait_for_writing(child: &mut Child, run: &Path) {
    while !half_written(run).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    while half_written(run).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
}

/// A small random number generator for the moments of kills; its quality does not matter.
struct Moments(u64);

impl Moments {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % most.max(1)
    }
}

#[test]
fn a_fit_killed_at_any_moment_resumes_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let unbroken = folder.path().join("unbroken");
    common::few_chips(&unbroken, 7, 6);
    let begun = Instant::now();
    assert!(start(&unbroken).wait().unwrap().success());
    let whole_run = begun.elapsed().as_millis() as u64;
    let (mut moments, mut kills, mut in_writing) = (Moments(7), 0, 0);
    // How far a child gets before it is killed depends on the machine, so repeat as often as needed.
    for round in 0..ROUNDS {
        let broken = folder.path().join(format!("broken_{round}"));
        common::few_chips(&broken, 7, 6);
        let (more, more_in_writing) = killed_run(&broken, whole_run, &mut moments);
        (kills, in_writing) = (kills + more, in_writing + more_in_writing);
        check_end(&broken, &unbroken);
        if kills >= KILLS && in_writing >= KILLS_IN_WRITING {
            break;
        }
    }
    eprintln!("{kills} kills, {in_writing} of them while writing a checkpoint");
    assert!(kills >= KILLS, "only {kills} kills");
    assert!(in_writing >= KILLS_IN_WRITING, "only {in_writing} kills occurred during writing");
}

/// Kills children until one finishes; returns the number of kills, and how many occurred during writing.
fn killed_run(broken: &Path, whole_run: u64, moments: &mut Moments) -> (usize, usize) {
    let run = broken.join("run");
    let (mut kills, mut in_writing, mut done) = (0, 0, 0);
    while kills < 2 * KILLS && !broken.join("done").exists() {
        let older = half_written(&run);
        let mut child = start(broken);
        match kills % 3 {
            0 => std::thread::sleep(Duration::from_millis(moments.below(whole_run / 3))),
            _ => (0..=moments.below(2)).for_each(|_| wait_for_writing(&mut child, &run)),
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        in_writing += usize::from(half_written(&run).difference(&older).next().is_some());
        done = check_newest(broken, done);
    }
    assert!(start(broken).wait().unwrap().success());
    assert!(broken.join("done").exists());
    (kills, in_writing)
}

/// The interrupted run ended identically to the uninterrupted one, bit for bit.
fn check_end(broken: &Path, unbroken: &Path) {
    let [expected, found] = [unbroken, broken].map(|place| last(&place.join("run")));
    assert_eq!(losses(&found), losses(&expected));
    assert_eq!(losses(&found).len(), EPOCHS);
    let (expected, found) = (tensors(&expected), tensors(&found));
    assert!(expected.keys().any(|name| name.starts_with("pool_a.")), "pools are kept");
    assert!(expected.keys().any(|name| name.ends_with(".exp_avg_sq")), "moments are kept");
    assert!(found == expected, "the weights differ");
    assert!(half_written(&broken.join("run")).is_empty(), "leftovers of killed processes are removed");
}

/// The newest checkpoint is intact and not older than before; returns its number of steps.
fn check_newest(folder: &Path, before: u64) -> u64 {
    let newest = last(&folder.join("run"));
    if !newest.exists() {
        assert_eq!(before, 0, "a checkpoint is gone");
        return 0;
    }
    on_cpu::from_checkpoint(&newest, &data(&chips(folder))).unwrap();
    let header = super::header(&newest);
    let of_epochs: u64 =
        header["history"]["epochs"].as_array().unwrap().iter().map(|e| e["steps"].as_u64().unwrap()).sum();
    let done = of_epochs + header["position"]["batches"].as_u64().unwrap();
    assert!(done >= before, "the newest checkpoint regressed from {before} to {done} steps");
    done
}

/// Writes its history to a file, and kills the process when the last epoch's checkpoint exists but its line does not.
struct EndsTheProcess(usize);

impl geolearn::train::Callback for EndsTheProcess {
    fn on_epoch_end(&mut self, report: &geolearn::train::EpochReport<'_>) -> geolearn::Result<geolearn::train::Flow> {
        if report.epoch == self.0 {
            std::process::abort();
        }
        Ok(geolearn::train::Flow::Continue)
    }
}

fn written(folder: &Path, killed: bool) {
    let data = data(&chips(folder));
    let mut model = builder(&data).device(geolearn::Device::Cpu).build().unwrap();
    let mut options = options(2, &folder.join("run"));
    if killed {
        options = options.callback(EndsTheProcess(2));
    }
    model.fit(options.callback(geolearn::train::HistoryFile::new(folder.join("history.csv")))).unwrap();
}

/// Not a test of its own: the child process runs it.
#[test]
#[ignore = "run by the test that resumes it"]
fn child_that_ends_before_the_history_is_written() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        written(Path::new(&folder), true);
    }
}

#[test]
fn the_last_epoch_is_in_the_history_file_after_a_resume() {
    let folder = tempfile::tempdir().unwrap();
    common::few_chips(folder.path(), 4, 4);
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["killed::child_that_ends_before_the_history_is_written", "--exact", "--ignored", "--quiet"])
        .env(FOLDER, folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!child.success());
    let lines = || std::fs::read_to_string(folder.path().join("history.csv")).unwrap().lines().count();
    assert_eq!((losses(&last(&folder.path().join("run"))).len(), lines()), (2, 2), "a line below the names is missing");
    written(folder.path(), false);
    assert_eq!(lines(), 3);
}
