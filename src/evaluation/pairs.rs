//! Images of the same places in both domains.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use super::images::Real;
use crate::dataset::{DataBunch, Domain, PerDomain, Split, images_in};
use crate::error::{Error, ErrorKind, Result};

/// Images of domain A and of domain B that show the same place.
pub(super) type Pairs = Vec<PerDomain<Real>>;

/// Finds the pairs that the caller named, or else partners among the test chips or chips of the same name, or else
/// among the validation chips.
pub(super) fn find(data: &DataBunch, named: Option<&(PathBuf, PathBuf)>) -> Result<Pairs> {
    if let Some((a, b)) = named {
        let pairs = of_files(&images_in(a)?, &images_in(b)?);
        if pairs.is_empty() {
            return Err(Error::new(ErrorKind::Layout, "no image has a partner of the same name")
                .at(a)
                .expected(format!("files with the same names as in {}, except for the extension", b.display()))
                .found(format!("{} and {} images", images_in(a)?.len(), images_in(b)?.len())));
        }
        return Ok(pairs);
    }
    if data.has_scenes() {
        let windows = if data.dataset_type().is_paired() { data.valid_len(Domain::A) } else { 0 };
        return Ok((0..windows).map(|index| PerDomain { a: Real::Window(index), b: Real::Window(index) }).collect());
    }
    let of = |split| match data.dataset_type().is_paired() {
        true => data
            .pairs(split)
            .map(|(a, b)| PerDomain { a: Real::File(a.to_path_buf()), b: Real::File(b.to_path_buf()) })
            .collect(),
        false => of_files(data.files(Domain::A, split), data.files(Domain::B, split)),
    };
    let tested = of(Split::Test);
    Ok(if tested.is_empty() { of(Split::Valid) } else { tested })
}

/// Finds pairs of files whose names without the extension are the same and unique within a folder and its subfolders.
fn of_files(a: &[PathBuf], b: &[PathBuf]) -> Pairs {
    let (a, b) = (by_stem(a), by_stem(b));
    let mut pairs: Vec<(&PathBuf, &PathBuf)> =
        a.iter().filter_map(|(stem, a)| Some(((*a)?, *b.get(stem)?.as_ref()?))).collect();
    pairs.sort_unstable();
    pairs.into_iter().map(|(a, b)| PerDomain { a: Real::File(a.clone()), b: Real::File(b.clone()) }).collect()
}

fn by_stem(files: &[PathBuf]) -> HashMap<&OsStr, Option<&PathBuf>> {
    let mut found = HashMap::new();
    for file in files {
        let stem = file.file_stem().unwrap_or_default();
        found.entry(stem).and_modify(|only| *only = None).or_insert(Some(file));
    }
    found
}

/// Returns the error for a pair of images of different sizes.
pub(super) fn misfit(source: &Real, truth: &Real, made: (usize, usize), expected: (usize, usize)) -> Error {
    let error = Error::new(ErrorKind::Usage, format!("a pair cannot be compared: {source} has another size"));
    let error = match truth {
        Real::File(file) => error.at(file),
        Real::Window(_) => error,
    };
    error.expected(format!("{} x {} pixels", made.1, made.0)).found(format!("{} x {}", expected.1, expected.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_have_the_same_name_except_for_the_extension() {
        let files = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let a = files(&["a/x.png", "a/y.png", "a/z.png", "a/1/w.png", "a/2/w.png"]);
        let b = files(&["b/z.tif", "b/x.tif", "b/w.tif", "b/v.tif"]);
        let pairs = of_files(&a, &b);
        let names: Vec<_> = pairs.iter().map(|pair| (pair.a.to_string(), pair.b.to_string())).collect();
        assert_eq!(names, [("a/x.png", "b/x.tif"), ("a/z.png", "b/z.tif")].map(|(a, b)| (a.into(), b.into())));
    }
}
