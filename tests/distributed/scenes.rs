//! Scenes that several processes translate together.

use std::path::Path;

use super::child::{SCENE, raster_options, translator};
use super::processes::{FAULT, Group, TIMEOUT};

/// Returns the file that one process makes.
pub fn alone() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    translator().predict_raster(SCENE, folder.path().join("out.tif"), raster_options()).unwrap();
    translated(folder.path())
}

/// Returns the file that several processes have made.
pub fn translated(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("out.tif")).unwrap()
}

#[test]
fn a_scene_of_several_processes_is_that_of_one() {
    let expected = alone();
    for count in [2, 4] {
        let folder = tempfile::tempdir().unwrap();
        let said = Group::start(folder.path(), "translate", count, &[]).finish();
        assert!(said.iter().all(|said| said.starts_with("1 output, ")), "{said:?}");
        assert!(translated(folder.path()) == expected, "{count} processes");
        assert!(!folder.path().join("out.tif.parts").exists());
    }
}

/// Whichever process it is: the others end with its name, no incomplete output is left, and another number of processes goes on.
#[test]
fn a_process_that_is_killed_within_a_scene_is_named_by_the_others() {
    let expected = alone();
    // Each has two rows of tiles, and is first asked before any is done.
    for fault in ["2 abort 3", "0 abort 3", "1 exit 2"] {
        let folder = tempfile::tempdir().unwrap();
        let culprit: usize = fault.split(' ').next().unwrap().parse().unwrap();
        let more = [(FAULT, fault), (TIMEOUT, "40")];
        let said = Group::start(folder.path(), "translate", 3, &more).finish_except(Some(culprit));
        for said in said.iter().enumerate().filter(|(rank, _)| *rank != culprit).map(|(_, said)| said) {
            assert!(said.starts_with("Peer: ") && said.contains(&format!("process {culprit}")), "{fault}: {said}");
        }
        assert!(!folder.path().join("out.tif").exists() && folder.path().join("out.tif.parts").exists(), "{fault}");
        Group::start(folder.path(), "translate", 2, &[]).finish();
        assert!(translated(folder.path()) == expected, "{fault}");
    }
}
