//! Replaces every number in the files of a model: the model opens and predicts, or an error says why not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::{few_chips, on_cpu, small_data};
use geolearn::inference::NormStatistics;
use geolearn::models::LoadOptions;
use geolearn::train::Checkpoint;
use geolearn::{
    CycleGan, DataBunch, DatasetType, Device, Domain, FitOptions, PrepareData, Raster, RasterOptions, Result,
};
use ndarray::Array3;
use safetensors::SafeTensors;
use serde_json::{Value, json};

/// Numbers that writers never or rarely produce.
fn odd_numbers() -> Vec<Value> {
    let (large, larger) = (1u64 << 31, 1u64 << 63);
    vec![
        json!(0),
        json!(-1),
        json!(1),
        json!(99),
        json!(1 << 20),
        json!(large),
        json!(larger),
        json!(1e308),
        json!(-1e308),
    ]
}

/// Returns the paths of all numbers and lists in a value.
fn places(value: &Value, path: &str, numbers: &mut Vec<String>, lists: &mut Vec<String>) {
    match value {
        Value::Number(_) => numbers.push(path.to_owned()),
        Value::Array(items) => {
            lists.push(path.to_owned());
            // All items of a list are read alike; two numbers are a size.
            let some = if items.len() == 2 { 2 } else { 1 };
            let items = items.iter().take(some).enumerate();
            items.for_each(|(i, item)| places(item, &format!("{path}/{i}"), numbers, lists));
        }
        Value::Object(items) => {
            items.iter().for_each(|(key, item)| places(item, &format!("{path}/{key}"), numbers, lists));
        }
        _ => {}
    }
}

/// Returns copies of a value, each with one unusual number, one empty list, or one list that is far too long.
fn variants(sound: &Value) -> Vec<(String, Value)> {
    let (mut numbers, mut lists) = (Vec::new(), Vec::new());
    places(sound, "", &mut numbers, &mut lists);
    let replaced = |path: &str, by: Value| {
        let mut value = sound.clone();
        let what = format!("{path} = {by:.60}");
        *value.pointer_mut(path).unwrap() = by;
        (what, value)
    };
    let odd = numbers.iter().flat_map(|path| odd_numbers().into_iter().map(move |by| replaced(path, by)));
    let long = |path: &String| {
        let first = sound.pointer(path).unwrap().as_array().unwrap().first().cloned().unwrap_or(json!(7));
        [replaced(path, json!([])), replaced(path, vec![first; 70_000].into())]
    };
    odd.chain(lists.iter().flat_map(long)).collect()
}

fn tiny_model(data: &DataBunch) -> CycleGan {
    let builder = on_cpu::builder(data).gen_blocks(1).gen_features(1).disc_features(1).pool_size(2);
    builder.device(Device::Cpu).build().unwrap()
}

fn trained(folder: &Path) -> (DataBunch, CycleGan) {
    let data = small_data(folder);
    let mut model = tiny_model(&data);
    let run = folder.join("run");
    model.fit(FitOptions::new(1).progress(false).checkpoint(Checkpoint::Last).checkpoint_dir(run)).unwrap();
    (data, model)
}

/// Predicts in every way that uses numbers of the model; errors are as acceptable as results.
fn predict(model: &CycleGan, scene: &Path, folder: &Path) {
    for to in Domain::BOTH {
        let _ = model.predict(scene, to);
        let options = RasterOptions::new(to).statistics(NormStatistics::Tile { padding: None }).progress(false);
        let _ = model.predict_raster(scene, folder.join("out.tif"), options);
    }
    let _ = model.plot_losses();
}

fn scene(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("scene.tif");
    Raster::new(Array3::from_shape_fn((3, 8, 9), |(c, y, x)| (40 * c + y + x) as u8)).unwrap().save(&path).unwrap();
    path
}

