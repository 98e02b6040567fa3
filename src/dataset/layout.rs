//! Lists the chips of both domains in a folder by split.

use std::path::{Path, PathBuf};

use super::bad_chips::BadChips;
use super::domain::{Domain, PerDomain};
use super::files::Listing;
use super::folders::describe;
use super::forms::Form;
use super::half::Half;
use super::options::PrepareData;
use super::pairs::{self, UnpairedChip};
use crate::error::{Error, ErrorKind, Result};

/// The chips of a folder by split. Each list is sorted; for pairs, chips of B are in the order of A.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The folders of the training chips.
    pub folders: PerDomain<PathBuf>,
    /// Which half of each file belongs to a domain, if each file contains a pair.
    pub halves: PerDomain<Option<Half>>,
    pub train: PerDomain<Vec<PathBuf>>,
    /// From `valid_a` and `valid_b` (or `val_a`), else from `test_a` and `test_b`; empty if there are none.
    pub valid: PerDomain<Vec<PathBuf>>,
    /// From `test_a` and `test_b` if these are not used for validation.
    pub test: PerDomain<Vec<PathBuf>>,
    /// For paired data, the chips that have no partner.
    pub unpaired: Vec<UnpairedChip>,
}

impl Layout {
    /// Examines the folder of `options` and lists the chips.
    ///
    /// # Errors
    /// [`ErrorKind::Layout`] if the folder has no chips in a known layout, or if pairs are required, some chips have no
    /// partner, and [`BadChips::Fail`] is set.
    pub fn find(options: &PrepareData) -> Result<Self> {
        let root = options.path.as_path();
        let form = Form::of(root, options.dataset_type, options.left_half)?;
        let train = PerDomain::try_from_fn(|domain| chips(root, form.folders.get(domain)))?;
        let (valid_folders, valid) = validation_chips(root, &form)?.unzip();
        let (test_folders, test) = test_chips(&form)?;
        let mut found = Self { folders: form.folders, halves: form.halves, train, test, ..Self::default() };
        found.valid = valid.unwrap_or_default();
        if options.dataset_type.is_paired() {
            found.match_up([valid_folders.unwrap_or_default(), test_folders])?;
            pairs::check(root, &found.unpaired, options.bad_chips == BadChips::Skip)?;
        }
        if found.valid.a.is_empty() && found.has_test_chips() {
            found.valid = std::mem::take(&mut found.test);
        }
        Ok(found)
    }

    /// Takes the training, validation and test chips of a domain.
    pub fn take(&mut self, domain: Domain) -> [Vec<PathBuf>; 3] {
        [&mut self.train, &mut self.valid, &mut self.test].map(|part| std::mem::take(part.get_mut(domain)))
    }

    fn has_test_chips(&self) -> bool {
        !self.test.a.is_empty() && !self.test.b.is_empty()
    }

    /// Puts the chips of B in the order of their partners, and sets unpaired chips aside. Test chips of a single domain
    /// stay.
    fn match_up(&mut self, [valid, test]: [PerDomain<PathBuf>; 2]) -> Result<()> {
        if self.halves.a.is_some() {
            return Ok(());
        }
        self.unpaired.extend(pairs::match_up(&self.folders, &mut self.train)?);
        self.unpaired.extend(pairs::match_up(&valid, &mut self.valid)?);
        if self.has_test_chips() {
            self.unpaired.extend(pairs::match_up(&test, &mut self.test)?);
        }
        Ok(())
    }
}

/// Folders and the chips in them.
type Listed = (PerDomain<PathBuf>, PerDomain<Vec<PathBuf>>);

fn validation_chips(root: &Path, form: &Form) -> Result<Option<Listed>> {
    let folders = PerDomain::try_from_fn(|domain| form.beside(&["valid", "val"], domain))?;
    match (folders.a, folders.b) {
        (None, None) => Ok(None),
        (Some(a), Some(b)) => {
            let files = PerDomain { a: chips(root, &a)?, b: chips(root, &b)? };
            Ok(Some((PerDomain { a, b }, files)))
        }
        (Some(one), None) | (None, Some(one)) => {
            Err(Error::new(ErrorKind::Layout, "only one domain has a validation folder")
                .at(one)
                .expected("`valid_a` and `valid_b`")
                .help("Add the other, or rename this one to have the training chips split."))
        }
    }
}

/// Lists test chips; a domain may have none.
fn test_chips(form: &Form) -> Result<Listed> {
    let found = PerDomain::try_from_fn(|domain: Domain| form.beside(&["test"], domain))?;
    let folders = PerDomain { a: found.a.unwrap_or_default(), b: found.b.unwrap_or_default() };
    let listed = |folder: &PathBuf| match folder.as_os_str().is_empty() {
        true => Vec::new(),
        false => Listing::of(folder).images,
    };
    let files = PerDomain { a: listed(&folders.a), b: listed(&folders.b) };
    Ok((folders, files))
}

/// Help for chips in formats that need GDAL.
const FOR_GDAL: &str = "JPEG 2000, MRF and VRT are read with the feature `gdal`. Build geolearn with it, export as TIFF, or \
                        convert each: gdal_translate -of GTiff in.mrf out.tif.";

/// Lists the images of a folder; it is an error if there are none.
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
