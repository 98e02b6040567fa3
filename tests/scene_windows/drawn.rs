//! Which windows are drawn.

use geolearn::dataset::{SceneWindow, Split};
use geolearn::{Domain, PrepareData};
use ndarray::{Array2, s};

use super::{SCENE, options, with_swath};

fn valid_share(valid: &Array2<bool>, window: SceneWindow) -> f64 {
    let part = valid.slice(s![window.row..window.bottom(), window.column..window.right()]);
    part.iter().filter(|valid| **valid).count() as f64 / window.pixels() as f64
}

/// Ten thousand windows of one epoch, as the caller is told of them.
fn windows(options: PrepareData, split: Split) -> Vec<SceneWindow> {
    let data = options.windows_per_epoch(10_000).prepare().unwrap();
    data.windows(Domain::A, split, 0).into_iter().map(|(_, window)| window).collect()
}

#[test]
fn no_window_has_too_few_pixels_with_data() {
    let folder = tempfile::tempdir().unwrap();
    let (swath, valid) = with_swath(folder.path());
    let empty = valid.iter().filter(|valid| !**valid).count() as f64 / valid.len() as f64;
    assert!((empty - 0.6).abs() < 0.01, "{empty}");
    for least in [0.3, 0.9, 1.0] {
        let drawn = windows(options(folder.path(), &swath, SCENE).min_valid_share(least), Split::Train);
        assert_eq!(drawn.len(), 10_000);
        let fewest = drawn.iter().map(|window| valid_share(&valid, *window)).fold(1.0, f64::min);
        assert!(fewest >= least, "{fewest} of {least}");
        // What is left out near the border is less than a cell of the map of validity, here of 4 pixels.
        assert!(fewest < least + 0.15, "{fewest} of {least}");
    }
}

/// Windows whose ground by far suffices can begin anywhere: Pearson's chi-square of counts in squares of 16 pixels against
/// the number of such positions in each.
#[test]
fn windows_are_drawn_evenly_over_the_valid_area() {
    let folder = tempfile::tempdir().unwrap();
    let (swath, valid) = with_swath(folder.path());
    let drawn = windows(options(folder.path(), &swath, SCENE).val_split_pct(0.0), Split::Train);
    let is_inner = |window: SceneWindow| {
        let grown = window.grown(8);
        window.row.min(window.column) >= 8
            && grown.bottom() <= valid.nrows()
            && grown.right() <= valid.ncols()
            && valid_share(&valid, grown) == 1.0
    };
    let square = |window: SceneWindow| (window.row / 16, window.column / 16);
    let mut expected = Array2::<f64>::zeros((20, 32));
    let mut found = Array2::<f64>::zeros((20, 32));
    for row in 8..=320 - 40 {
        for window in (8..=512 - 40).map(|column| SceneWindow::new(column, row, 32, 32)) {
            expected[square(window)] += f64::from(u8::from(is_inner(window)));
        }
    }
    drawn.iter().filter(|window| is_inner(**window)).for_each(|window| found[square(*window)] += 1.0);
    let scale = found.sum() / expected.sum();
    let cells: Vec<(f64, f64)> = found
        .iter()
        .zip(&expected)
        .map(|(found, expected)| (*found, expected * scale))
        .filter(|(_, expected)| *expected >= 5.0)
        .collect();
    assert!(cells.len() > 80 && found.sum() > 5000.0, "{} squares, {} windows", cells.len(), found.sum());
    let statistic: f64 = cells.iter().map(|(found, expected)| (found - expected).powi(2) / expected).sum();
    let limit = chi_square_99(cells.len() as f64 - 1.0);
    assert!(statistic < limit, "{statistic} of {limit} for {} squares", cells.len());
}

/// What a chi-square of so many degrees of freedom exceeds with a chance of 0.01 (Wilson and Hilferty's approximation, within
/// 0.1 for 80 and more degrees).
fn chi_square_99(degrees: f64) -> f64 {
    let spread = 2.0 / (9.0 * degrees);
    degrees * (1.0 - spread + 2.326_347_874 * spread.sqrt()).powi(3)
}

#[test]
fn no_pixel_is_in_both_splits() {
    let folder = tempfile::tempdir().unwrap();
    let (swath, _) = with_swath(folder.path());
    for (share, seed) in [(0.05, 1), (0.2, 2), (0.5, 3)] {
        let options = || options(folder.path(), &swath, SCENE).val_split_pct(share).seed(seed);
        let (training, validation) = (windows(options(), Split::Train), windows(options(), Split::Valid));
        let mut validates = Array2::from_elem((320, 512), false);
        for window in &validation {
            let mut part = validates.slice_mut(s![window.row..window.bottom(), window.column..window.right()]);
            assert!(!part.iter().any(|seen| *seen), "validation windows lie side by side");
            part.fill(true);
        }
        assert!(!validation.is_empty());
        for window in training {
            let part = validates.slice(s![window.row..window.bottom(), window.column..window.right()]);
            assert!(!part.iter().any(|seen| *seen), "{window} validates, with a share of {share}");
        }
    }
}

