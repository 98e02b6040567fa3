//! Tests checkpoints that cannot be written or resumed from.

use crate::common::on_cpu;
use std::path::Path;

use geolearn::dataset::MixedSizes;
use geolearn::device::Precision;
use geolearn::optim::AdamOptions;
use geolearn::train::Checkpoint;
use geolearn::{ErrorKind, FitOptions, PrepareData};

use super::{builder, common, data, last, model, options};

#[test]
fn a_checkpoint_of_another_fit_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let chips = common::few_chips(folder.path(), 5, 4);
    let data = data(&chips);
    let run = folder.path().join("run");
    model(&data).fit(options(2, &run)).unwrap();
    let kept = std::fs::read(last(&run)).unwrap();
    let other_adam = AdamOptions::default().beta2(0.99);
    let prepared = PrepareData::new(&chips, geolearn::DatasetType::CycleGan).resize_to(32);
    for (key, mut model, options) in [
        ("config.gen_blocks", builder(&data).gen_blocks(2).build().unwrap(), options(2, &run)),
        ("config.cycle_weight", builder(&data).cycle_weight(5.0).build().unwrap(), options(2, &run)),
        ("config.seed", builder(&data).seed(5).build().unwrap(), options(2, &run)),
        ("epochs", model(&data), options(3, &run)),
        ("lr", model(&data), options(2, &run).lr(1e-4)),
        ("adam.beta2", model(&data), options(2, &run).adam(other_adam)),
        ("precision", model(&data), options(2, &run).precision(Precision::Bf16)),
        ("batch_size", model(&prepared.clone().batch_size(2).prepare().unwrap()), options(2, &run)),
        (
            "augment.zoom",
            model(&prepared.clone().augment(geolearn::dataset::Augment::none()).prepare().unwrap()),
            options(2, &run),
        ),
    ] {
        let before = common::answer(&model);
        let error = model.fit(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{key}");
        let text = error.to_string();
        let last_key = key.rsplit('.').next().unwrap();
        assert!(text.contains(last_key) || key == "augment.zoom" && text.contains("augment"), "{key}: {text}");
        assert!(text.contains("from_checkpoint"), "{text}");
        assert_eq!(common::answer(&model), before, "{key}");
        assert!(model.history().epochs().is_empty());
    }
    assert!(std::fs::read(last(&run)).unwrap() == kept, "the checkpoint is as it was");
}

/// An additional chip in the folder makes it a different data set.
#[test]
fn other_chips_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let chips = common::few_chips(folder.path(), 5, 4);
    let run = folder.path().join("run");
    model(&data(&chips)).fit(options(1, &run)).unwrap();
    let first = std::fs::read_dir(chips.join("A/images")).unwrap().next().unwrap().unwrap().path();
    std::fs::rename(&first, first.with_file_name("zzz.png")).unwrap();
    let error = model(&data(&chips)).fit(options(1, &run)).unwrap_err();
    assert!(error.to_string().contains("another data set"), "{error}");
}

/// Statistics of Export Training Data stay the same whatever the chips are.
fn with_statistics(chips: &Path) {
    for domain in ["A", "B"] {
        let band = serde_json::json!({"Min": 0, "Max": 255, "Mean": 100, "StdDev": 50});
        let definition = serde_json::json!({"AllTilesStats": [band, band, band]}).to_string();
        std::fs::write(chips.join(domain).join("images/esri_model_definition.emd"), definition).unwrap();
    }
}

