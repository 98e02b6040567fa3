//! Model definitions.

use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;
use crate::package::emd::{DomainBands, INFERENCE_FUNCTION};

fn rgb() -> Value {
    serde_json::from_slice(&fixture_bytes("golden/rgb.emd")).unwrap()
}

fn parse(value: &Value) -> Result<Emd> {
    Emd::parse(value.to_string().as_bytes(), OPENING)
}

fn bands(list: &[f64]) -> DomainBands {
    DomainBands { bands: list.len(), min: Some(list.to_vec()), ..DomainBands::default() }
}

#[test]
fn arcgis_learns_files_are_read() {
    let emd = emd_fixture("golden/rgb.emd").unwrap();
    assert_eq!((emd.channels(), &emd.parameters["gen_blocks"], emd.multispectral), (3, &json!(2), false));
    assert_eq!((emd.image_height, emd.image_width), (64, 64));
    assert_eq!(emd.learning_rate, Some(2e-4));
    assert_eq!(emd.domain_a.mean.as_deref(), Some([90.24820709228516, 76.77420806884766, 86.5907974243164].as_slice()));
    assert_eq!(emd.domain_b.std.as_ref().map(|std| std[0]), Some(50.74571228027344));
    assert_eq!(emd.weights_in("m".as_ref()), PathBuf::from("m/rgb_g2.pth"));
    assert_eq!(emd.extract_bands, Some(vec![0, 1, 2]));
    assert_eq!(emd.geolearn, None);

    let emd = emd_fixture("golden/ms.emd").unwrap();
    assert_eq!((emd.channels(), emd.domain_a.bands, emd.domain_b.bands), (6, 6, 4));
    assert_eq!(emd.domain_a.max, Some(vec![9000.0; 6]));
    assert_eq!(emd.domain_b.max, Some(vec![4000.0; 4]));
    assert!(emd.multispectral && emd.min_cell_size.is_null());
}

/// Order, indentation, numbers and unknown keys.
#[test]
fn what_is_read_is_written_to_the_byte() {
    for file in ["golden/rgb.emd", "golden/ms.emd"] {
        let emd = emd_fixture(file).unwrap();
        assert_eq!(
            emd.to_json().unwrap().trim_end(),
            String::from_utf8(fixture_bytes(file)).unwrap().trim_end(),
            "{file}"
        );
    }
}

#[test]
fn unknown_keys_survive() {
    let mut value = rgb();
    value["Somebody"] = json!({"z": 1, "a": [null, "x"]});
    value["ModelParameters"]["dropout"] = json!(0.5);
    value["NormalizationStats"]["extra"] = json!([1]);
    let mut emd = parse(&value).unwrap();
    emd.parameters.insert("gen_blocks".to_owned(), 6.into());
    emd.geolearn = Some(json!({"Version": "0.1.0"}));
    let written: Value = serde_json::from_str(&emd.to_json().unwrap()).unwrap();
    value["ModelParameters"]["gen_blocks"] = json!(6);
    value["Geolearn"] = json!({"Version": "0.1.0"});
    assert_eq!(written, value);
    assert_eq!(
        Emd::parse(emd.to_json().unwrap().as_bytes(), OPENING).unwrap().to_json().unwrap(),
        emd.to_json().unwrap()
    );
}

/// The same keys in the same order as arcgis.learn's.
#[test]
fn a_new_definition_has_every_key() {
    let mut emd = Emd::new(&KIND, "map.pth", [bands(&[0.0, 0.0, 0.0]), bands(&[1.0, 2.0, f64::NAN])], false);
    emd.learning_rate = Some(2e-4);
    let written: Value = serde_json::from_str(&emd.to_json().unwrap()).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&written), keys(&rgb()));
    for section in ["NormalizationStats", "NormalizationStats_b", "ModelParameters"] {
        assert_eq!(keys(&written[section]), keys(&rgb()[section]), "{section}");
    }
    assert_eq!(written["LearningRate"], "2.0000e-04");
    assert_eq!(written["InferenceFunction"], INFERENCE_FUNCTION);
    assert_eq!(written["NormalizationStats_b"]["band_min_values"], json!([1.0, 2.0, null]));
    let read = Emd::parse(emd.to_json().unwrap().as_bytes(), OPENING).unwrap();
    assert!(read.domain_b.min.as_ref().unwrap()[2].is_nan());
    assert_eq!(read.domain_b.max, None);
}

