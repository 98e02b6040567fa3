//! Scenes translated by several simulated processes (threads): the files equal those of one process byte for byte.

use std::collections::BTreeMap;
use std::path::Path;

use super::LoadOptions;
use crate::CycleGan;
use crate::dataset::Domain;
use crate::device::Device;
use crate::error::{ErrorKind, Result};
use crate::inference::{NormStatistics, RasterOptions, RasterReport};
use crate::raster::OverviewResampling;
use crate::testing::crew_with;
use crate::train::StopSignal;

const SCENE: &str = "assets/scenes/bluemarble_asia.tif";

/// On the CPU, because bits are compared.
fn bundled() -> CycleGan {
    let options = LoadOptions::new().device(Device::Cpu);
    CycleGan::from_model_with("tests/fixtures/models/sat2relief", options).unwrap()
}

/// Small tiles, so that the scene has six rows of them.
fn options() -> RasterOptions {
    RasterOptions::new(Domain::B).tile_size(64).halo(32).progress(false)
}

/// Translates with this many processes, and returns the report of each.
fn translate(
    count: usize,
    (input, output): (&Path, &Path),
    options: impl Fn(usize) -> RasterOptions + Sync,
) -> Vec<Result<RasterReport>> {
    crew_with(count, |member| {
        let rank = crate::peers::Peers::part(&member).rank;
        bundled().predict_raster(input, output, options(rank).peers(member))
    })
}

/// Lists all files of a folder and its subfolders.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().is_file());
    let name = |path: &Path| path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
    files.map(|file| (name(file.path()), std::fs::read(file.path()).unwrap())).collect()
}

#[test]
fn several_processes_write_the_file_of_one() {
    let ways = [
        options().statistics(NormStatistics::Scene),
        options().statistics(NormStatistics::Inputs).window(7, 9, 201, 299),
        options().statistics(NormStatistics::Local { spacing: None }).window(0, 0, 200, 128),
        options().statistics(NormStatistics::Tile { padding: None }).window(3, 4, 250, 130),
        options().cloud_optimized(OverviewResampling::Average),
    ];
    for (index, way) in ways.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let (one, several) = (folder.path().join("one.tif"), folder.path().join("several.tif"));
        let alone = bundled().predict_raster(SCENE, &one, way.clone()).unwrap();
        for count in [2, 4] {
            let reports = translate(count, (Path::new(SCENE), &several), |_| way.clone());
            let network: Vec<u64> = reports.iter().map(|report| report.as_ref().unwrap().network_pixels()).collect();
            assert!(std::fs::read(&several).unwrap() == std::fs::read(&one).unwrap(), "way {index} by {count}");
            assert!(
                network.iter().all(|pixels| *pixels > 0 && *pixels < alone.network_pixels()),
                "way {index}: {network:?}"
            );
            assert_eq!(files(folder.path()).len(), 2, "nothing else is left");
            std::fs::remove_file(&several).unwrap();
        }
    }
}

/// Fewer scenes than processes are shared by rows of tiles, and more of them as a whole.
#[test]
fn a_folder_of_scenes_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    let (input, one) = (folder.path().join("scenes"), folder.path().join("one"));
    std::fs::create_dir_all(&input).unwrap();
    for name in ["a.tif", "b.tif", "c.tif"] {
        std::fs::copy(SCENE, input.join(name)).unwrap();
    }
    let options = || options().statistics(NormStatistics::Inputs).window(16, 32, 140, 150);
    bundled().predict_raster(&input, &one, options()).unwrap();
    let expected = files(&one);
    assert_eq!(expected.len(), 3);
    for (count, resume) in [(2, false), (2, true), (4, false)] {
        let output = folder.path().join(format!("by_{count}_{resume}"));
        let reports = translate(count, (&input, &output), |_| options().resume(resume));
        assert!(reports.iter().all(|report| report.as_ref().unwrap().outputs().len() == 3));
        assert!(files(&output) == expected, "{count} processes, resume {resume}");
    }
}

/// Pieces that one process has left are not translated again, however many processes resume.
#[test]
fn several_processes_resume_the_work_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let (one, several) = (folder.path().join("one.tif"), folder.path().join("several.tif"));
    let whole = bundled().predict_raster(SCENE, &one, options()).unwrap().network_pixels();
    let signal = StopSignal::new();
    let stop = signal.clone();
    let stopped = options().resume(true).stop_signal(signal).on_progress(move |share| {
        if share > 0.5 {
            stop.stop();
        }
    });
    let error = bundled().predict_raster(SCENE, &several, stopped).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    let reports = translate(3, (Path::new(SCENE), &several), |_| options().resume(true));
    let network: u64 = reports.iter().map(|report| report.as_ref().unwrap().network_pixels()).sum();
    assert!(std::fs::read(&several).unwrap() == std::fs::read(&one).unwrap());
    assert!(network < whole * 8 / 10, "{network} of {whole} pixels went through the network");
}

#[test]
fn processes_with_other_outputs_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let other = |rank: usize| if rank == 1 { options().halo(36) } else { options() };
    for report in translate(3, (Path::new(SCENE), &output), other) {
        let error = report.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("process 1 does not write the same outputs as process 0"), "{error}");
    }
    let missing = |rank: usize| if rank == 2 { options().window(0, 0, 9999, 1) } else { options() };
    let errors: Vec<String> =
        translate(3, (Path::new(SCENE), &output), missing).into_iter().map(|r| r.unwrap_err().to_string()).collect();
    assert!(errors[2].contains("a window does not lie within the scene"), "{errors:?}");
    assert!(errors[..2].iter().all(|error| error.contains("process 2 failed")), "{errors:?}");
    assert!(files(folder.path()).is_empty());
}
