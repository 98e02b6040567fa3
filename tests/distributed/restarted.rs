//! Tests fits that resume after some or all of their processes were killed.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::common::{few_chips, python};
use super::processes::{FAULT, Group, command, newest, said, word_of};

const KILLS: usize = 8;
const FEWEST_KILLS: usize = 3;

fn place(root: &Path, name: &str) -> PathBuf {
    let folder = root.join(name);
    few_chips(&folder, 5, 4);
    folder
}

/// Returns the result of an uninterrupted fit by two processes.
fn unbroken(root: &Path) -> PathBuf {
    let folder = place(root, "unbroken");
    let said = Group::start(&folder, "train", 2, &[]).finish();
    assert!(said[0].contains(" steps, ") && said[0] == said[1], "{said:?}");
    folder
}

/// A small random number generator for the moments of kills; its quality does not matter.
fn drawn(state: &mut u64, most: u64) -> u64 {
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*state >> 33) % most.max(1)
}

/// One of two processes is killed repeatedly, at any point; both restart, and end with the same bits as the
/// uninterrupted fit.
#[test]
fn a_fit_whose_processes_are_killed_goes_on_to_the_same_bits() {
    let root = tempfile::tempdir().unwrap();
    let whole = unbroken(root.path());
    let broken = place(root.path(), "broken");
    let (mut state, mut kills) = (11, 0);
    for round in 0..KILLS {
        let (victim, other, steps) = (round % 2, 1 - round % 2, broken.join("steps"));
        for old in [&steps, &word_of(&broken, other)] {
            let _ = std::fs::remove_file(old);
        }
        let mut group = Group::start(&broken, "train", 2, &[]);
        while !steps.exists() && group.is_running(victim) {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(drawn(&mut state, 60)));
        let was_running = group.is_running(victim);
        group.kill(victim);
        let said = group.finish_except(Some(victim));
        let is_named = said[other].starts_with("Peer: ") && said[other].contains(&format!("process {victim}"));
        // It may have finished.
        assert!(is_named || said[other].contains(" steps, "), "{said:?}");
        kills += usize::from(was_running && is_named);
    }
    eprintln!("{kills} kills during the fit");
    assert!(kills >= FEWEST_KILLS, "only {kills} kills");
    let said = Group::start(&broken, "train", 2, &[]).finish();
    assert_eq!(said, [0, 1].map(|rank| self::said(&whole, rank)));
    assert!(newest(&broken) == newest(&whole), "the weights differ");
}

/// PyTorch's launcher restarts both processes when one is killed.
#[test]
fn torchrun_restarts_a_fit_to_the_same_bits() {
    let Some(python) = python::named_by("GEOLEARN_TEST_PYTHON") else { return };
    let root = tempfile::tempdir().unwrap();
    let whole = unbroken(root.path());
    for fault in ["1 abort 7", "0 abort 5"] {
        let folder = place(root.path(), &fault.replace(' ', "_"));
        let child = command(&folder, "train");
        let mut torchrun = std::process::Command::new(&python);
        torchrun.args(["-m", "torch.distributed.run", "--no-python", "--standalone"]);
        torchrun.args(["--nproc-per-node", "2", "--max-restarts", "2"]);
        torchrun.arg(child.get_program()).args(child.get_args()).env(FAULT, fault);
        torchrun.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = torchrun.output().unwrap();
        assert!(output.status.success(), "{fault}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said(&folder, 0), said(&whole, 0), "{fault}");
        assert_eq!(said(&folder, 1), said(&whole, 1), "{fault}");
        assert!(newest(&folder) == newest(&whole), "{fault}: the weights differ");
    }
}
