//! Tests which checkpoints are kept.

use crate::common::on_cpu;
use std::path::Path;

use geolearn::train::Checkpoint;

use super::{common, data, header, last, model, options};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

#[test]
fn each_policy_keeps_its_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 4, 4));
    let all = ["best.safetensors", "epoch_0001.safetensors", "epoch_0002.safetensors", "last.safetensors"];
    for (which, expected) in [
        (Checkpoint::Last, &["last.safetensors"][..]),
        (Checkpoint::Best, &["best.safetensors", "last.safetensors"]),
        (Checkpoint::All, &all),
    ] {
        let run = folder.path().join(format!("{which:?}"));
        model(&data).fit(options(2, &run).checkpoint(which)).unwrap();
        assert_eq!(names(&run), expected, "{which:?}");
        // They are separate files: damage to one does not affect the others.
        let others = || expected.iter().filter(|name| **name != "last.safetensors");
        let before: Vec<_> = others().map(|name| std::fs::read(run.join(name)).unwrap()).collect();
        std::fs::write(last(&run), "damaged").unwrap();
        assert!(others().zip(&before).all(|(name, bytes)| std::fs::read(run.join(name)).unwrap() == *bytes));
    }
    assert!(!folder.path().join("chips/checkpoints").exists(), "nothing is written where it was not asked for");
}

#[test]
fn the_best_is_that_of_the_lowest_monitor() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 6, 6));
    // The discriminators' losses go up and down.
    for monitor in ["valid_discriminator_a", "discriminator_b", "valid_loss"] {
        let run = folder.path().join(monitor);
        let mut trained = model(&data);
        let history = trained.fit(options(5, &run).checkpoint(Checkpoint::All).monitor(monitor).lr(2e-3)).unwrap();
        let values = history.losses(monitor).unwrap();
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let best = 1 + values.iter().position(|&value| value == lowest).unwrap();
        let bytes = |name: &str| std::fs::read(run.join(name)).unwrap();
        assert!(bytes("best.safetensors") == bytes(&format!("epoch_{best:04}.safetensors")), "{monitor}: {values:?}");
        assert!(bytes("last.safetensors") == bytes("epoch_0005.safetensors"));
        let of_best = on_cpu::from_checkpoint(run.join("best.safetensors"), &data).unwrap();
        assert_eq!(of_best.history().epochs().len(), best);
        assert_eq!(of_best.history().last(monitor), Some(lowest));
    }
}

#[test]
fn a_new_fit_keeps_those_of_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 4, 4));
    let run = folder.path().join("run");
    let fit = |seed| {
        let mut model = super::builder(&data).seed(seed).build().unwrap();
        model.fit(options(1, &run).checkpoint(Checkpoint::Best).resume(false)).unwrap();
        std::fs::read(last(&run)).unwrap()
    };
    let first = fit(1);
    let second = fit(2);
    assert!(first != second);
    assert!(std::fs::read(run.join("earlier_1/last.safetensors")).unwrap() == first);
    assert_eq!(names(&run), ["best.safetensors", "earlier_1", "last.safetensors"]);
}

#[test]
fn checkpoints_open_in_other_tools_and_describe_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 4, 4));
    let run = folder.path().join("run");
    let trained = {
        let mut model = model(&data);
        model.fit(options(1, &run)).unwrap();
        model
    };
    let header = header(&last(&run));
    assert_eq!(header["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(header["plan"]["epochs"], 1);
    assert_eq!(header["model"]["config"]["gen_features"], 8);
    let tensors = super::tensors(&last(&run));
    let place = trained.save(folder.path().join("m")).unwrap();
    // The format is simple enough to be read with numpy alone.
    let script = "
import json, struct, sys, numpy, torch
data = open(sys.argv[1], 'rb').read()
n = struct.unpack('<Q', data[:8])[0]
header = json.loads(data[8:8 + n])
for name, tensor in torch.load(sys.argv[2], weights_only=True).items():
    begin, end = header[name]['data_offsets']
    kept = numpy.frombuffer(data[8 + n + begin:8 + n + end], '<f4').reshape(header[name]['shape'])
    assert (kept == tensor.numpy()).all(), name
print(len(header) - 1)
";
    let Some(found) = common::python::run(&[&"-c", &script, &last(&run), &place.join("m.pth")]) else { return };
    assert_eq!(found.trim(), tensors.len().to_string());
}