/// Changes that names, sizes and statistics do not show.
#[test]
fn other_pixels_and_other_ways_to_one_size_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let chips = common::few_chips(folder.path(), 5, 4);
    with_statistics(&chips);
    let run = folder.path().join("run");
    let prepared = || PrepareData::new(&chips, geolearn::DatasetType::CycleGan);
    let data = || prepared().mixed_sizes(MixedSizes::Crop).prepare().unwrap();
    model(&data()).fit(options(1, &run)).unwrap();
    let refused = |data: geolearn::DataBunch, key: &str| {
        let error = model(&data).fit(options(1, &run)).unwrap_err();
        assert!(error.to_string().contains(&format!("another data set: {key} differs")), "{error}");
    };
    refused(prepared().mixed_sizes(MixedSizes::Resize).prepare().unwrap(), "sizes.mixed_sizes");
    refused(prepared().mixed_sizes(MixedSizes::Crop).resize_to(64).prepare().unwrap(), "sizes.resize_to");
    let mut files: Vec<_> =
        std::fs::read_dir(chips.join("A/images")).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "png"));
    files.sort();
    let [first, second] = [&files[0], &files[1]].map(|file| std::fs::read(file).unwrap());
    std::fs::write(&files[0], &second).unwrap();
    refused(data(), "domains.a.contents");
    std::fs::write(&files[1], &first).unwrap();
    refused(data(), "domains.a.contents");
    std::fs::write(&files[0], &first).unwrap();
    std::fs::write(&files[1], &second).unwrap();
    model(&data()).fit(options(1, &run)).unwrap();
}

#[test]
fn damaged_files_are_named_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 5, 4));
    let run = folder.path().join("run");
    model(&data).fit(options(1, &run)).unwrap();
    let good = std::fs::read(last(&run)).unwrap();
    let text = String::from_utf8_lossy(&good[..2000]).into_owned();
    assert!(text.contains("geolearn.checkpoint"));
    let mut lies = Vec::new();
    for (from, to) in [(r#"\"batches\":0"#, r#"\"batches\":9"#), (r#"\"first_epoch\":0"#, r#"\"first_epoch\":7"#)] {
        lies.push(replaced(&good, from.as_bytes(), to.as_bytes()));
    }
    let mut spoilt = good.clone();
    let end = spoilt.len();
    spoilt[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    for bytes in [&good[..good.len() - 1], &good[..good.len() / 2], &good[..20], b"", &lies[0], &lies[1], &spoilt] {
        std::fs::write(last(&run), bytes).unwrap();
        let mut fresh = model(&data);
        let error = fresh.fit(options(1, &run)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{error}");
        assert!(fresh.history().epochs().is_empty());
        assert_eq!(std::fs::read(last(&run)).unwrap(), bytes, "nothing is lost");
    }
    for bytes in [&good[..good.len() / 2], b"", b"not a checkpoint"] {
        std::fs::write(last(&run), bytes).unwrap();
        let error = on_cpu::from_checkpoint(last(&run), &data).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(last(&run).as_path())));
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let place = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..place], to, &bytes[place + from.len()..]].concat()
}

/// Neither a file in place of the folder, nor a place where nobody can create one.
#[test]
fn an_unwritable_folder_is_named_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 5, 4));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut places = vec![file.join("run"), file];
    if cfg!(target_os = "linux") {
        places.push("/proc/geolearn".into());
    }
    for place in places {
        let mut fresh = model(&data);
        let error = fresh.fit(options(1, &place)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert!(error.path().is_some_and(|path| path.starts_with(&place)), "{error}");
        assert!(fresh.history().epochs().is_empty());
    }
}

/// If the folder disappears during training, the run in memory is not lost.
#[test]
fn a_failed_checkpoint_keeps_the_trained_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 5, 4));
    let run = folder.path().join("run");
    let mut whole = model(&data);
    let constant = |epochs| FitOptions::new(epochs).progress(false).schedule(geolearn::optim::Schedule::Constant);
    whole.fit(constant(2)).unwrap();
    let mut interrupted = model(&data);
    let gone = Removes(run.clone());
    let options = constant(2).checkpoint(Checkpoint::Last).checkpoint_dir(&run).callback(gone);
    let error = interrupted.fit(options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert_eq!(interrupted.history().epochs().len(), 2, "both epochs were trained");
    assert_eq!(common::answer(&interrupted), common::answer(&whole));
    interrupted.save(folder.path().join("saved")).unwrap();
}

