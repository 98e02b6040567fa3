//! Chips that arcgis.learn opens, where GEOLEARN_ARCGIS_PYTHON names a Python that has it.

use super::common::python;
use super::*;

/// It infers the type by the files beside the chips, finds all chips, and takes the statistics from these files.
#[test]
fn arcgis_learn_opens_exported_chips() {
    let Some(python) = python::named_by("GEOLEARN_ARCGIS_PYTHON") else { return };
    let folder = tempfile::tempdir().unwrap();
    let cases = [(MetadataFormat::CycleGan, "CycleGAN", 64), (MetadataFormat::ExportTiles, "Pix2Pix", 64)];
    let outputs: Vec<PathBuf> = cases.iter().map(|(format, ..)| folder.path().join(format.to_string())).collect();
    let reports = cases
        .iter()
        .zip(&outputs)
        .map(|((format, _, side), output)| export(output).metadata_format(*format).tile_size(*side).export().unwrap());
    let reports: Vec<_> = reports.collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/arcgis/open_chips.py");
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&script];
    arguments.extend(outputs.iter().map(|output| output as &dyn AsRef<OsStr>));
    let said = python::output(&python, &arguments);
    let told: Vec<Value> = said
        .lines()
        .filter_map(|line| line.strip_prefix("told "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(told.len(), cases.len(), "{said}");
    for (((told, (_, kind, side)), report), output) in told.iter().zip(cases).zip(&reports).zip(&outputs) {
        assert_eq!(told["type"], kind);
        let chips = told["training"].as_u64().unwrap() + told["validation"].as_u64().unwrap();
        assert_eq!(chips, report.chips(Domain::A) as u64);
        assert_eq!(told["batch"], serde_json::json!([[2, 3, side, side], [2, 3, side, side]]));
        check_statistics(told, output);
    }
}

/// What it took for its scaling, in singles, against the definitions.
fn check_statistics(told: &Value, output: &Path) {
    let read = |file: PathBuf| serde_json::from_slice::<Value>(&fs::read(file).unwrap()).unwrap();
    let definition = |folder: &str| read(output.join(folder).join("esri_model_definition.emd"));
    let stated = if told["type"] == "CycleGAN" {
        ["A", "B"].map(|folder| definition(folder)["AllTilesStats"].clone())
    } else {
        ["AllTilesStats", "AllTilesStats2"].map(|key| definition("")[key].clone())
    };
    for (domain, stated) in stated.iter().enumerate() {
        for (theirs, ours) in [("min", "Min"), ("max", "Max"), ("mean", "Mean"), ("std", "StdDev")] {
            let found: Vec<f64> = serde_json::from_value(told[theirs][domain].clone()).unwrap();
            let expected = stated.as_array().unwrap().iter().map(|band| band[ours].as_f64().unwrap() as f32);
            assert_eq!(found, expected.map(f64::from).collect::<Vec<_>>(), "{theirs} of domain {domain}");
        }
    }
}