#[test]
fn epochs_are_functions_of_the_seed() {
    let folder = tempfile::tempdir().unwrap();
    let windows = |seed, epoch| {
        let data = options(folder.path(), SCENE, SCENE).seed(seed).prepare().unwrap();
        let own = |domain| {
            data.windows(domain, Split::Train, epoch).into_iter().map(|(_, window)| window).collect::<Vec<_>>()
        };
        (own(Domain::A), own(Domain::B))
    };
    assert_eq!(windows(4, 2), windows(4, 2));
    assert_ne!(windows(4, 2), windows(4, 3));
    assert_ne!(windows(4, 2), windows(5, 2));
    let (a, b) = windows(4, 2);
    assert_ne!(a, b, "domains are not paired");
    // 512 x 320 pixels are 160 windows, of which a tenth validates.
    assert_eq!((a.len(), b.len()), (144, 144));
}

#[test]
fn workers_and_places_in_an_epoch_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = |workers| {
        let options = options(folder.path(), SCENE, SCENE).workers(workers).batch_size(5);
        options.windows_per_epoch(60).prepare().unwrap()
    };
    let all: Vec<_> = data(0).epoch(1).unwrap().map(Result::unwrap).collect();
    assert_eq!(all.len(), 12);
    for workers in [1, 3] {
        for skip in [0, 7] {
            let some: Vec<_> = data(workers).epoch_from(1, skip).unwrap().map(Result::unwrap).collect();
            assert_eq!(some.len(), 12 - skip);
            assert!(some.iter().zip(&all[skip..]).all(|(one, other)| one.a == other.a && one.b == other.b));
        }
    }
}

/// The validation and training windows of a domain's scenes, each with the number of its scene.
fn by_scene(data: &geolearn::DataBunch) -> [Vec<(usize, SceneWindow)>; 2] {
    let scenes: Vec<_> = data.scene_files(Domain::A).collect();
    [Split::Valid, Split::Train].map(|split| {
        let number = |path| scenes.iter().position(|scene| *scene == path).unwrap();
        data.windows(Domain::A, split, 0).into_iter().map(|(path, window)| (number(path), window)).collect()
    })
}

/// Two scenes that share three quarters of their ground, on grids of their own.
#[test]
fn no_ground_is_in_both_splits_of_scenes_that_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let whole = super::scene();
    let part = |name: &str, column: usize| {
        let samples = super::bytes(&whole).slice(s![.., .., column..column + 384]).to_owned();
        super::save(folder.path(), name, samples, &whole.place().shifted(0, column))
    };
    let scenes = [part("1.tif", 0), part("2.tif", 128)];
    let options = options(folder.path(), SCENE, SCENE).scenes(Domain::A, scenes);
    let data = options.val_split_pct(0.2).windows_per_epoch(10_000).prepare().unwrap();
    let on_ground =
        |(scene, window): (usize, SceneWindow)| SceneWindow { column: window.column + 128 * scene, ..window };
    let mut validates = Array2::from_elem((320, 512), false);
    let [validation, training] = by_scene(&data);
    assert!([0, 1].iter().all(|scene| validation.iter().any(|(of, _)| of == scene)));
    for window in validation.into_iter().map(on_ground) {
        validates.slice_mut(s![window.row..window.bottom(), window.column..window.right()]).fill(true);
    }
    assert_eq!(training.len(), 10_000);
    for window in training.into_iter().map(on_ground) {
        let part = validates.slice(s![window.row..window.bottom(), window.column..window.right()]);
        assert!(!part.iter().any(|seen| *seen), "{window}");
    }
}

/// Twelve dates of one place. Drawn for each date by itself, the ground of validation would leave hardly any for training.
#[test]
fn scenes_of_one_place_set_the_same_ground_aside() {
    let folder = tempfile::tempdir().unwrap();
    let dates = (1..=12).map(|date| {
        let path = folder.path().join(format!("{date}.tif"));
        std::fs::copy(SCENE, &path).unwrap();
        path
    });
    let options = options(folder.path(), SCENE, SCENE).scenes(Domain::A, dates.collect::<Vec<_>>());
    let data = options.val_split_pct(0.2).prepare().unwrap();
    let [validation, training] = by_scene(&data);
    let mut validates = Array2::from_elem((320, 512), false);
    for (_, window) in validation {
        validates.slice_mut(s![window.row..window.bottom(), window.column..window.right()]).fill(true);
    }
    // A fifth of the ground, as near as blocks of 2 x 2 windows and more come.
    let share = validates.iter().filter(|seen| **seen).count() as f64 / validates.len() as f64;
    assert!((0.1..0.3).contains(&share), "{share}");
    // Four fifths of 12 x 160 windows.
    assert!(training.len().abs_diff(12 * 128) < 12 * 16, "{}", training.len());
    for (_, window) in training {
        let part = validates.slice(s![window.row..window.bottom(), window.column..window.right()]);
        assert!(!part.iter().any(|seen| *seen), "{window}");
    }
}
