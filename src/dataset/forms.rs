//! The forms in which a folder can hold the chips of both domains.

use std::path::{Path, PathBuf};

use super::dataset_type::DatasetType;
use super::domain::{Domain, PerDomain};
use super::folders::{ambiguous, describe, only};
use super::half::Half;
use crate::error::{Error, ErrorKind, Result};

/// Said in messages; the names go in any letter case.
const FORMS: &str = "one of `A/images` and `B/images`, `A` and `B`, `train_a` and `train_b`, `trainA` and `trainB`, \
                     or `Images/train_a` and `Images/train_b`";
/// Said besides, where pairs are looked for.
const FORMS_OF_PAIRS: &str =
    "`images` and `images2`, `images` and `labels`, or `train` with files that hold both chips side by side";

/// The form that a folder has.
#[derive(Debug)]
pub(super) struct Form {
    /// The folder in which the others lie.
    parent: PathBuf,
    /// Where the training chips lie; one folder for both domains where a file holds both.
    pub folders: PerDomain<PathBuf>,
    /// Which half of each file is a domain's, where a file holds both.
    pub halves: PerDomain<Option<Half>>,
}

impl Form {
    /// Recognizes the form of `root`; of files that hold two chips, the left one is of the domain `left_half`.
    ///
    /// # Errors
    /// [`ErrorKind::Layout`] for a folder of none or of several forms.
    pub fn of(root: &Path, dataset_type: DatasetType, left_half: Domain) -> Result<Self> {
        let mut found = candidates(root)?;
        if dataset_type.is_paired() {
            found.extend(candidates_of_pairs(root, left_half)?);
        }
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(form), None) => Ok(form),
            (Some(one), Some(other)) => Err(several(root, &one, &other)),
            (None, _) => Err(none(root, dataset_type)),
        }
    }

    /// Finds the folder of a domain that is called `valid_a` or `validA` for the stem `valid`, beside those that train;
    /// it is called `valid` where a file holds both chips.
    pub fn beside(&self, stems: &[&str], domain: Domain) -> Result<Option<PathBuf>> {
        match self.halves.get(domain) {
            Some(_) => only(&self.parent, &stems.iter().map(ToString::to_string).collect::<Vec<_>>()),
            None => named(&self.parent, stems, domain),
        }
    }

    fn folders(parent: &Path, folders: PerDomain<PathBuf>) -> Self {
        Self { parent: parent.to_path_buf(), folders, halves: PerDomain::default() }
    }
}

/// Forms for any two domains.
fn candidates(root: &Path) -> Result<Vec<Form>> {
    let mut found = Vec::new();
    let older = only(root, &["images".into()])?;
    let places = [(Some(root), ""), (Some(root), "train"), (older.as_deref(), "train")];
    for (parent, stem) in places.into_iter().filter_map(|(parent, stem)| Some((parent?, stem))) {
        if let Some(PerDomain { a, b }) = pair(parent, stem)? {
            found.push(Form::folders(parent, PerDomain { a: esri_images(a)?, b: esri_images(b)? }));
        }
    }
    Ok(found)
}

/// Forms that hold pairs: those of Esri's format Export Tiles, and files of the research code.
fn candidates_of_pairs(root: &Path, left_half: Domain) -> Result<Vec<Form>> {
    let mut found = Vec::new();
    if let Some(images) = only(root, &["images".into()])? {
        for partner in ["images2", "labels"] {
            if let Some(partner) = only(root, &[partner.into()])? {
                found.push(Form::folders(root, PerDomain { a: images.clone(), b: partner }));
            }
        }
    }
    if let Some(train) = only(root, &["train".into()])? {
        let half = |domain| if domain == left_half { Half::Left } else { Half::Right };
        let form = Form::folders(root, PerDomain { a: train.clone(), b: train });
        found.push(Form { halves: PerDomain::from_fn(|domain| Some(half(domain))), ..form });
    }
    Ok(found)
}

/// Finds both folders of a form, when both are there.
fn pair(parent: &Path, stem: &str) -> Result<Option<PerDomain<PathBuf>>> {
    let PerDomain { a, b } = PerDomain::try_from_fn(|domain| named(parent, &[stem], domain))?;
    Ok(a.zip(b).map(|(a, b)| PerDomain { a, b }))
}

/// Finds `train_a` or `trainA` for the stem `train`, `A` for the empty stem.
fn named(parent: &Path, stems: &[&str], domain: Domain) -> Result<Option<PathBuf>> {
    let letter = domain.to_string().to_ascii_lowercase();
    let names: Vec<String> = stems
        .iter()
        .flat_map(|stem| {
            if stem.is_empty() {
                vec![letter.clone()]
            } else {
                vec![format!("{stem}_{letter}"), format!("{stem}{letter}")]
            }
        })
        .collect();
    only(parent, &names)
}

/// Finds `images`, into which Export Training Data puts the chips, beside its own files.
fn esri_images(folder: PathBuf) -> Result<PathBuf> {
    Ok(only(&folder, &["images".into()])?.unwrap_or(folder))
}

fn several(root: &Path, one: &Form, other: &Form) -> Error {
    let (one, other) = (&one.folders, &other.folders);
    match one.a == other.a {
        true => ambiguous(root, &[one.b.clone(), other.b.clone()]),
        false => ambiguous(root, &[one.a.clone(), other.a.clone()]),
    }
}

fn none(root: &Path, dataset_type: DatasetType) -> Error {
    let forms = match dataset_type.is_paired() {
        true => format!("{FORMS}; {FORMS_OF_PAIRS}"),
        false => FORMS.to_string(),
    };
    Error::new(ErrorKind::Layout, "the folder holds no chips of two domains that can be recognized")
        .at(root)
        .expected(forms)
        .found(describe(root))
        .help("Rename the folders, or give the folder above or below.")
}
