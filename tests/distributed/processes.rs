//! Starts processes for a test, and collects what they report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use safetensors::SafeTensors;

use super::common::port::free_port;

/// Names what a child does; without it the child's test does nothing.
pub const WORK: &str = "GEOLEARN_TEST_DISTRIBUTED";
/// The working folder of a child.
pub const FOLDER: &str = "GEOLEARN_TEST_DISTRIBUTED_FOLDER";
/// Seconds that processes wait for each other.
pub const TIMEOUT: &str = "GEOLEARN_TEST_DISTRIBUTED_TIMEOUT";
/// The faulty process, its fault, and how many times it is asked whether to stop before that: `1 abort 7`.
pub const FAULT: &str = "GEOLEARN_TEST_DISTRIBUTED_FAULT";

/// Only a failure takes this long, even on a busy machine.
const LONGEST: Duration = Duration::from_secs(900);

/// The processes of one group.
pub struct Group {
    children: Vec<Child>,
    folder: PathBuf,
}

/// Returns a command that runs this test program as a child.
pub fn command(folder: &Path, work: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child::child", "--exact", "--ignored", "--quiet", "--nocapture"]);
    command.env(WORK, work).env(FOLDER, folder).env("OMP_NUM_THREADS", "1").stdout(Stdio::null());
    command
}

impl Group {
    /// Starts `count` processes that do `work` in `folder`.
    pub fn start(folder: &Path, work: &str, count: usize, more: &[(&str, &str)]) -> Self {
        Self::start_with(folder, work, count, |_, command| {
            command.envs(more.iter().copied());
        })
    }

    /// The same, with a `change` to each command.
    pub fn start_with(folder: &Path, work: &str, count: usize, change: impl Fn(usize, &mut Command)) -> Self {
        let port = free_port().to_string();
        let children = (0..count).map(|rank| {
            let mut command = command(folder, work);
            let numbers = [("RANK", rank), ("WORLD_SIZE", count), ("LOCAL_RANK", rank)];
            command.envs(numbers.map(|(name, number)| (name, number.to_string())));
            command.envs([("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", port.as_str())]);
            command.stderr(std::fs::File::create(folder.join(format!("log_{rank}"))).unwrap());
            change(rank, &mut command);
            command.spawn().unwrap()
        });
        Self { children: children.collect(), folder: folder.to_owned() }
    }

    pub fn id(&self, rank: usize) -> u32 {
        self.children[rank].id()
    }

    /// Kills a process as the out-of-memory killer does.
    pub fn kill(&mut self, rank: usize) {
        self.children[rank].kill().unwrap();
    }

    pub fn is_running(&mut self, rank: usize) -> bool {
        self.children[rank].try_wait().unwrap().is_none()
    }

    /// Waits for all processes but `except`, and returns by rank what each reported.
    pub fn finish_except(mut self, except: Option<usize>) -> Vec<String> {
        let begun = Instant::now();
        for rank in (0..self.children.len()).filter(|rank| Some(*rank) != except) {
            while self.is_running(rank) {
                assert!(begun.elapsed() < LONGEST, "process {rank} does not end: {}", self.log(rank));
                sleep(Duration::from_millis(20));
            }
        }
        (0..self.children.len()).map(|rank| said(&self.folder, rank)).collect()
    }

    pub fn finish(self) -> Vec<String> {
        self.finish_except(None)
    }

    fn log(&self, rank: usize) -> String {
        std::fs::read_to_string(self.folder.join(format!("log_{rank}"))).unwrap_or_default()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn word_of(folder: &Path, rank: usize) -> PathBuf {
    folder.join(format!("said_{rank}"))
}

/// Returns what a child reported; nothing if it was killed.
pub fn said(folder: &Path, rank: usize) -> String {
    std::fs::read_to_string(word_of(folder, rank)).unwrap_or_default()
}

/// Returns the bits of every tensor of the newest checkpoint.
pub fn newest(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(folder.join("run/last.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect()
}
