//! Tests many processes that prepare the same folder at once.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use geolearn::ndarray::Array3;
use geolearn::{DatasetType, PrepareData, Raster};

use super::processes::Group;

/// Creates noise chips above the size from which statistics are cached.
fn large_chips(folder: &Path) {
    let mut state = 1u64;
    for domain in ["A", "B"] {
        let into = folder.join("chips").join(domain).join("images");
        std::fs::create_dir_all(&into).unwrap();
        for chip in 0..12 {
            let pixels = Array3::from_shape_simple_fn((3, 512, 512), || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            });
            Raster::new(pixels).unwrap().save(into.join(format!("{chip}.tif"))).unwrap();
        }
    }
}

/// All read what one of them found; a writer replaces the file.
#[test]
fn statistics_are_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    large_chips(folder.path());
    check(folder.path(), &Group::start(folder.path(), "prepare", 4, &[]).finish());
}

/// All processes have read the same files, which tell what the chips are like, and nothing else is left.
fn check(folder: &Path, said: &[String]) {
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    let data = PrepareData::new(folder.join("chips"), DatasetType::CycleGan).cache(false).prepare().unwrap();
    assert!(said[0].starts_with('[') && said[0].ends_with(&data.to_string()), "{said:?}, not {data}");
    let left: Vec<_> = std::fs::read_dir(folder.join("chips/.geolearn")).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "locks or incomplete files are left: {left:?}");
}

/// One is killed as soon as the folder of the statistics is there, whether it takes them or waits: the others do not wait for it.
#[test]
fn a_process_that_is_killed_spoils_no_statistics() {
    for victim in [0, 2] {
        let folder = tempfile::tempdir().unwrap();
        large_chips(folder.path());
        let mut group = Group::start(folder.path(), "prepare", 3, &[]);
        while !folder.path().join("chips/.geolearn").exists() && group.is_running(victim) {
            sleep(Duration::from_millis(1));
        }
        group.kill(victim);
        let said = group.finish_except(Some(victim));
        for (_, said) in said.iter().enumerate().filter(|(rank, _)| *rank != victim) {
            assert!(said.starts_with("Peer: ") && said.contains(&format!("process {victim}")), "{said}");
        }
        check(folder.path(), &Group::start(folder.path(), "prepare", 3, &[]).finish());
    }
}
