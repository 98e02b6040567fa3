//! Tests processes that are killed, freeze, hang, panic or leave.

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
    for fault in ["0 abort 4", "1 abort 4", "2 abort 9", "1 exit 1", "0 abort 7", "2 abort 2"] {
        let (folder, said) = with_fault(fault, "120");
        check(fault, &said);
        let newest = folder.path().join("run/last.safetensors");
        if newest.exists() {
            on_cpu::from_checkpoint(newest, &data(folder.path())).unwrap();
        }
    }
}

/// A machine that is gone keeps its connections open, as far as the others can tell.
#[test]
fn a_process_that_is_frozen_is_named_by_the_others() {
    for fault in ["2 freeze 4", "0 freeze 4"] {
        let (_folder, said) = with_fault(fault, "30");
        check(fault, &said);
    }
}

#[test]
fn a_process_that_hangs_is_named_by_the_others() {
    let (_folder, said) = with_fault("1 hang 4", "30");
    check("1 hang 4", &said);
    assert!(
        said[0].contains("does not come to an exchange") || said[2].contains("does not come to an exchange"),
        "{said:?}"
    );
}

#[test]
fn a_process_that_panics_is_named_by_the_others() {
    let (_folder, said) = with_fault("1 panic 4", "120");
    check("1 panic 4", &said);
    assert!(said[0].contains("panicked"), "{said:?}");
}

/// It leaves the group in an orderly way, and takes no part in the fit.
#[test]
fn a_process_that_leaves_is_named_by_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let said = Group::start(folder.path(), "leaves", 3, &[]).finish();
    assert!(said[1].contains("the chips are gone"), "{said:?}");
    for said in [&said[0], &said[2]] {
        assert!(said.starts_with("Peer: process 1 ") && said.contains("ended before the others"), "{said}");
    }
}