#[test]
fn no_number_of_a_definition_does_harm() {
    let folder = tempfile::tempdir().unwrap();
    let (_, model) = trained(folder.path());
    let (scene, place) = (scene(folder.path()), model.save(folder.path().join("m")).unwrap());
    let path = place.join("m.emd");
    let sound: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut foreign = sound.clone();
    foreign.as_object_mut().unwrap().remove("Geolearn").unwrap();
    // With this crate's section only its numbers apply, and without it the others.
    let ours = variants(&sound).into_iter().filter(|(what, _)| what.starts_with("/Geolearn"));
    let (mut opened, mut refused) = (0, 0);
    for (what, emd) in ours.chain(variants(&foreign)) {
        fs::write(&path, emd.to_string()).unwrap();
        match CycleGan::from_model_with(&place, LoadOptions::new().device(Device::Cpu)) {
            Ok(model) => {
                opened += 1;
                predict(&model, &scene, folder.path());
                if opened % 20 == 0 {
                    model.save(folder.path().join("again")).unwrap_or_else(|error| panic!("{what}: {error}"));
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert!(opened > 50 && refused > 50, "{opened} opened and {refused} refused");
}

#[test]
fn chips_without_an_area_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, model) = trained(folder.path());
    let place = model.save(folder.path().join("m")).unwrap();
    let path = place.join("m.emd");
    let sound: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for side in [json!(0), json!(1u64 << 63), json!((1 << 20) + 1)] {
        let mut emd = sound.clone();
        *emd.pointer_mut("/Geolearn/Domains/a/Chip/0").unwrap() = side.clone();
        fs::write(&path, emd.to_string()).unwrap();
        let error = on_cpu::from_model(&place, None).unwrap_err();
        assert!(error.path().is_some() && error.to_string().contains("cannot be used"), "{error}");
        let error = reheaded(folder.path(), "/data/domains/a/chip_size/0", side, &data).unwrap_err();
        assert!(error.path().is_some() && error.to_string().contains("holds values that no model can have"), "{error}");
    }
    for (pointer, value) in [("/data/domains/b/bands", json!([0, 1, 99])), ("/data/domains/b/channels", json!(99))] {
        let error = reheaded(folder.path(), pointer, value, &data).unwrap_err();
        assert!(error.path().is_some(), "{error}");
    }
}

/// Returns the checkpoint with one value of its header replaced.
fn reheaded(folder: &Path, pointer: &str, value: Value, data: &DataBunch) -> Result<CycleGan> {
    let mut header = header(folder);
    *header.pointer_mut(pointer).unwrap() = value;
    from_checkpoint(folder, &header, data)
}

fn header(folder: &Path) -> Value {
    let bytes = fs::read(folder.join("run/last.safetensors")).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    serde_json::from_str(&metadata.metadata().as_ref().unwrap()["geolearn.checkpoint"]).unwrap()
}

/// Opens a model from the checkpoint with another header.
fn from_checkpoint(folder: &Path, header: &Value, data: &DataBunch) -> Result<CycleGan> {
    let bytes = fs::read(folder.join("run/last.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut layout: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    layout["__metadata__"]["geolearn.checkpoint"] = header.to_string().into();
    let layout = layout.to_string();
    let path = folder.join("changed.safetensors");
    let parts = [&(layout.len() as u64).to_le_bytes(), layout.as_bytes(), &bytes[8 + length..]];
    fs::write(&path, parts.concat()).unwrap();
    CycleGan::from_checkpoint_on(&path, data, Device::Cpu)
}

#[test]
fn no_number_of_a_checkpoint_does_harm() {
    let folder = tempfile::tempdir().unwrap();
    let (data, _) = trained(folder.path());
    let scene = scene(folder.path());
    // Two chips, so that an epoch is short.
    let chips = few_chips(&folder.path().join("few"), 1, 1);
    let few = PrepareData::new(chips, DatasetType::CycleGan).resize_to(32).val_split_pct(0.0).prepare().unwrap();
    let (mut opened, mut refused) = (0, 0);
    for (what, header) in variants(&header(folder.path())) {
        match from_checkpoint(folder.path(), &header, &data) {
            Ok(model) => {
                opened += 1;
                predict(&model, &scene, folder.path());
            }
            Err(_) => refused += 1,
        }
        if what.starts_with("/history")
            && let Ok(mut model) = from_checkpoint(folder.path(), &header, &few)
        {
            let _ = model.fit(FitOptions::new(1).progress(false));
        }
    }
    assert!(opened > 50 && refused > 50, "{opened} opened and {refused} refused");
}
