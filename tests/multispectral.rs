//! Models between domains of different bands, types and gaps.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

use geolearn::{
    Channels, Checkpoint, Crs, CycleGan, CycleGanBuilder, DataBunch, DatasetType, Domain, Dtype, ErrorKind, FitOptions,
    Normalisation, PrepareData, Raster, Split,
};

fn options() -> PrepareData {
    PrepareData::new("assets/multispectral", DatasetType::CycleGan)
        .normalisation(Normalisation::Percentile { low: 2.0, high: 98.0 })
        .crop_size(32)
        .batch_size(4)
}

fn small(data: &DataBunch) -> CycleGanBuilder {
    CycleGan::builder(data).gen_blocks(1).gen_features(4).disc_features(4)
}

fn first(data: &DataBunch, domain: Domain) -> &std::path::Path {
    &data.files(domain, Split::Train)[0]
}

fn quiet() -> FitOptions {
    FitOptions::new(1).progress(false)
}

/// Corners of every fifth chip have no data; the first has.
#[test]
fn translations_keep_place_and_gaps_and_have_the_other_domains_bands() {
    let data = options().val_split_pct(0.0).prepare().unwrap();
    let model = small(&data).build().unwrap();
    let source = Raster::open(first(&data, Domain::A)).unwrap();
    let picture = model.predict_a2b(first(&data, Domain::A)).unwrap();
    assert_eq!((picture.bands(), picture.height(), picture.width(), picture.dtype()), (3, 64, 64, Dtype::U8));
    assert_eq!(picture.place(), source.place());
    assert_eq!(picture.place().crs(), Some(&Crs::Epsg(4326)));
    let names: Vec<_> = picture.band_names().iter().flatten().collect();
    assert_eq!(names, ["red", "green", "blue"]);
    let (values, made) = (source.samples().band(0).unwrap(), picture.samples().band(0).unwrap());
    assert!(values.iter().any(|&value| value == 0.0), "the chip has a gap");
    assert_eq!(picture.nodata(), Some(0.0), "B has no value of its own for it");
    for (value, made) in values.iter().zip(&made) {
        assert_eq!(*value == 0.0, *made == 0.0);
    }
    let spectra = model.predict_b2a(first(&data, Domain::B)).unwrap();
    assert_eq!((spectra.bands(), spectra.dtype(), spectra.nodata()), (13, Dtype::U16, Some(0.0)));
    assert!(spectra.samples().band(7).unwrap().iter().all(|&value| value != 0.0), "nothing is missing in B");
    assert_eq!(spectra.band_names()[7].as_deref(), Some("NIR"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spectra.tif");
    spectra.save(&path).unwrap();
    assert_eq!(Raster::open(&path).unwrap(), spectra);
}

#[test]
fn a_saved_model_knows_bands_types_and_scaling() {
    let data = options().bands(Domain::A, ["NIR", "Red", "Green"]).prepare().unwrap();
    let mut model = small(&data).build().unwrap();
    model.fit(quiet()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let loaded = CycleGan::from_model(model.save(folder.path().join("m")).unwrap(), None).unwrap();
    // All 13 bands of the file, of which three are used; and just these.
    let file = first(&data, Domain::A);
    let picture = model.predict_a2b(file).unwrap();
    assert_eq!(loaded.predict_a2b(file).unwrap(), picture);
    let three = data.image(Domain::A, Split::Train, 0).unwrap();
    assert_eq!((three.bands(), &loaded.predict_image(&three, Domain::B).unwrap()), (3, &picture));
    let back = loaded.predict_b2a(first(&data, Domain::B)).unwrap();
    assert_eq!((back.bands(), back.dtype(), back.band_names()[0].as_deref()), (3, Dtype::U16, Some("NIR")));
    let (low, high) = data.statistics(Domain::A).bands()[0].percentiles.unwrap();
    let made = back.samples().band(0).unwrap();
    assert!(made.iter().all(|value| (low.floor()..=high.ceil()).contains(value)));
    let error = loaded.predict_image(&Raster::open(file).unwrap(), Domain::B).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn generators_may_have_other_channels_out_than_in() {
    let data = options().channels(Channels::Own).prepare().unwrap();
    let mut model = small(&data).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = folder.path().join("checkpoints");
    let history = model.fit(quiet().checkpoint(Checkpoint::Last).checkpoint_dir(&checkpoints)).unwrap();
    assert_eq!(history.last("identity"), Some(0.0), "no generator sees images of its own domain");
    let file = first(&data, Domain::A);
    let picture = model.predict_a2b(file).unwrap();
    let saved = model.save(folder.path().join("m")).unwrap();
    assert_eq!(CycleGan::from_model(&saved, Some(&data)).unwrap().predict_a2b(file).unwrap(), picture);
    let resumed = CycleGan::from_checkpoint(checkpoints.join("last.safetensors"), &data).unwrap();
    assert_eq!(resumed.predict_a2b(file).unwrap(), picture);
    let estimate = model.memory_estimate().unwrap();
    let shared = small(&options().prepare().unwrap()).build().unwrap().memory_estimate().unwrap();
    assert!(estimate.parameters < shared.parameters && estimate.activations < shared.activations);
    // The same weights do not fit where both domains have 13 channels.
    assert_eq!(
        small(&options().prepare().unwrap()).build().unwrap().load(&saved).unwrap_err().kind(),
        ErrorKind::Usage
    );
}
