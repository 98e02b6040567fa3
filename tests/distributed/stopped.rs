//! Tests stopping from outside.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::child::{EPOCHS, data};
use super::common::few_chips;
use super::processes::Group;

/// SIGTERM to any process stops all of them after the same step.
#[test]
fn a_signal_to_one_stops_all_at_one_step() {
    for asked in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        few_chips(folder.path(), 60, 50);
        let mut group = Group::start(folder.path(), "train", 3, &[]);
        while !folder.path().join("steps").exists() && group.is_running(0) {
            sleep(Duration::from_millis(5));
        }
        let told = Command::new("kill").args(["-TERM", &group.id(asked).to_string()]).status().unwrap();
        assert!(told.success());
        let said = group.finish();
        assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
        let steps: usize = said[0].split(' ').next().unwrap().parse().unwrap();
        let all = EPOCHS * data(folder.path()).batches_per_epoch().div_ceil(3);
        assert!((1..all).contains(&steps), "{said:?}, of {all}");
        assert!(folder.path().join("run/last.safetensors").exists());
    }
}