#[test]
fn a_wrong_key_is_named_with_what_was_expected() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 12] = [
        ("`ModelFile` is missing", |v| drop(v.as_object_mut().unwrap().remove("ModelFile"))),
        ("`n_channel_rev` has a wrong value: expected an integer from 1 to 65536, found \"three\"", |v| {
            v["n_channel_rev"] = json!("three")
        }),
        ("`n_channel` has a wrong value", |v| v["n_channel"] = json!(0)),
        ("`n_channel` has a wrong value", |v| v["n_channel"] = json!(1e300)),
        ("`n_channel` has a wrong value", |v| v["n_channel"] = json!(-3)),
        ("`n_intput_channel` has a wrong value: expected 3", |v| v["n_intput_channel"] = json!(4)),
        ("`NormalizationStats.band_min_values` has a wrong value: expected a number for each of the 3 bands", |v| {
            v["NormalizationStats"]["band_min_values"] = json!([1.0]);
        }),
        ("`NormalizationStats_b.band_std_values` has a wrong value", |v| {
            v["NormalizationStats_b"]["band_std_values"] = json!("x")
        }),
        ("`NormalizationStats` has a wrong value: expected an object, found null", |v| {
            v["NormalizationStats"] = Value::Null
        }),
        ("`ModelParameters` has a wrong value: expected an object", |v| v["ModelParameters"] = json!([2])),
        ("`ImageHeight` is missing", |v| drop(v.as_object_mut().unwrap().remove("ImageHeight"))),
        ("`ExtractBands` has a wrong value", |v| v["ExtractBands"] = json!([-1])),
    ];
    for (words, change) in cases {
        let mut value = rgb();
        change(&mut value);
        let error = parse(&value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// Also where it has none of the keys that image translators have.
#[test]
fn a_model_of_another_kind_is_refused_by_name() {
    for (name, advice) in [
        ("Pix2Pix", "another kind (`ModelName`): expected CycleGAN, found Pix2Pix. Open it with PixToPix::from_model."),
        ("MaskRCNN", "found MaskRCNN. This release opens CycleGAN, Pix2Pix; a newer one may open others."),
    ] {
        let mut other = rgb();
        other["ModelName"] = json!(name);
        let few = json!({"Framework": "arcgis.learn.models._inferencing", "ModelType": name, "ImageHeight": 400});
        for definition in [other, few] {
            let error = parse(&definition).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
    // The definition of the other kind opens as it.
    let theirs = Emd::new(&OTHER, "m.pth", [bands(&[0.0]), bands(&[0.0])], true).to_json().unwrap();
    let opening = Opening { kind: &OTHER, ..OPENING };
    let opened = Emd::parse(theirs.as_bytes(), opening).unwrap();
    assert_eq!((opened.kind.name, opened.parameters.len()), ("Pix2Pix", 0));
    assert!(theirs.contains(r#""ModelConfiguration": "_pix2pix""#), "{theirs}");
    assert_eq!(parse(&serde_json::from_str(&theirs).unwrap()).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn weights_cannot_lie_elsewhere() {
    for file in [
        "/etc/passwd",
        "../x.pth",
        "a/../../x.pth",
        r"..\x.pth",
        r"C:\x.pth",
        "C:x.pth",
        r"\\host\x.pth",
        "",
        ".",
        "a//b",
        "a/",
        "./..",
        "./",
    ] {
        let mut value = rgb();
        value["ModelFile"] = json!(file);
        let error = parse(&value).unwrap_err();
        assert!(error.to_string().contains("`ModelFile`"), "{file}: {error}");
        assert!(Emd::new(&KIND, file, [bands(&[0.0]), bands(&[0.0])], false).to_json().is_err(), "{file}");
    }
    for (file, place) in [
        ("a.pth", "m/a.pth"),
        (r"sub\a.pth", "m/sub/a.pth"),
        ("sub/a..b.pth", "m/sub/a..b.pth"),
        ("./a.pth", "m/a.pth"),
        (r".\a.pth", "m/a.pth"),
        ("sub/./a.pth", "m/sub/a.pth"),
    ] {
        let mut value = rgb();
        value["ModelFile"] = json!(file);
        assert_eq!(parse(&value).unwrap().weights_in("m".as_ref()), PathBuf::from(place));
    }
}

/// Python's json module writes NaN and Infinity; a byte order mark comes from Windows tools.
#[test]
fn pythons_numbers_are_read() {
    let text = String::from_utf8(fixture_bytes("golden/rgb.emd")).unwrap();
    let odd =
        text.replacen("10.0", "NaN", 1).replacen("245.0", "-Infinity", 1).replace("MAP_SPACE", r#"NaN \" Infinity"#);
    let emd = Emd::parse(format!("\u{feff}{odd}").as_bytes(), OPENING).unwrap();
    assert!(emd.domain_b.min.as_ref().unwrap()[0].is_nan());
    assert!(emd.domain_b.max.as_ref().unwrap()[0].is_nan());
    assert!(emd.to_json().unwrap().contains(r#""NaN \" Infinity""#));
}

#[test]
fn what_is_no_definition_is_an_error() {
    let deep = "[".repeat(100_000);
    for text in ["", "{", "[]", "null", "{}", "\u{0}", "NaN", "{\"a\":NaN", deep.as_str()] {
        assert_eq!(Emd::parse(text.as_bytes(), OPENING).unwrap_err().kind(), ErrorKind::Format, "{text:.20}");
    }
    assert_eq!(Emd::parse(&[0xff, 0xfe], OPENING).unwrap_err().kind(), ErrorKind::Format);
    let bytes = fixture_bytes("golden/ms.emd");
    for length in 0..bytes.len() - 1 {
        assert!(Emd::parse(&bytes[..length], OPENING).is_err(), "cut to {length} bytes");
    }
    for place in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[place / 8] ^= 1 << (place % 8);
        if let Ok(emd) = Emd::parse(&flipped, OPENING) {
            emd.to_json().unwrap();
        }
    }
}

/// The form before there were counts of bands and statistics, which arcgis.learn still reads.
#[test]
fn older_rgb_files_are_of_bytes() {
    let mut value = rgb();
    let object = value.as_object_mut().unwrap();
    for key in ["n_intput_channel", "n_channel", "n_channel_rev", "NormalizationStats", "NormalizationStats_b"] {
        object.remove(key);
    }
    object.remove("ModelParameters");
    object.remove("InferenceFunction");
    let emd = parse(&value).unwrap();
    let bytes = DomainBands { bands: 3, min: Some(vec![0.0; 3]), max: Some(vec![255.0; 3]), mean: None, std: None };
    assert_eq!((&emd.domain_a, &emd.domain_b), (&bytes, &bytes));
    assert_eq!((emd.channels(), emd.parameters.len()), (3, 0));
    assert_eq!(emd.inference_function, INFERENCE_FUNCTION);
    // Without them nobody knows what a multispectral model was trained on.
    value["IsMultispectral"] = json!(true);
    assert_eq!(parse(&value).unwrap_err().kind(), ErrorKind::Format);
}

#[test]
fn a_new_multispectral_definition_has_every_key() {
    let written = Emd::new(&KIND, "map.pth", [bands(&[0.0; 6]), bands(&[1.0; 4])], true).to_json().unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    let golden: Value = serde_json::from_slice(&fixture_bytes("golden/ms.emd")).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&written)[..23], keys(&golden)[..23]);
    let sorted = |value| {
        let mut keys = keys(value);
        keys.sort();
        keys
    };
    assert_eq!(sorted(&written), [sorted(&golden), vec![]].concat());
}

#[test]
fn only_who_trusts_a_definition_follows_it_out_of_its_folder() {
    let mut value = rgb();
    value["ModelFile"] = json!("../weights/x.pth");
    let text = value.to_string();
    let refused = Emd::parse(text.as_bytes(), OPENING).unwrap_err().to_string();
    assert!(refused.contains("`ModelFile`") && refused.contains("weights_anywhere"), "{refused}");
    let trusted = Emd::parse(text.as_bytes(), Opening { reach: Reach::Anywhere, ..OPENING }).unwrap();
    assert_eq!(trusted.weights_in("m".as_ref()), PathBuf::from("m/../weights/x.pth"));
    value["ModelFile"] = json!("/weights/x.pth");
    let absolute = Emd::parse(value.to_string().as_bytes(), Opening { reach: Reach::Anywhere, ..OPENING }).unwrap();
    assert_eq!(absolute.weights_in("m".as_ref()), PathBuf::from("/weights/x.pth"));
}

/// Before there were counts for both domains, `n_channel` was that of the networks.
#[test]
fn older_multispectral_files_count_bands_in_their_statistics() {
    let mut value: Value = serde_json::from_slice(&fixture_bytes("golden/ms.emd")).unwrap();
    value.as_object_mut().unwrap().retain(|key, _| !["n_intput_channel", "n_channel_rev"].contains(&key.as_str()));
    value["n_channel"] = json!(6);
    let emd = parse(&value).unwrap();
    assert_eq!((emd.domain_a.bands, emd.domain_b.bands, emd.channels()), (6, 4, 6));
    assert_eq!(emd.domain_b.max, Some(vec![4000.0; 4]));
    let written: Value = serde_json::from_str(&emd.to_json().unwrap()).unwrap();
    assert_eq!((&written["n_channel"], &written["n_channel_rev"]), (&json!(4), &json!(6)));
    value["NormalizationStats_b"]["band_min_values"] = Value::Null;
    assert!(parse(&value).unwrap_err().to_string().contains("NormalizationStats_b.band_min_values"));
}

/// Lines of nothing but their indent are the first to go.
#[test]
fn a_large_definition_is_written_as_it_can_be_read() {
    let with = |section: Value| {
        let mut emd = emd_fixture("golden/rgb.emd").unwrap();
        emd.geolearn = Some(section);
        emd
    };
    let nested = (0..60).fold(json!(1), |inner, _| json!([inner]));
    let deep = with(json!(vec![nested; 3000]));
    let text = deep.to_json().unwrap();
    assert_eq!(text.lines().count(), 1);
    assert_eq!(Emd::parse(text.as_bytes(), OPENING).unwrap().geolearn, deep.geolearn);
    let error = with(json!(vec!["x".repeat(1 << 20); 33])).to_json().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limits, "{error}");
    assert!(error.to_string().contains("history"), "{error}");
}
