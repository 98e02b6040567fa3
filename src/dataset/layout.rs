//! Recognises the forms in which a folder can hold the chips of both domains.

use std::fs;
use std::path::{Path, PathBuf};

use super::domain::{Domain, PerDomain};
use super::files::{Listing, is_hidden};
use crate::error::{Error, ErrorKind, Result};

/// Said in messages; the names go in any letter case.
const FORMS: &str = "one of `A/images` and `B/images`, `A` and `B`, `train_a` and `train_b`, `trainA` and `trainB`, \
                     or `Images/train_a` and `Images/train_b`";
/// So many entries of a folder are named in a message.
const NAMED_AT_MOST: usize = 20;

/// The chips of a folder by their use, each list sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Where the training chips lie.
    pub folders: PerDomain<PathBuf>,
    pub train: PerDomain<Vec<PathBuf>>,
    /// From `valid_a` and `valid_b` (or `val_a`), else from `test_a` and `test_b`; empty when there are none.
    pub valid: PerDomain<Vec<PathBuf>>,
    /// From `test_a` and `test_b` when these are not used for validation.
    pub test: PerDomain<Vec<PathBuf>>,
}

impl Layout {
    /// Looks at `root` and lists the chips.
    pub fn find(root: &Path) -> Result<Self> {
        let (parent, folders) = training_folders(root)?;
        let train = PerDomain::try_from_fn(|domain| chips(root, folders.get(domain)))?;
        let valid = validation_chips(root, &parent)?;
        let test = PerDomain::try_from_fn(|domain| {
            Ok::<_, Error>(
                named(&parent, &["test"], domain)?.map(|folder| Listing::of(&folder).images).unwrap_or_default(),
            )
        })?;
        let both_test = !test.a.is_empty() && !test.b.is_empty();
        Ok(match valid {
            Some(valid) => Self { folders, train, valid, test },
            None if both_test => Self { folders, train, valid: test, test: PerDomain::default() },
            None => Self { folders, train, valid: PerDomain::default(), test },
        })
    }
}

/// The training folders, and the folder that they lie in.
fn training_folders(root: &Path) -> Result<(PathBuf, PerDomain<PathBuf>)> {
    let older = only(root, &["images".into()])?;
    let mut found = vec![(root.to_path_buf(), pair(root, &[""])?), (root.to_path_buf(), pair(root, &["train"])?)];
    if let Some(images) = older {
        found.push((images.clone(), pair(&images, &["train"])?));
    }
    let mut complete = found.into_iter().filter_map(|(parent, pair)| Some((parent, pair?)));
    match (complete.next(), complete.next()) {
        (Some((parent, pair)), None) => Ok((parent, PerDomain { a: esri_images(pair.a)?, b: esri_images(pair.b)? })),
        (Some((_, one)), Some((_, other))) => Err(ambiguous(root, &[one.a, other.a])),
        (None, _) => {
            Err(Error::new(ErrorKind::Layout, "the folder holds no chips of two domains that can be recognised")
                .at(root)
                .expected(FORMS)
                .found(describe(root))
                .help("Rename the folders, or give the folder above or below."))
        }
    }
}

/// Export Training Data puts the chips into `images`, beside its own files.
fn esri_images(folder: PathBuf) -> Result<PathBuf> {
    Ok(only(&folder, &["images".into()])?.unwrap_or(folder))
}

fn validation_chips(root: &Path, parent: &Path) -> Result<Option<PerDomain<Vec<PathBuf>>>> {
    let folders = PerDomain::try_from_fn(|domain| named(parent, &["valid", "val"], domain))?;
    match (folders.a, folders.b) {
        (None, None) => Ok(None),
        (Some(a), Some(b)) => Ok(Some(PerDomain { a: chips(root, &a)?, b: chips(root, &b)? })),
        (Some(one), None) | (None, Some(one)) => {
            Err(Error::new(ErrorKind::Layout, "only one domain has a validation folder")
                .at(one)
                .expected("`valid_a` and `valid_b`")
                .help("Add the other, or rename this one to have the training chips split."))
        }
    }
}

/// Both folders of a form, when both are there.
fn pair(parent: &Path, stems: &[&str]) -> Result<Option<PerDomain<PathBuf>>> {
    let PerDomain { a, b } = PerDomain::try_from_fn(|domain| named(parent, stems, domain))?;
    Ok(a.zip(b).map(|(a, b)| PerDomain { a, b }))
}

/// `train_a` or `trainA` for the stem `train`, `A` for the empty stem.
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

/// The one sub-folder of `parent` that has one of these lower-case names in any letter case.
fn only(parent: &Path, names: &[String]) -> Result<Option<PathBuf>> {
    let matches = |path: &PathBuf| file_name(path).is_some_and(|name| names.contains(&name.to_lowercase()));
    let mut found: Vec<PathBuf> = entries(parent)?.into_iter().filter(|path| matches(path) && path.is_dir()).collect();
    if found.len() > 1 {
        return Err(ambiguous(parent, &found));
    }
    Ok(found.pop())
}

fn ambiguous(folder: &Path, found: &[PathBuf]) -> Error {
    let names: Vec<String> =
        found.iter().map(|path| format!("`{}`", path.strip_prefix(folder).unwrap_or(path).display())).collect();
    Error::new(ErrorKind::Layout, "more than one set of chips could be meant")
        .at(folder)
        .expected("folders of one form only")
        .found(names.join(" and "))
        .help("Move the set that is not wanted elsewhere.")
}

/// What to do with chips of formats that a build without GDAL does not read.
const FOR_GDAL: &str = "JPEG 2000, MRF and VRT are read with the feature `gdal`. Build geolearn with it, export as TIFF, or \
                        convert each: gdal_translate -of GTiff in.mrf out.tif.";

/// The images of a folder; none is an error.
fn chips(root: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let listing = Listing::of(folder);
    if listing.images.is_empty() {
        let error = Error::new(ErrorKind::Layout, "the folder has no chips")
            .at(folder)
            .expected("images (TIFF, PNG, JPEG or BMP), also in sub-folders")
            .found(format!("{}; {} holds {}", listing.describe(), root.display(), describe(root)));
        return Err(match listing.has_images_for_gdal() {
            true => error.help(FOR_GDAL),
            false => error,
        });
    }
    Ok(listing.images)
}

/// What a folder has in it, for a message.
fn describe(folder: &Path) -> String {
    let entries = entries(folder).unwrap_or_default();
    let (folders, files): (Vec<_>, Vec<_>) = entries.iter().partition(|path| path.is_dir());
    let mut parts: Vec<String> = folders
        .iter()
        .take(NAMED_AT_MOST)
        .map(|path| format!("`{}/` ({})", file_name(path).unwrap_or_default(), Listing::glance(path).describe()))
        .collect();
    if folders.len() > NAMED_AT_MOST {
        parts.push(format!("{} more folders", folders.len() - NAMED_AT_MOST));
    }
    match files.len() {
        0 if parts.is_empty() => return "nothing".into(),
        0 => {}
        1 => parts.push("1 file".into()),
        n => parts.push(format!("{n} files")),
    }
    parts.join(", ")
}

/// What lies in a folder, sorted, without hidden names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed =
        |e| Error::io("folder cannot be read", folder, e).help("Give the folder that holds the chips of both domains.");
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !is_hidden(&entry.file_name()) {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}
