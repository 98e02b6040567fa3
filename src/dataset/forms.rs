//! Folder layouts for the chips of both domains.

use std::path::{Path, PathBuf};

use super::dataset_type::DatasetType;
use super::domain::{Domain, PerDomain};
use super::folders::{ambiguous, describe, only};
use super::half::Half;
use crate::error::{Error, ErrorKind, Result};

/// Used in error messages; names may be in any letter case.
const FORMS: &str = "one of `A/images` and `B/images`, `A` and `B`, `train_a` and `train_b`, `trainA` and `trainB`, \
                     or `Images/train_a` and `Images/train_b`";
/// Added to error messages about pairs.
const FORMS_OF_PAIRS: &str =
    "`images` and `images2`, `images` and `labels`, or `train` with files that hold both chips side by side";

/// The layout of a folder.
#[derive(Debug)]
pub(super) struct Form {
    /// The folder that contains the others.
    parent: PathBuf,
    /// The folders of training chips; the same folder for both domains if each file contains a pair.
    pub folders: PerDomain<PathBuf>,
    /// Which half of each file belongs to a domain, if each file contains a pair.
    pub halves: PerDomain<Option<Half>>,
}

impl Form {
    /// Recognizes the layout of `root`. In files that contain two chips, the left one belongs to domain `left_half`.
    ///
    /// # Errors
    /// [`ErrorKind::Layout`] if the folder has no known layout, or more than one.
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

    /// Finds the validation or test folder of a domain next to the training folders, called `valid_a` or `validA` for
    /// the stem `valid`, or just `valid` if each file contains a pair.
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

/// Returns the layouts that work for any two domains.
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

/// Returns the layouts for pairs: those of Esri's Export Tiles format, and the combined files of the research code.
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

/// Finds both folders of a layout, if both exist.
fn pair(parent: &Path, stem: &str) -> Result<Option<PerDomain<PathBuf>>> {
    let PerDomain { a, b } = PerDomain::try_from_fn(|domain| named(parent, &[stem], domain))?;
    Ok(a.zip(b).map(|(a, b)| PerDomain { a, b }))
}

/// Finds `train_a` or `trainA` for the stem `train`, or `A` for the empty stem.
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

/// Finds `images`, where Export Training Data puts the chips, next to its own files.
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
