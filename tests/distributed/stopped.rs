//! Stops from outside: whichever process is asked, all end in the same way.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use geolearn::FitOptions;
use geolearn::distributed::Distributed;
use tracing::Level;

use super::child::{EPOCHS, data, fit_options, model, share_of};
use super::common::few_chips;
use super::events::events;
use super::processes::{FAULT, Group, TIMEOUT, said};
use super::scenes::{alone, translated};

fn send(signal: &str, id: u32) {
    assert!(Command::new("kill").args([signal, &id.to_string()]).status().unwrap().success());
}

#[test]
fn a_signal_to_one_process_stops_all_at_the_same_step() {
    for (asked, signal) in [(0, "-INT"), (1, "-TERM"), (2, "-INT")] {
        let folder = tempfile::tempdir().unwrap();
        few_chips(folder.path(), 60, 50);
        let mut group = Group::start(folder.path(), "train", 3, &[]);
        while !folder.path().join("steps").exists() && group.is_running(0) {
            sleep(Duration::from_millis(5));
        }
        send(signal, group.id(asked));
        let said = group.finish();
        assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
        let steps: usize = said[0].split(' ').next().unwrap().parse().unwrap();
        let all = EPOCHS * data(folder.path(), 1).batches_per_epoch().div_ceil(3);
        assert!((1..all).contains(&steps), "{said:?}, of {all}");
        assert!(folder.path().join("run/last.safetensors").exists());
    }
}

/// Two processes are stopped within an epoch, and one with batches of the same size goes on. A warning tells what differs.
#[test]
fn a_different_number_of_processes_goes_on_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    few_chips(folder.path(), 9, 8);
    let said = Group::start(folder.path(), "train", 2, &[(FAULT, "1 terminate 6")]).finish();
    let data = data(folder.path(), 2);
    let all = EPOCHS * data.batches_per_epoch();
    let steps: usize = said[0].split(' ').next().unwrap().parse().unwrap();
    assert!(said[0] == said[1] && (1..all).contains(&steps), "{said:?}, of {all}");
    let mut model = model(&data).unwrap();
    let resume = |options: FitOptions| options.distributed(Distributed::from_env().unwrap());
    let (history, warnings) = events(Level::WARN, || model.fit(resume(fit_options(folder.path()))).unwrap());
    assert_eq!((history.epochs().len(), model.history().steps()), (EPOCHS, all as u64));
    let field = |fields: &[(String, String)], name: &str| {
        fields.iter().find(|(key, _)| key == name).map_or(String::new(), |(_, value)| value.clone())
    };
    let is_it = |fields: &Vec<(String, String)>| {
        field(fields, "message").contains("written by a different number of processes")
            && (field(fields, "processes"), field(fields, "checkpoint")) == ("1".to_owned(), "2".to_owned())
    };
    assert!(warnings.iter().any(is_it), "{warnings:?}");
}

/// All processes end with `Stopped`, and the same call goes on to the bytes of one process.
#[test]
fn a_signal_to_one_process_stops_the_scene_of_all() {
    let expected = alone();
    for asked in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let fault = format!("{asked} terminate 3");
        let said = Group::start(folder.path(), "translate", 3, &[(FAULT, &fault)]).finish();
        assert!(said.iter().all(|said| said.starts_with("Stopped: ")), "{said:?}");
        let names = |said: &&String| said.contains(&format!("process {asked} (")) && said.contains("was stopped");
        assert!(said.iter().filter(names).count() >= 1, "{said:?}");
        assert!(!folder.path().join("out.tif").exists() && folder.path().join("out.tif.parts").exists());
        Group::start(folder.path(), "translate", 2, &[]).finish();
        assert!(translated(folder.path()) == expected, "process {asked}");
    }
}

/// A process that has done its part waits for one that hangs, and hears the signal all the same.
#[test]
fn a_signal_ends_the_wait_for_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut group = Group::start(folder.path(), "translate", 3, &[(FAULT, "0 hang 3"), (TIMEOUT, "800")]);
    let share = || std::fs::read_to_string(share_of(folder.path(), 1)).ok().and_then(|share| share.parse::<f64>().ok());
    // What one of three has done counts three times.
    while share().is_none_or(|share| share < 0.99) && group.is_running(1) {
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_secs(1));
    assert!(group.is_running(1) && group.is_running(2), "{}", said(folder.path(), 1));
    send("-TERM", group.id(1));
    let said = group.finish_except(Some(0));
    let stopped = |rank: usize, reason: &str| said[rank].starts_with("Stopped: ") && said[rank].contains(reason);
    assert!(stopped(1, ": this process was stopped while it waited for the others"), "{said:?}");
    assert!(stopped(2, ": process 1 (") && stopped(2, "was stopped"), "{said:?}");
}
