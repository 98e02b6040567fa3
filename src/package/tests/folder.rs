//! Places and names of a saved model.

use std::fs;
use std::path::Path;

use tch::Tensor;

use super::*;
use crate::error::ErrorKind;
use crate::package::emd::DomainBands;
use crate::package::folder::{CARD, CARD_MARK, Contents, Found, ITEM, Place, find, save};

/// Weights, definition, package, report, and the folder of pictures.
pub(super) const FILES: usize = 5;

pub(super) fn emd(place: &Place) -> Emd {
    let one = || DomainBands { bands: 1, ..DomainBands::default() };
    Emd::new(&KIND, &place.pth_name(), [one(), one()], false)
}

fn save_number(place: &Place, number: f32) -> Result<()> {
    save_with(place, &emd(place), number)
}

pub(super) fn save_with(place: &Place, emd: &Emd, number: f32) -> Result<()> {
    let tensor = Tensor::from_slice(&[number]);
    let tensors = [("w".to_owned(), &tensor)];
    let pictures = [("loss_graph.png", Some(b"picture".to_vec()))];
    save(place, &Contents { emd, tensors: &tensors, modules: &[], report: "<html>", texts: &[], pictures: &pictures })
}

/// People fill in what a card leaves open, and a save must not undo that.
#[test]
fn a_card_of_the_users_own_stays() {
    let root = tempfile::tempdir().unwrap();
    let place = Place::to_save(root.path(), Path::new("m")).unwrap();
    let (definition, tensor) = (emd(&place), Tensor::from_slice(&[1f32]));
    let card = place.folder.join(CARD);
    let saved = |text: &str| {
        let tensors = [("w".to_owned(), &tensor)];
        let texts = [(ITEM, text.to_owned()), (CARD, format!("{CARD_MARK}\n{text}"))];
        let (emd, texts) = (&definition, texts.as_slice());
        save(&place, &Contents { emd, tensors: &tensors, modules: &[], report: "<html>", texts, pictures: &[] })
            .unwrap();
        let item = fs::read_to_string(place.folder.join(ITEM)).unwrap();
        assert_eq!(item, text);
        let package = zip::ZipArchive::new(fs::File::open(place.dlpk()).unwrap()).unwrap();
        (fs::read_to_string(&card).unwrap(), package.len())
    };
    assert_eq!(saved("one"), (format!("{CARD_MARK}\none"), 5));
    assert_eq!(saved("two"), (format!("{CARD_MARK}\ntwo"), 5));
    for own in ["License: MIT", "", &format!("License\n{CARD_MARK}")] {
        fs::write(&card, own).unwrap();
        assert_eq!(saved("three"), (own.to_string(), 4), "the package holds what the save wrote");
    }
    fs::remove_file(&card).unwrap();
    assert_eq!(saved("four").0, format!("{CARD_MARK}\nfour"));
}

fn saved_number(found: &Found) -> f64 {
    values(&found.open(OPENING).unwrap().tensors[0].1)[0]
}

