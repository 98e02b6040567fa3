//! Tests many processes that prepare the same folder at once.

use std::path::Path;

use geolearn::Raster;
use geolearn::ndarray::Array3;

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
    let said = Group::start(folder.path(), "prepare", 4, &[]).finish();
    assert!(said[0].starts_with('['), "{said:?}");
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("chips/.geolearn")).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "locks or halves are left: {left:?}");
}
