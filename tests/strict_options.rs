//! Tests that a misspelled option in a user's file is an error that names it.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::fmt::Debug;

use geolearn::dataset::{Augment, Normalization};
use geolearn::loss::DiffAugment;
use geolearn::models::cyclegan::CycleGanConfig;
use geolearn::models::{Deepness, ExportOptions, ExportUnits};
use geolearn::optim::{AdamOptions, OneCycle, Schedule};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is written is read; with `right` misspelled as `wrong`, it is rejected.
fn refuses<T: Serialize + DeserializeOwned + PartialEq + Debug>(options: T, right: &str, wrong: &str) {
    let text = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), options);
    let [right, quoted] = [right, wrong].map(|name| format!("\"{name}\":"));
    assert!(text.contains(&right), "{text}");
    let error = serde_json::from_str::<T>(&text.replace(&right, &quoted)).unwrap_err().to_string();
    assert!(error.contains(wrong) && error.contains("unknown field"), "{error}");
    // Also through a generic value, as programs with several formats read options.
    let value: Value = serde_json::from_str(&text.replace(&right, &quoted)).unwrap();
    assert!(serde_json::from_value::<T>(value).unwrap_err().to_string().contains(wrong));
}

#[test]
fn typing_errors_are_refused_by_name() {
    refuses(AdamOptions::default().beta2(0.99), "beta2", "beta_2");
    refuses(OneCycle::default().rise(0.1), "rise", "raise");
    refuses(Schedule::OneCycle(OneCycle::default()), "start_divisor", "start_div");
    refuses(Schedule::ConstantThenLinear { constant: 0.25 }, "constant", "const");
    refuses(Augment::default().crop(32), "brightness", "brigthness");
    refuses(Normalization::Percentile { low: 1.0, high: 99.0 }, "high", "hi");
    refuses(CycleGanConfig::default(), "gen_blocks", "gen_block");
    refuses(DiffAugment::default().cutout(true), "cutout", "cut_out");
    refuses(ExportOptions::new().units(ExportUnits::Files).square(64), "square", "side");
    refuses(ExportOptions::new().deepness(Deepness::new(64).resolution(10.0)), "resolution", "resolutions");
    let mut varied = CycleGanConfig::default();
    varied.diff_augment = DiffAugment::default().translation(true);
    refuses(varied, "translation", "transalation");
}

#[test]
fn omitted_options_have_their_defaults() {
    let adam: AdamOptions = serde_json::from_str(r#"{"beta1": 0.25}"#).unwrap();
    assert_eq!(adam, AdamOptions::default().beta1(0.25));
    assert_eq!(serde_json::from_str::<Augment>("{}").unwrap(), Augment::default());
    assert_eq!(serde_json::from_str::<OneCycle>("{}").unwrap(), OneCycle::default());
    assert_eq!(serde_json::from_str::<ExportOptions>("{}").unwrap(), ExportOptions::new());
    assert_eq!(serde_json::from_str::<Deepness>(r#"{"tile": 64}"#).unwrap(), Deepness::new(64));
    assert_eq!(serde_json::from_str::<CycleGanConfig>("{}").unwrap(), CycleGanConfig::default());
}
