//! Tests domains whose chips differ in per-file properties.

use super::warnings::warnings;
use super::*;

const BGRN: &str = "order/bgrn.tif";
const RGBN: &str = "order/rgbn.tif";

/// The expected values are rasterio's; both files show one scene.
#[test]
fn names_are_looked_up_in_each_file() {
    let root = mixtures(&[BGRN, BGRN, RGBN, RGBN, RGBN]);
    let named = || options(&root).val_split_pct(0.0).bands(Domain::A, ["Red", "Green", "blue"]);
    let data = named().prepare().unwrap();
    let extremes: Vec<_> = data.statistics(Domain::A).bands().iter().map(|band| (band.min, band.max)).collect();
    assert_eq!(extremes, [(3000.0, 3099.0), (2000.0, 2099.0), (1000.0, 1099.0)]);
    let chips = data.chips(Domain::A, Split::Train, &[0, 1, 2, 3, 4]).unwrap();
    for other in 1..5 {
        assert_eq!(chips.get(0), chips.get(other), "chip {other}");
    }
    let both = [0, 4].map(|index| data.image(Domain::A, Split::Train, index).unwrap());
    assert_eq!(both[0].samples(), both[1].samples());
    let names: Vec<_> = data.band_names(Domain::A).iter().flatten().collect();
    assert_eq!(names, ["Red", "Green", "Blue"]);
    // Statistics by band position do not apply to such chips.
    let list = [(1000.0, 1099.0), (2000.0, 2099.0), (3000.0, 3099.0), (4000.0, 4099.0)]
        .map(|(min, max)| serde_json::json!({"Min": min, "Max": max, "Mean": min + 50.0, "StdDev": 30.0}));
    let definition = serde_json::json!({"AllTilesStats": list}).to_string();
    fs::write(root.path().join("A/esri_model_definition.emd"), definition).unwrap();
    let again = named().prepare().unwrap();
    assert_eq!((again.statistics(Domain::A), again.statistics_file(Domain::A)), (data.statistics(Domain::A), None));
}

#[test]
fn a_file_without_a_band_is_named_or_left_out() {
    let root = mixtures(&[BGRN, RGBN, "order/red.tif"]);
    let named = |names: &[&str]| options(&root).val_split_pct(0.0).bands(Domain::A, names.iter().copied());
    let error = named(&["Red", "Green"]).prepare().unwrap_err();
    assert_eq!(error.path(), Some(root.path().join("A/2.tif").as_path()));
    assert!(error.to_string().contains("Green") && error.to_string().contains("BadChips::Skip"), "{error}");
    let data = named(&["Red", "Green"]).bad_chips(BadChips::Skip).prepare().unwrap();
    assert_eq!((data.len(Domain::A), data.skipped().len()), (2, 1));
    assert!(data.skipped()[0].1.contains("Green"), "{:?}", data.skipped());
    // One common band is enough if no other is requested.
    assert_eq!(named(&["Red"]).prepare().unwrap().len(Domain::A), 3);
    let error = named(&["Red", "Ultraviolet"]).bad_chips(BadChips::Skip).prepare().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "nobody has it: {error}");
}

#[test]
fn orders_are_not_mixed_silently() {
    let root = mixtures(&[BGRN, RGBN, RGBN]);
    for chosen in [vec![], vec![Band::from(1), 2.into(), 3.into()]] {
        let prepared = options(&root).val_split_pct(0.0).bands(Domain::A, chosen);
        let error = prepared.clone().prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Layout);
        for word in ["Red, Green, Blue, NIR in", "0.tif", "PrepareData::bands(Domain::A, [\"Red\", \"Green\""] {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
        let data = prepared.bad_chips(BadChips::Skip).prepare().unwrap();
        assert_eq!((data.len(Domain::A), data.skipped().len()), (2, 1));
        assert_eq!(data.statistics(Domain::A).bands()[0].min, 3000.0);
    }
}

