//! Exports that were interrupted go on to the same bytes.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::*;
use geolearn::train::StopSignal;
use geolearn::{Error, ErrorKind, Raster};

/// Three scenes in a folder, so that there is something to be done after the first.
fn scenes(folder: &Path) -> PathBuf {
    let scenes = folder.join("scenes");
    fs::create_dir(&scenes).unwrap();
    for name in ["1.tif", "2.tif", "3.tif"] {
        fs::copy(asset("bluemarble_asia.tif"), scenes.join(name)).unwrap();
    }
    scenes
}

fn options(scenes: &Path, output: &Path) -> ExportTrainingData {
    ExportTrainingData::new(scenes, asset("shadedrelief_asia.tif"), output).tile_size(64).progress(false)
}

/// Begins an export to `output`, stops it when more than this share is done, and returns its error.
fn stopped_after(share: f64, scenes: &Path, output: &Path) -> Error {
    let signal = StopSignal::new();
    let stop = signal.clone();
    let stopped = options(scenes, output).stop_signal(signal).on_progress(move |done| {
        if done > share {
            stop.stop();
        }
    });
    stopped.export().unwrap_err()
}

/// All files below a folder, with their bytes and times.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(
                files(&path).into_iter().map(|(file, facts)| (Path::new(path.file_name().unwrap()).join(file), facts)),
            );
        } else {
            let time = path.metadata().unwrap().modified().unwrap();
            found.insert(PathBuf::from(path.file_name().unwrap()), (fs::read(path).unwrap(), time));
        }
    }
    found
}

#[test]
fn what_is_there_stays_and_the_rest_follows() {
    let folder = tempfile::tempdir().unwrap();
    let (scenes, whole, output) = (scenes(folder.path()), folder.path().join("whole"), folder.path().join("chips"));
    options(&scenes, &whole).export().unwrap();
    assert_eq!(stopped_after(0.0, &scenes, &output).kind(), ErrorKind::Stopped);
    let before = files(&output);
    let chips_before = before.keys().filter(|file| file.extension().is_some_and(|ending| ending == "tif")).count();
    assert!(chips_before > 20, "{chips_before}");
    let error = prepare_data(&output, DatasetType::CycleGan).unwrap_err();
    assert!(error.kind() == ErrorKind::Layout && !output.join("training_data.json").exists());

    // A process that was killed leaves half a line, and chips that are not noted yet.
    let journal = output.join("training_data.unfinished.jsonl");
    let mut lines = fs::read(&journal).unwrap();
    lines.extend_from_slice(br#"{"job":0,"scene":1,"wind"#);
    fs::write(&journal, lines).unwrap();
    fs::write(output.join("A/images/000000090.tif"), "half").unwrap();
    let other = options(&scenes, &output).min_std(3.0).export().unwrap_err();
    assert!(other.kind() == ErrorKind::Usage && other.to_string().contains("unfinished"), "{other}");

    let report = options(&scenes, &output).export().unwrap();
    assert_eq!(report.earlier_chips(), chips_before);
    let (done, expected) = (files(&output), files(&whole));
    assert_eq!(done.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (file, (bytes, time)) in &done {
        assert!(*bytes == expected[file].0, "{file:?}");
        if let Some((_, earlier)) = before.get(file) {
            assert_eq!(earlier, time, "{file:?} was written again");
        }
    }
    // Once more: nothing is done.
    let again = options(&scenes, &output).export().unwrap();
    assert_eq!(
        (again.earlier_chips(), again.to_string()),
        (again.chips(Domain::A) + again.chips(Domain::B), report.to_string())
    );
    assert!(files(&output) == done);
}

/// A chip that was removed in between is made again.
#[test]
fn a_missing_chip_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (scenes, whole, output) = (scenes(folder.path()), folder.path().join("whole"), folder.path().join("chips"));
    options(&scenes, &whole).export().unwrap();
    stopped_after(0.5, &scenes, &output);
    fs::remove_file(output.join("A/images/000000050.tif")).unwrap();
    options(&scenes, &output).export().unwrap();
    assert_eq!(
        fs::read(output.join("A/images/000000050.tif")).unwrap(),
        fs::read(whole.join("A/images/000000050.tif")).unwrap()
    );
    assert_eq!(
        fs::read(output.join("training_data.json")).unwrap(),
        fs::read(whole.join("training_data.json")).unwrap()
    );
    assert!(Raster::open(output.join("A/images/000000050.tif")).is_ok());
}

/// Shares of the work, from none to all.
#[test]
fn progress_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let shares = told.clone();
    let scenes = scenes(folder.path());
    let options = options(&scenes, &folder.path().join("chips"));
    options.on_progress(move |share| shares.lock().unwrap().push(share)).export().unwrap();
    let told = told.lock().unwrap();
    // One call before the first scene, and one for each of four scenes.
    assert!(told.len() >= 5 && told.is_sorted(), "{told:?}");
    assert_eq!((told.first(), told.last()), (Some(&0.0), Some(&1.0)));
}
