//! Scenes that several processes translate together.

use std::path::Path;

use super::child::{SCENE, raster_options, translator};
use super::processes::{FAULT, Group, TIMEOUT};

fn alone(folder: &Path) -> Vec<u8> {
    let output = folder.join("alone.tif");
    translator().predict_raster(SCENE, &output, raster_options()).unwrap();
    std::fs::read(output).unwrap()
}

#[test]
fn a_scene_of_several_processes_is_that_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let expected = alone(folder.path());
    for count in [2, 4] {
        let said = Group::start(folder.path(), "translate", count, &[]).finish();
        assert!(said.iter().all(|said| said.starts_with("1 output, ")), "{said:?}");
        let output = folder.path().join("out.tif");
        assert!(std::fs::read(&output).unwrap() == expected, "{count} processes");
        assert!(!folder.path().join("out.tif.parts").exists());
        std::fs::remove_file(output).unwrap();
    }
}

/// Whoever it is: the others end by themselves with its name, no half file is left, and another number of processes goes on.
#[test]
fn a_process_that_is_killed_within_a_scene_is_named_by_the_others() {
    let expected = alone(tempfile::tempdir().unwrap().path());
    // Each has two rows of tiles; what is told first is that nothing is done yet.
    for fault in ["2 abort 3", "0 abort 3", "1 exit 2"] {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.tif");
        let culprit: usize = fault.split(' ').next().unwrap().parse().unwrap();
        let more = [(FAULT, fault), (TIMEOUT, "20")];
        let said = Group::start(folder.path(), "translate", 3, &more).finish_except(Some(culprit));
        for said in said.iter().enumerate().filter(|(rank, _)| *rank != culprit).map(|(_, said)| said) {
            assert!(said.starts_with("Peer: ") && said.contains(&format!("process {culprit}")), "{fault}: {said}");
        }
        assert!(!output.exists() && folder.path().join("out.tif.parts").exists(), "{fault}");
        Group::start(folder.path(), "translate", 2, &[]).finish();
        assert!(std::fs::read(output).unwrap() == expected, "{fault}");
    }
}
