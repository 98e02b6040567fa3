//! Chips in the folders that training and evaluation read.

use std::fs;
use std::path::{Path, PathBuf};

use geolearn::dataset::{Augment, Split};
use geolearn::{DataBunch, DatasetType, Domain, PrepareData};

use crate::Outcome;
use crate::model::Kind;

/// Share of the chips that is kept out of training, where there is no set of unseen places.
const KEPT_OUT: f64 = 0.2;
/// The same of pairs, of which there are few.
const PAIRS_KEPT_OUT: f64 = 0.3;
/// The same for every recipe and seed, so that all learn from the same chips.
const SPLIT_SEED: u64 = 42;

/// Prepares what lies in `train_a`, `train_b`, `valid_a` and `valid_b` of a folder.
///
/// Chips are enlarged by a random factor up to 1.2, and not flipped or turned: the bundled relief maps are lit from the
/// north-west throughout.
pub fn data(folder: &Path, kind: Kind, seed: u64) -> geolearn::Result<DataBunch> {
    PrepareData::new(folder, kind.dataset_type()).seed(seed).augment(Augment::none().zoom(1.2)).prepare()
}

/// Copies chips into these folders: validation chips are those of `test_a` and `test_b` where the folder has them, and
/// otherwise a share of all. Of pairs, both images are in one or the other.
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
        return Err(
            format!("two chips are named {}; give each chip of a domain a name of its own", copy.display()).into()
        );
    }
    fs::copy(file, copy)?;
    Ok(())
}