/// The same within an epoch: what was learned since its start is not lost either.
#[test]
fn a_failed_checkpoint_within_an_epoch_keeps_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 7, 6));
    let run = folder.path().join("run");
    let fit = |callback| {
        let mut model = model(&data);
        let options = options(2, &run).resume(false).checkpoint_every(1).callback(callback);
        let result = model.fit(options);
        (model, result)
    };
    let (stopped, _) = fit(AtStep { step: 4, folder: None });
    let (failed, result) = fit(AtStep { step: 3, folder: Some(run.clone()) });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(failed.history().steps(), 4);
    assert_eq!(common::answer(&failed), common::answer(&stopped));
}

/// Removes a folder after a step, or stops there.
struct AtStep {
    step: usize,
    folder: Option<std::path::PathBuf>,
}

impl geolearn::train::Callback for AtStep {
    fn on_step(&mut self, report: &geolearn::train::StepReport<'_>) -> geolearn::Result<geolearn::train::Flow> {
        match &self.folder {
            Some(folder) if report.steps == self.step => std::fs::remove_dir_all(folder).unwrap(),
            None if report.steps == self.step => return Ok(geolearn::train::Flow::Stop),
            _ => {}
        }
        Ok(geolearn::train::Flow::Continue)
    }
}

/// A loss is still finite in the step whose update breaks the weights.
#[test]
fn a_broken_state_never_replaces_a_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 5, 4));
    let run = folder.path().join("run");
    let mut fresh = model(&data);
    let before = common::answer(&fresh);
    let adam = AdamOptions::default().eps(1e-300);
    let error = fresh.fit(options(2, &run).checkpoint_every(1).lr(f64::MAX).adam(adam)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged, "{error}");
    assert_eq!(common::answer(&fresh), before);
    assert!(!last(&run).exists());
}

/// Training that the checkpoint does not contain is not discarded.
#[test]
fn a_model_that_was_trained_further_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 5, 4));
    let run = folder.path().join("run");
    let mut trained = model(&data);
    trained.fit(options(1, &run)).unwrap();
    trained.fit(options(1, &run)).unwrap();
    assert_eq!(trained.history().epochs().len(), 1, "a fit that is done is done");
    trained.fit(FitOptions::new(1).progress(false)).unwrap();
    let before = common::answer(&trained);
    let error = trained.fit(options(1, &run)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("trained further than the checkpoint"), "{error}");
    assert_eq!((common::answer(&trained), trained.history().epochs().len()), (before, 2));
    let mut other = builder(&data).build().unwrap();
    other.fit(FitOptions::new(1).progress(false).lr(1e-3)).unwrap();
    assert!(other.fit(options(1, &run)).is_err(), "of the same length, but with different training");
}

/// Removes the folder after the first epoch.
struct Removes(std::path::PathBuf);

impl geolearn::train::Callback for Removes {
    fn on_epoch_end(&mut self, _: &geolearn::train::EpochReport<'_>) -> geolearn::Result<geolearn::train::Flow> {
        if self.0.exists() {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
        Ok(geolearn::train::Flow::Continue)
    }
}

const FOLDER: &str = "GEOLEARN_TEST_FULL_DISK_FOLDER";

/// Not a test of its own: it runs where files cannot grow.
#[test]
#[ignore = "run by the test of a full disk"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let data = data(&folder.join("chips"));
    let mut trained = model(&data);
    let error = trained.fit(options(1, &folder.join("run"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(error.to_string().contains("Is the disk full?"), "{error}");
    assert_eq!(trained.history().epochs().len(), 1);
    assert!(common::answer(&trained).iter().all(|v| v.is_finite()));
    assert!(!last(&folder.join("run")).exists());
    println!("refused as expected");
}

/// A limit on file size stands in for a full disk: both end a write with a system error.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_and_the_model_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    common::few_chips(folder.path(), 4, 4);
    // Blocks of 512 bytes; without the trap the system would kill the process.
    let limited = "trap '' XFSZ; ulimit -f 200; exec \"$0\" refused::child --exact --ignored --nocapture";
    let output = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("refused as expected"), "{said}");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("run")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == ".geolearn-lock"), "{left:?}");
}
