//! Prepares the folders of chips that training and evaluation read.

use std::fs;
use std::path::{Path, PathBuf};

use geolearn::dataset::{Augment, Split};
use geolearn::{DataBunch, DatasetType, Domain, PrepareData};

use crate::Outcome;
use crate::model::Kind;

/// Fraction of the chips held out for validation if there is no test set.
const KEPT_OUT: f64 = 0.2;
/// The same for pairs, which are few.
const PAIRS_KEPT_OUT: f64 = 0.3;
/// Fixed, so that every recipe and seed trains on the same chips.
const SPLIT_SEED: u64 = 42;

/// Loads `train_a`, `train_b`, `valid_a` and `valid_b` of a folder.
///
/// Chips are enlarged by a random factor of up to 1.2, but not flipped or rotated: the bundled relief maps are always
/// lit from the northwest.
pub fn data(folder: &Path, kind: Kind, seed: u64) -> geolearn::Result<DataBunch> {
    PrepareData::new(folder, kind.dataset_type()).seed(seed).augment(Augment::none().zoom(1.2)).prepare()
}

/// Copies chips into these folders. The validation chips are `test_a` and `test_b` if the folder has them, and a
/// fraction of all chips otherwise. Both images of a pair go into the same set.
pub fn copy(chips: &Path, folder: &Path, paired: bool) -> Outcome<()> {
    let (dataset, share) =
        if paired { (DatasetType::Pix2Pix, PAIRS_KEPT_OUT) } else { (DatasetType::CycleGan, KEPT_OUT) };
    let found = PrepareData::new(chips, dataset).seed(SPLIT_SEED).val_split_pct(share).prepare()?;
    for (domain, letter) in [(Domain::A, "a"), (Domain::B, "b")] {
        for (split, name) in [(Split::Train, "train"), (Split::Valid, "valid")] {
            let into = folder.join(format!("{name}_{letter}"));
            if into.exists() {
                fs::remove_dir_all(&into)?;
            }
            fs::create_dir_all(&into)?;
            found.files(domain, split).iter().try_for_each(|file| copy_file(file, &into))?;
        }
    }
    Ok(())
}

fn copy_file(file: &PathBuf, into: &Path) -> Outcome<()> {
    let copy = into.join(file.file_name().ok_or("a chip has no name")?);
    if copy.exists() {
        return Err(format!("two chips are named {}; give each chip of a domain a unique name", copy.display()).into());
    }
    fs::copy(file, copy)?;
    Ok(())
}
