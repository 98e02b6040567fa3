//! What the files beside chips tell of their values.

use geolearn::Raster;
use ndarray::Axis;

use super::*;

/// The `.emd` says what `prepare_data` would find without it, to the last bit.
#[test]
fn statistics_are_those_of_the_chips() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("chips");
    for (format, kind) in
        [(MetadataFormat::CycleGan, DatasetType::CycleGan), (MetadataFormat::ExportTiles, DatasetType::Pix2Pix)]
    {
        let output = output.join(format.to_string());
        export(&output).metadata_format(format).export().unwrap();
        let told = prepare_data(&output, kind).unwrap();
        let definitions: Vec<PathBuf> = ["", "A", "B"]
            .map(|name| output.join(name).join("esri_model_definition.emd"))
            .into_iter()
            .filter(|file| file.exists())
            .collect();
        assert_eq!(definitions.len(), if kind == DatasetType::CycleGan { 2 } else { 1 });
        let definition: Value = serde_json::from_slice(&fs::read(&definitions[0]).unwrap()).unwrap();
        definitions.iter().for_each(|file| fs::remove_file(file).unwrap());
        let measured = prepare_data(&output, kind).unwrap();
        for domain in Domain::BOTH {
            assert!(told.statistics_file(domain).is_some() && measured.statistics_file(domain).is_none());
            let bands = told.statistics(domain).bands().iter().zip(measured.statistics(domain).bands());
            for (told, measured) in bands {
                assert!(measured.percentiles.is_some() && told.percentiles.is_none());
                let numbers = |band: &geolearn::dataset::BandStatistics| [band.min, band.max, band.mean, band.std];
                assert_eq!(numbers(told).map(f64::to_bits), numbers(measured).map(f64::to_bits));
            }
        }
        let first = &definition["AllTilesStats"][0];
        assert_eq!(first["Mean"].as_f64(), Some(measured.statistics(Domain::A).bands()[0].mean));
        assert_eq!((&first["BandName"], &definition["ImageWidth"]), (&"Red".into(), &64.into()));
        assert_eq!(definition["MinCellSize"]["spatialReference"]["wkid"], 4326);
    }
}

/// Chips that cover all pixels with data, of a scene whose gaps are marked by a value, and of one whose gaps are a mask.
#[test]
fn statistics_are_those_of_the_valid_pixels() {
    let folder = tempfile::tempdir().unwrap();
    for mask_alone in [false, true] {
        let (scene, output) = (folder.path().join("scene.tif"), folder.path().join(format!("chips_{mask_alone}")));
        let valid = gaps::swath(&scene, mask_alone);
        let options = ExportTrainingData::new(&scene, asset("shadedrelief_asia.tif"), &output).tile_size(32);
        options.min_valid_share(0.0).val_split_pct(0.0).progress(false).export().unwrap();
        let definition = fs::read(output.join("A/esri_model_definition.emd")).unwrap();
        let definition: Value = serde_json::from_slice(&definition).unwrap();
        let Samples::U8(samples) = Raster::open(&scene).unwrap().into_samples() else { panic!("bytes") };
        let accumulated = fs::read(output.join("A/esri_accumulated_stats.json")).unwrap();
        let accumulated: Value = serde_json::from_slice(&accumulated).unwrap();
        for (index, band) in samples.axis_iter(Axis(0)).enumerate() {
            let stated = &definition["AllTilesStats"][index];
            // In images of bytes the nodata value in one band alone is data, such as the red 0 of a dark roof.
            let has_data = |(value, valid): (&u8, &bool)| valid.then(|| f64::from(*value));
            let values: Vec<f64> = band.iter().zip(&valid).filter_map(has_data).collect();
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let std = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
            let extremes = [f64::min, f64::max].map(|pick| values.iter().copied().reduce(pick).unwrap());
            let number = |key: &str| stated[key].as_f64().unwrap();
            assert_eq!([number("Min"), number("Max")], extremes);
            // Sums of 65,000 bytes in double precision.
            assert!(
                (number("Mean") - mean).abs() < 1e-9 && (number("StdDev") - std).abs() < 1e-9,
                "{stated} {mean} {std}"
            );
            assert_eq!(accumulated["BandStatsState"][index]["Num"].as_f64(), Some(count));
        }
    }
}