#[test]
fn each_chip_has_its_own_nodata_value() {
    let root = mixtures(&["nodata/0.tif", "nodata/1.tif", "nodata/2.tif"]);
    let (data, said) = warnings(|| options(&root).val_split_pct(0.0).prepare().unwrap());
    assert_eq!(data.statistics(Domain::A).bands()[0].min, -40.0);
    assert_eq!(said, Vec::<String>::new(), "one of them declares none, and has no gap");
    let other = Raster::open(mixture("nodata/0.tif")).unwrap().with_nodata(-40.0);
    write(root.path(), "A/3.tif", &other);
    let (data, said) = warnings(|| options(&root).val_split_pct(0.0).prepare().unwrap());
    assert_eq!(data.statistics(Domain::A).bands()[0].min, -40.0, "a real height of the first");
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("-32768 in 2, -40 in 1") && said[0].contains("predictions have -32768"), "{said:?}");
}

#[test]
fn gray_and_color_are_made_alike_where_that_is_asked_for() {
    let files = ["colours/grey.tif", "colours/grey_alpha.tif", "colours/rgb.tif", "colours/rgba.tif"];
    let root = mixtures(&files);
    let prepared = || options(&root).val_split_pct(0.0);
    let error = prepared().prepare().unwrap_err();
    assert!(error.to_string().contains("mixed_bands(MixedBands::Rgb)"), "{error}");
    let data = prepared().mixed_bands(MixedBands::Rgb).prepare().unwrap();
    assert_eq!((data.len(Domain::A), data.bands(Domain::A), data.skipped().len()), (4, 3, 0));
    let images: Vec<_> = (0..4).map(|index| data.image(Domain::A, Split::Train, index).unwrap()).collect();
    let band = |image: usize, band: usize| images[image].samples().band(band).unwrap();
    for (gray, name) in files[..2].iter().enumerate() {
        assert!((0..3).all(|index| band(gray, index) == band(2, 0)), "three equal bands, {name}");
    }
    assert_eq!(images[3].samples(), images[2].samples());
    // One picture alone is gray enough.
    let gray = mixtures(&files[..1]);
    assert_eq!(options(&gray).mixed_bands(MixedBands::Rgb).prepare().unwrap().bands(Domain::A), 3);
}

#[test]
fn what_is_no_alpha_is_not_dropped() {
    let root = mixtures(&["colours/rgb.tif", "colours/rgbn.tif", "colours/rgb.tif"]);
    let prepared = || options(&root).val_split_pct(0.0).mixed_bands(MixedBands::Rgb);
    assert!(prepared().prepare().unwrap_err().to_string().contains("4 bands"));
    assert_eq!(prepared().bad_chips(BadChips::Skip).prepare().unwrap().skipped().len(), 1);
    let chosen = options(&root).val_split_pct(0.0).bands(Domain::A, [1, 2, 3]).prepare().unwrap();
    assert_eq!((chosen.len(Domain::A), chosen.bands(Domain::A)), (3, 3), "bands that all have");
    let all = mixtures(&["colours/rgbn.tif", "colours/rgbn.tif"]);
    assert_eq!(options(&all).mixed_bands(MixedBands::Rgb).prepare().unwrap().bands(Domain::A), 4);
}

/// A Synology NAS stores thumbnails beside the chips, as separate pictures.
#[test]
fn what_storage_leaves_among_chips_is_passed_over() {
    let root = folder(3, 3);
    let thumbnail = root.path().join("A/images/@eaDir/000.png/SYNOPHOTO_THUMB_M.jpg");
    fs::create_dir_all(thumbnail.parent().unwrap()).unwrap();
    chip(3, 4, 4, 0).save(&thumbnail).unwrap();
    write(root.path(), "__MACOSX/A/images/000.png", &chip(3, 4, 4, 0));
    fs::write(root.path().join("B/images/._000.png"), "resource fork").unwrap();
    assert_eq!(options(&root).val_split_pct(0.0).prepare().unwrap().len(Domain::A), 3);
}
