//! Tests the descriptions of a saved model: a STAC item and a model card.

#![allow(clippy::unwrap_used, reason = "helpers of a test")]

use std::fs;
use std::path::{Path, PathBuf};

use geolearn::{CycleGan, DatasetType, Domain, FitOptions, PrepareData};
use serde_json::Value;

use super::common::{on_cpu, python, small_data, small_model};

/// Validates against the published schemas. Needs jsonschema.
const VALIDATE: &str = r##"
import glob, json, os, sys
try:
    import jsonschema
except ImportError:
    print("skipped: no jsonschema")
    sys.exit()
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

schemas, *items = sys.argv[1:]
registry = Registry()
for path in glob.glob(os.path.join(schemas, "*.json")):
    name, version = os.path.basename(path)[: -len(".json")].split("-", 1)
    resource = Resource(contents=json.load(open(path)), specification=DRAFT7)
    registry = registry.with_resource(f"https://stac-extensions.github.io/{name}/{version}/schema.json", resource)
schema = registry.contents("https://stac-extensions.github.io/mlm/v1.5.2/schema.json")
validator = jsonschema.Draft7Validator(schema, registry=registry)
for path in items:
    item = json.load(open(path))
    validator.validate(item)
    for spoil in ["mlm:name", "mlm:input", "bands"]:
        spoiled = json.loads(json.dumps(item))
        del spoiled["properties"][spoil]
        assert not validator.is_valid(spoiled), f"no {spoil}, and nobody minds"
print("valid")
"##;

fn item(saved: &Path) -> Value {
    serde_json::from_slice(&fs::read(saved.join("model.stac.json")).unwrap()).unwrap()
}

fn multispectral() -> CycleGan {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/multispectral");
    let data = PrepareData::new(root, DatasetType::CycleGan).bands(Domain::A, [8, 4, 3]).prepare().unwrap();
    on_cpu::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).build().unwrap()
}

#[test]
fn items_are_valid_by_the_published_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let saved = |model: CycleGan, name: &str| model.save(folder.path().join(name)).unwrap().join("model.stac.json");
    let items: [PathBuf; 3] = [
        saved(small_model(&small_data(folder.path())), "<b>sat & map"),
        saved(multispectral(), "s2"),
        saved(on_cpu::from_model("assets/models/sat2relief", None).unwrap(), "7 maps"),
    ];
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stac");
    let found = python::run(&[&"-c", &VALIDATE, &schemas, &items[0], &items[1], &items[2]]);
    assert!(matches!(found.as_deref().map(str::trim), None | Some("valid" | "skipped: no jsonschema")), "{found:?}");
}

/// The numbers in the item are those by which `predict` scales.
#[test]
fn an_item_says_how_images_are_scaled() {
    let folder = tempfile::tempdir().unwrap();
    let saved = multispectral().save(folder.path().join("sat & map")).unwrap();
    let item = item(&saved);
    let properties = &item["properties"];
    assert_eq!((&item["id"], &properties["mlm:name"]), (&"sat & map".into(), &"sat - map".into()));
    assert_eq!(properties["mlm:tasks"], serde_json::json!(["generative"]));
    assert_eq!(properties["mlm:hyperparameters"]["gen_blocks"], 1);
    let [to_b, to_a] = [0, 1].map(|direction| &properties["mlm:input"][direction]);
    assert_eq!((to_b["bands"].as_array().unwrap().len(), &to_b["input"]["shape"][1]), (3, &3.into()));
    assert_eq!(to_a["name"], "image of domain B");
    let definition: Value = serde_json::from_slice(&fs::read(saved.join("sat & map.emd")).unwrap()).unwrap();
    let statistics = &definition["NormalizationStats"];
    for band in 0..3 {
        let scaling = &to_b["value_scaling"][band];
        let number = |value: &Value| value.as_f64().unwrap();
        let (mean, deviation) = (number(&scaling["mean"]), number(&scaling["stddev"]));
        for (name, sign) in [("band_min_values", -1.0), ("band_max_values", 1.0)] {
            let scaled = (number(&statistics[name][band]) - mean) / deviation;
            assert!((scaled - sign).abs() < 1e-12, "band {band}: {name} becomes {scaled}");
        }
    }
    let weights = &item["assets"]["weights"];
    // STAC 1.1 allows bands of an item only if an asset has some.
    assert_eq!(weights["bands"], properties["bands"]);
    assert_eq!(properties["bands"].as_array().unwrap().len(), 6);
    assert_eq!(
        (&weights["href"], &weights["mlm:artifact_type"]),
        (&"./sat%20%26%20map.pth".into(), &"torch.save".into())
    );
}

#[test]
fn a_card_describes_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = small_model(&data);
    let card = |saved: &Path| fs::read_to_string(saved.join("README.md")).unwrap();
    let fresh = card(&model.save(folder.path().join("fresh")).unwrap());
    assert!(fresh.contains("images of A to images of B, and images of B to images of A"), "{fresh}");
    assert!(fresh.contains("Not measured.") && fresh.contains("## License"), "{fresh}");
    model.fit(FitOptions::new(1).progress(false)).unwrap();
    let saved = model.save(folder.path().join("a_b")).unwrap();
    let text = card(&saved);
    assert!(text.contains("# a\\_b\n") && text.contains("1 epochs"), "{text}");
    let counts = [data.train_files(Domain::A), data.valid_files(Domain::A), data.test_files(Domain::A)];
    assert!(
        text.contains(&format!("| A | {} | {} | {} |", counts[0].len(), counts[1].len(), counts[2].len())),
        "{text}"
    );
    for wanted in
        ["Domain A: 3 of the 3 bands of its files, uint8", "from_model(\"a_b\"", "arcgis.learn", "onnxruntime"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    // An existing card is kept; the model beside it does not matter.
    fs::write(saved.join("README.md"), "License: MIT").unwrap();
    on_cpu::from_model(&saved, None).unwrap().save(&saved).unwrap();
    assert_eq!(card(&saved), "License: MIT");
}
