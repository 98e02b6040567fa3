//! Tests how processes form a group, and what can prevent it.

use super::common::few_chips;
use super::processes::{Group, TIMEOUT, WORK};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn processes_find_each_other() {
    for count in [1, 2, 5] {
        let folder = folder();
        let said = Group::start(folder.path(), "gather", count, &[]).finish();
        assert_eq!(said, vec!["together"; count]);
    }
}

#[test]
fn a_second_group_is_made_after_the_first() {
    let folder = folder();
    let said = Group::start(folder.path(), "again", 3, &[]).finish();
    assert_eq!(said, ["[0, 3, 6, 9]", "[1, 4, 7]", "[2, 5, 8]"]);
}

#[test]
fn a_process_that_does_not_start_is_named() {
    let folder = folder();
    let group = Group::start_with(folder.path(), "gather", 3, |rank, command| {
        // Rank 0 gives up well before rank 1, and tells it.
        command.env(TIMEOUT, ["15", "120", "15"][rank]);
        if rank == 2 {
            // It never joins the others.
            command.env_remove(WORK);
        }
    });
    let said = group.finish();
    assert!(said[0].starts_with("Peer: process 2 has not started"), "{said:?}");
    assert!(said[1].starts_with("Peer: the processes cannot form a group (process 2 has not started"), "{said:?}");
}

#[test]
fn a_rank_that_is_there_twice_is_an_error_in_all() {
    let folder = folder();
    let group = Group::start_with(folder.path(), "gather", 3, |rank, command| {
        // The third process logs under the name of the second.
        if rank == 2 {
            command.env("RANK", "1");
        }
    });
    let said = group.finish();
    assert!(said[0].contains("several processes have RANK 1"), "{said:?}");
    assert!(said[1].contains("several processes have RANK 1"), "{said:?}");
}

#[test]
fn another_number_of_processes_is_an_error_in_all() {
    let folder = folder();
    let group = Group::start_with(folder.path(), "gather", 3, |rank, command| {
        if rank == 1 {
            command.env("WORLD_SIZE", "4");
        }
    });
    for said in group.finish() {
        assert!(said.contains("WORLD_SIZE"), "{said}");
    }
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    let folder = folder();
    let said = Group::start(folder.path(), "gather", 1, &[("WORLD_SIZE", "many")]).finish();
    assert!(said[0].starts_with("Usage: environment variable WORLD_SIZE is invalid"), "{said:?}");
    assert!(said[0].contains("found \"many\""), "{said:?}");
}

#[test]
fn other_options_are_an_error_in_all() {
    let folder = folder();
    few_chips(folder.path(), 9, 8);
    for said in Group::start(folder.path(), "another_rate", 3, &[]).finish() {
        assert!(said.starts_with("Usage: process 1 does not run the same fit as process 0: fit.lr differs"), "{said}");
    }
}
