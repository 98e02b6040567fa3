//! Tests the `tracing` events: fields, not sentences.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up has failed")]

mod common;
#[path = "common/events.rs"]
mod events;

use std::collections::BTreeMap;

use common::{on_cpu, small_data, small_model};
use geolearn::train::{Checkpoint, StopSignal};
use geolearn::{Domain, FitOptions, Raster, RasterOptions};
use tracing::Level;

type Fields = BTreeMap<String, String>;

/// Returns the events recorded during `work`.
fn told(work: impl FnOnce()) -> Vec<Fields> {
    told_at(Level::INFO, work)
}

fn told_at(level: Level, work: impl FnOnce()) -> Vec<Fields> {
    let ((), events) = events::events(level, work);
    events.into_iter().map(Fields::from_iter).collect()
}

/// Returns the events with this message.
fn of<'a>(events: &'a [Fields], message: &str) -> Vec<&'a Fields> {
    events.iter().filter(|fields| fields["message"] == message).collect()
}

fn number(fields: &Fields, name: &str) -> f64 {
    fields[name].parse().unwrap()
}

#[test]
fn a_fit_reports_its_data_its_end_and_its_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let events = told(|| {
        let mut model = small_model(&small_data(folder.path()));
        model.fit(FitOptions::new(2).progress(false).checkpoint(Checkpoint::Last)).unwrap();
        let stop = StopSignal::new();
        stop.stop();
        model.fit(FitOptions::new(3).progress(false).callback(stop)).unwrap();
    });
    let [data] = of(&events, "data prepared")[..] else { panic!("{events:?}") };
    assert!(number(data, "chips_a") >= 1.0 && number(data, "chips_b") >= 1.0 && number(data, "seconds") >= 0.0);
    let begun = of(&events, "fit begins");
    assert_eq!(begun.iter().map(|fit| number(fit, "epochs")).collect::<Vec<_>>(), [2.0, 3.0]);
    let [ended] = of(&events, "fit ends")[..] else { panic!("{events:?}") };
    let steps = number(ended, "steps");
    assert_eq!((number(ended, "epochs_done"), steps), (2.0, 2.0 * number(begun[0], "steps_per_epoch")));
    let [stopped] = of(&events, "fit stopped")[..] else { panic!("{events:?}") };
    assert_eq!((number(stopped, "epochs_done"), number(stopped, "steps")), (0.0, 0.0));
    let written = of(&events, "checkpoint written");
    assert_eq!(written.iter().map(|file| number(file, "epochs")).collect::<Vec<_>>(), [1.0, 2.0]);
    assert!(written.iter().all(|file| file["path"].ends_with("last.safetensors")), "{written:?}");
}

#[test]
fn a_translation_reports_the_model_and_each_scene() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let options = || RasterOptions::new(Domain::B).progress(false);
    let saved = folder.path().join("one.safetensors");
    let events = told(|| {
        let model = on_cpu::from_model("assets/models/sat2relief", None).unwrap();
        let parts = options().window(0, 0, 20, 30).window(20, 30, 10, 10);
        model.predict_raster("assets/scenes/bluemarble_asia.tif", folder.path().join("parts"), parts).unwrap();
        let signal = StopSignal::new();
        let switch = signal.clone();
        let stopped = options().window(0, 0, 64, 64).stop_signal(signal).on_progress(move |_| switch.stop());
        model.predict_raster("assets/scenes/bluemarble_asia.tif", &output, stopped).unwrap_err();
        model.save_safetensors(&saved).unwrap();
        on_cpu::from_model(&saved, None).unwrap();
    });
    let [read] = of(&events, "saved model read")[..] else { panic!("{events:?}") };
    assert!(read["path"].contains("sat2relief") && number(read, "tensors") > 10.0, "{read:?}");
    let [weights] = of(&events, "weights read")[..] else { panic!("{events:?}") };
    assert_eq!((&weights["path"], &weights["tensors"]), (&saved.display().to_string(), &read["tensors"]));
    let begun = of(&events, "translation begins");
    let counts: Vec<_> =
        begun.iter().map(|call| ["scenes", "outputs", "pixels"].map(|name| number(call, name))).collect();
    assert_eq!(counts, [[1.0, 2.0, 700.0], [1.0, 1.0, 4096.0]]);
    let scenes = of(&events, "scene translated");
    assert_eq!(scenes.iter().map(|scene| number(scene, "pixels")).collect::<Vec<_>>(), [600.0, 100.0]);
    assert_eq!((of(&events, "translation ends").len(), of(&events, "translation stopped").len()), (1, 1));
}

const CHIP: &str = "assets/bluemarble/A/images/y0300_x0900.png";

#[test]
fn predictions_saves_and_exports_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let model = on_cpu::from_model("assets/models/sat2relief", None).unwrap();
    let place = |name: &str| folder.path().join(name);
    let events = told(|| {
        model.predict(CHIP, Domain::B).unwrap();
        model.predict("no/such.png", Domain::B).unwrap_err();
        model.save(place("copy")).unwrap();
        model.save_safetensors(place("copy.safetensors")).unwrap();
        model.export_torchscript(place("a.pt"), Domain::A).unwrap();
    });
    let [image] = of(&events, "image translated")[..] else { panic!("{events:?}") };
    assert_eq!((image["path"].as_str(), image["to"].as_str()), (CHIP, "B"));
    assert_eq!(["height", "width"].map(|side| number(image, side)), [64.0, 64.0]);
    let saved = of(&events, "model saved");
    let paths: Vec<_> = saved.iter().map(|save| save["path"].clone()).collect();
    assert_eq!(paths, ["copy", "copy.safetensors"].map(|name| place(name).display().to_string()));
    let epochs = model.history().epochs().len() as f64;
    assert!(saved.iter().all(|save| number(save, "epochs") == epochs && number(save, "tensors") > 10.0), "{saved:?}");
    let [export] = of(&events, "generator exported")[..] else { panic!("{events:?}") };
    assert_eq!(export["path"], place("a.pt").display().to_string());
    assert_eq!((export["to"].as_str(), export["form"].trim_matches('"')), ("A", "TorchScript"));
    assert!(saved.into_iter().chain([image, export]).all(|event| number(event, "seconds") >= 0.0));
}

/// A service translates many images, so these events have a lower level.
#[test]
fn images_in_memory_are_logged_at_debug_level() {
    let model = on_cpu::from_model("assets/models/sat2relief", None).unwrap();
    let image = Raster::open(CHIP).unwrap();
    let array = image.samples().to_f32();
    let work = || {
        model.predict_image(&image, Domain::B).unwrap();
        model.predict_images(&[image.clone(), image.resize(40, 30).unwrap()], Domain::B).unwrap();
        model.predict_array(&array, Domain::A).unwrap();
    };
    assert!(told(work).iter().all(|event| !event["message"].contains("translated")));
    let events = told_at(Level::DEBUG, work);
    let [one] = of(&events, "image in memory translated")[..] else { panic!("{events:?}") };
    assert_eq!((one["to"].as_str(), number(one, "width")), ("B", 64.0));
    let [several] = of(&events, "images in memory translated")[..] else { panic!("{events:?}") };
    assert_eq!(["count", "sizes"].map(|name| number(several, name)), [2.0, 2.0]);
    let [array] = of(&events, "array translated")[..] else { panic!("{events:?}") };
    assert_eq!((array["to"].as_str(), number(array, "height")), ("A", 64.0));
}