#[test]
fn a_name_lies_below_the_root_and_a_path_where_it_says() {
    let root = Path::new("/data/chips");
    let place = |path: &str| Place::to_save(root, Path::new(path)).unwrap();
    assert_eq!(place("sat2map").emd(), Path::new("/data/chips/models/sat2map/sat2map.emd"));
    assert_eq!(place("models/sat2map").pth(), Path::new("models/sat2map/sat2map.pth"));
    assert_eq!(place("./sat2map").pth(), Path::new("./sat2map/sat2map.pth"));
    assert_eq!(place("/m/sat2map/").pth(), Path::new("/m/sat2map/sat2map.pth"));
    assert_eq!(place("v1.5").pth(), Path::new("/data/chips/models/v1.5/v1.5.pth"));
    for path in ["", "/", "..", "models/..", "sat2map.emd", "models/sat2map.pth", "m.dlpk"] {
        let error = Place::to_save(root, Path::new(path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{path}: {error}");
    }
}

#[test]
fn a_saved_model_is_found_in_every_way() {
    let root = tempfile::tempdir().unwrap();
    let place = Place::to_save(root.path(), Path::new("m")).unwrap();
    save_number(&place, 7.0).unwrap();
    assert_eq!(fs::read_dir(&place.folder).unwrap().count(), FILES);
    for path in [PathBuf::from("m"), place.folder.clone(), place.emd(), place.pth(), place.dlpk()] {
        assert_eq!(saved_number(&find(root.path(), &path).unwrap()), 7.0, "{path:?}");
    }
    // A model that was renamed as a folder, and weights named by the caller.
    let moved = root.path().join("moved");
    fs::rename(&place.folder, &moved).unwrap();
    assert_eq!(saved_number(&find(root.path(), &moved).unwrap()), 7.0);
    fs::copy(moved.join("m.emd"), moved.join("other.emd")).unwrap();
    fs::rename(moved.join("m.pth"), moved.join("other.pth")).unwrap();
    assert_eq!(saved_number(&find(root.path(), &moved.join("other.pth")).unwrap()), 7.0);
    let error = find(root.path(), &moved).unwrap_err().to_string();
    assert!(error.contains("several") && error.contains("m.emd") && error.contains("other.emd"), "{error}");
    let error = find(root.path(), &moved.join("m.emd")).unwrap().open(OPENING).unwrap_err().to_string();
    assert!(error.contains("weights are missing") && error.contains("other.pth"), "{error}");
}

#[test]
fn a_missing_model_is_answered_with_what_is_there() {
    let root = tempfile::tempdir().unwrap();
    for name in ["first", "second"] {
        save_number(&Place::to_save(root.path(), Path::new(name)).unwrap(), 0.0).unwrap();
    }
    let error = find(root.path(), Path::new("third")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Layout);
    assert!(error.to_string().contains("first, second"), "{error}");
    let error = find(root.path(), &root.path().join("models")).unwrap_err().to_string();
    assert!(error.contains("first, second"), "{error}");
    fs::write(root.path().join("lonely.pth"), b"").unwrap();
    let error = find(root.path(), &root.path().join("lonely.pth")).unwrap_err().to_string();
    assert!(error.contains("lonely.emd") && error.contains("lonely.pth"), "{error}");
    fs::write(root.path().join("readme.txt"), b"").unwrap();
    assert_eq!(find(root.path(), &root.path().join("readme.txt")).unwrap_err().kind(), ErrorKind::Layout);
}

#[test]
fn saving_again_replaces_both_and_leaves_the_rest() {
    let root = tempfile::tempdir().unwrap();
    let place = Place::to_save(root.path(), &root.path().join("m")).unwrap();
    save_number(&place, 1.0).unwrap();
    fs::write(place.folder.join("notes.txt"), b"mine").unwrap();
    save_number(&place, 2.0).unwrap();
    assert_eq!(saved_number(&find(root.path(), &place.folder).unwrap()), 2.0);
    assert_eq!(fs::read(place.folder.join("notes.txt")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(&place.folder).unwrap().count(), FILES + 1);
}

/// The definition cannot be written, after the weights could.
#[test]
fn a_save_that_fails_leaves_the_last_one() {
    let root = tempfile::tempdir().unwrap();
    let place = Place::to_save(root.path(), &root.path().join("m")).unwrap();
    save_number(&place, 1.0).unwrap();
    let mut bad = emd(&place);
    bad.model_file = "../m.pth".into();
    save_with(&place, &bad, 2.0).unwrap_err();
    assert_eq!(saved_number(&find(root.path(), &place.folder).unwrap()), 1.0);
    assert_eq!(fs::read_dir(&place.folder).unwrap().count(), FILES);
}

#[test]
fn names_are_as_long_as_their_files_can_be() {
    let root = tempfile::tempdir().unwrap();
    let longest = "m".repeat(250);
    let place = Place::to_save(root.path(), &root.path().join(&longest)).unwrap();
    for number in [1.0, 2.0, 3.0] {
        save_number(&place, number).unwrap();
        assert_eq!(saved_number(&find(root.path(), &place.folder).unwrap()), f64::from(number));
        assert_eq!(fs::read_dir(&place.folder).unwrap().count(), FILES);
    }
    for name in ["m".repeat(251), "é".repeat(126), "m".repeat(300)] {
        let error = Place::to_save(root.path(), &root.path().join(name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains("250 bytes"), "{error}");
    }
}

#[test]
#[cfg(unix)]
fn folders_keep_names_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let root = tempfile::tempdir().unwrap();
    let parent = root.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    let place = Place::to_save(root.path(), &parent.join("m")).unwrap();
    save_number(&place, 4.0).unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    for path in [parent.join("m"), parent.join("m/m.emd"), parent.join("m/m.pth"), parent.join("m/m.dlpk")] {
        assert_eq!(saved_number(&find(root.path(), &path).unwrap()), 4.0);
    }
    let error = Place::to_save(root.path(), &parent).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}

#[test]
fn a_definition_is_found_in_any_case_and_beside_what_macos_adds() {
    let root = tempfile::tempdir().unwrap();
    let place = Place::to_save(root.path(), &root.path().join("m")).unwrap();
    save_number(&place, 5.0).unwrap();
    fs::remove_file(place.dlpk()).unwrap();
    let upper = place.folder.join("x.EMD");
    fs::rename(place.emd(), &upper).unwrap();
    fs::rename(place.pth(), place.folder.join("x.pth")).unwrap();
    let text = fs::read_to_string(&upper).unwrap().replace("\"m.pth\"", r#"".\\x.pth""#);
    fs::write(&upper, text).unwrap();
    fs::write(place.folder.join("._x.EMD"), b"\0\x05\x16\x07").unwrap();
    fs::write(place.folder.join("._x.dlpk"), b"\0\x05\x16\x07").unwrap();
    for path in [place.folder.clone(), upper, place.folder.join("x.pth")] {
        assert_eq!(saved_number(&find(root.path(), &path).unwrap()), 5.0, "{path:?}");
    }
}
