//! Definitions are written in the same form as in earlier releases.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use super::LoadOptions;
use crate::CycleGan;
use crate::device::Device;
use crate::loss::DiffAugment;
use crate::models::cyclegan::CycleGanConfig;

/// Opens a released model, and returns it with the text of its definition.
fn released(name: &str) -> (CycleGan, String) {
    let path = format!("tests/fixtures/released/0.1.0/{name}/{name}.emd");
    let text = std::fs::read_to_string(&path).unwrap();
    (CycleGan::from_model_with(path, LoadOptions::new().device(Device::Cpu)).unwrap(), text)
}

/// Returns what the model would write beside the weights of `before`, as the release that wrote those.
fn written(model: &CycleGan, name: &str, before: &str) -> String {
    let before: serde_json::Value = serde_json::from_str(before).unwrap();
    let mut emd = model.definition(&format!("{name}.pth")).unwrap();
    emd.set_mark(before["Geolearn"]["Weights"].as_str());
    if let Some(section) = &mut emd.geolearn {
        section["Version"] = before["Geolearn"]["Version"].clone();
    }
    emd.to_json().unwrap()
}

/// Three bands of bytes, and named bands of floats with separate numbers of channels.
const RELEASED: [&str; 2] = ["folder_3_3", "own_channels_2_3"];

/// The order of keys in our own section is not preserved.
#[test]
fn a_loaded_definition_is_written_key_for_key() {
    for name in RELEASED {
        let (model, before) = released(name);
        let [after, before]: [serde_json::Value; 2] =
            [written(&model, name, &before), before].map(|text| serde_json::from_str(&text).unwrap());
        assert_eq!(after, before, "{name}");
    }
}

/// Like a newly trained model: nothing is left of the file except what the model knows.
#[test]
fn a_new_definition_is_written_to_the_byte() {
    for name in RELEASED {
        let (mut model, before) = released(name);
        model.definition = None;
        assert_eq!(written(&model, name, &before), before, "{name}");
    }
}

/// Options written by a person are refused if a field is unknown; a definition may come from a later release.
#[test]
fn options_of_a_later_release_open() {
    let folder = tempfile::tempdir().unwrap();
    let name = RELEASED[0];
    let from = format!("tests/fixtures/released/0.1.0/{name}/{name}");
    let mut definition: serde_json::Value =
        serde_json::from_slice(&std::fs::read(format!("{from}.emd")).unwrap()).unwrap();
    let config = &mut definition["Geolearn"]["Config"];
    config["added_later"] = 1.into();
    config["diff_augment"] = serde_json::json!({"cutout": true, "added_later": [2]});
    let written = config.to_string();
    let emd = folder.path().join("m.emd");
    std::fs::write(&emd, definition.to_string()).unwrap();
    std::fs::copy(format!("{from}.pth"), folder.path().join(format!("{name}.pth"))).unwrap();
    let opened = CycleGan::from_model_with(&emd, LoadOptions::new().device(Device::Cpu)).unwrap();
    assert_eq!(opened.config().diff_augment, DiffAugment::default().cutout(true));
    let error = serde_json::from_str::<CycleGanConfig>(&written).unwrap_err().to_string();
    assert!(error.contains("unknown field `added_later`"), "{error}");
}
