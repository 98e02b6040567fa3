//! Processes that are killed, frozen, hang, panic or leave.
//!
//! A timeout of 120 s gives a heartbeat timeout of 30 s, and one of 20 s gives 10 s: a frozen process is always found before the
//! timeout, and a hanging one never before it.

use super::child::data;
use super::common::{few_chips, on_cpu};
use super::processes::{FAULT, Group, TIMEOUT};

/// Trains with three processes, one of them faulty, and returns what each reported.
fn with_fault(fault: &str, timeout: &str) -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    few_chips(folder.path(), 9, 8);
    let culprit = fault.split(' ').next().unwrap().parse().unwrap();
    let group = Group::start(folder.path(), "train", 3, &[(FAULT, fault), (TIMEOUT, timeout)]);
    (folder, group.finish_except(Some(culprit)))
}

/// All processes but the faulty one have an error that names it.
fn check(fault: &str, said: &[String]) {
    let culprit: usize = fault.split(' ').next().unwrap().parse().unwrap();
    for (rank, said) in said.iter().enumerate().filter(|(rank, _)| *rank != culprit) {
        assert!(said.starts_with("Peer: "), "{fault}: process {rank} said {said:?}");
        assert!(said.contains(&format!("process {culprit}")), "{fault}: process {rank} said {said:?}");
    }
}

/// Whichever process fails, and wherever in the fit, the others end with an error that names it, and the newest
/// checkpoint is intact.
#[test]
fn a_process_that_is_killed_is_named_by_the_others() {
    for fault in ["0 abort 4", "2 abort 9", "1 exit 1", "0 abort 7"] {
        let (folder, said) = with_fault(fault, "120");
        check(fault, &said);
        let newest = folder.path().join("run/last.safetensors");
        if newest.exists() {
            on_cpu::from_checkpoint(newest, &data(folder.path(), 1)).unwrap();
        }
    }
}

/// A machine that is gone keeps its connections open, as far as the others can tell.
#[test]
fn a_process_that_is_frozen_is_named_by_the_others() {
    for fault in ["2 freeze 4", "0 freeze 4"] {
        let (_folder, said) = with_fault(fault, "60");
        check(fault, &said);
        let names_timeout = |said: &String| said.contains("a heartbeat within") || said.contains("key-value store of");
        assert!(said.iter().any(names_timeout), "{said:?}");
    }
}

#[test]
fn a_process_that_hangs_is_named_by_the_others() {
    let (_folder, said) = with_fault("1 hang 4", "20");
    check("1 hang 4", &said);
    assert!(said.iter().any(|said| said.contains("has not joined a collective")), "{said:?}");
}

#[test]
fn a_process_that_panics_is_named_by_the_others() {
    let (_folder, said) = with_fault("1 panic 4", "120");
    check("1 panic 4", &said);
    assert!(said[0].contains("panicked"), "{said:?}");
}

/// It drops the group without an error of the group.
#[test]
fn a_process_that_leaves_is_named_by_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let said = Group::start(folder.path(), "leaves", 3, &[]).finish();
    assert!(said[1].contains("the chips are gone"), "{said:?}");
    for said in [&said[0], &said[2]] {
        assert!(said.starts_with("Peer: process 1 ") && said.contains("left the group before the others"), "{said}");
    }
}
