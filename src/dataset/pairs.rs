//! Matches chips with the chips of the same name in the other domain.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::domain::PerDomain;
use crate::error::{Error, ErrorKind, Result};

/// Number of chips named in an error message.
const NAMED_AT_MOST: usize = 5;

/// A chip without a partner, and the folder that lacks a chip of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnpairedChip {
    pub file: PathBuf,
    pub searched: PathBuf,
}

impl UnpairedChip {
    /// Returns why the chip cannot be used.
    pub fn reason(&self) -> String {
        format!("has no partner in {}", self.searched.display())
    }
}

/// Keeps the chips that have a partner, so that chip i of A and chip i of B form a pair in the order of A, and returns
/// the others. Partners have the same path within their folders except for the extension.
///
/// # Errors
/// [`ErrorKind::Layout`] if two chips of a domain have the same name.
pub(super) fn match_up(folders: &PerDomain<PathBuf>, files: &mut PerDomain<Vec<PathBuf>>) -> Result<Vec<UnpairedChip>> {
    let PerDomain { a, b } = std::mem::take(files);
    // Called only for its check: the chips of A keep the order in which they were listed.
    by_name(&folders.a, &a)?;
    let mut partners = by_name(&folders.b, &b)?;
    let mut unpaired = Vec::new();
    for file in a {
        match partners.remove(&name(&folders.a, &file)) {
            Some(partner) => {
                files.a.push(file);
                files.b.push(partner.clone());
            }
            None => unpaired.push(UnpairedChip { file, searched: folders.b.clone() }),
        }
    }
    unpaired
        .extend(partners.into_values().map(|file| UnpairedChip { file: file.clone(), searched: folders.a.clone() }));
    Ok(unpaired)
}

/// Returns the name of a chip within its folder, without the extension.
fn name(folder: &Path, file: &Path) -> PathBuf {
    file.strip_prefix(folder).unwrap_or(file).with_extension("")
}

fn by_name<'a>(folder: &Path, files: &'a [PathBuf]) -> Result<BTreeMap<PathBuf, &'a PathBuf>> {
    let mut named = BTreeMap::new();
    for file in files {
        if let Some(other) = named.insert(name(folder, file), file) {
            return Err(Error::new(ErrorKind::Layout, "two chips of a domain have the same name but for the ending")
                .at(file)
                .expected("one chip for each pair")
                .found(other.display())
                .help("Remove or rename one of them."));
        }
    }
    Ok(named)
}

/// Returns an error for chips without a partner, unless they may be left out.
///
/// # Errors
/// [`ErrorKind::Layout`] with their number and the first few of them.
pub(super) fn check(root: &Path, unpaired: &[UnpairedChip], may_be_left_out: bool) -> Result<()> {
    if unpaired.is_empty() || may_be_left_out {
        return Ok(());
    }
    let mut lines: Vec<String> =
        unpaired.iter().take(NAMED_AT_MOST).map(|one| format!("{} {}", one.file.display(), one.reason())).collect();
    if unpaired.len() > NAMED_AT_MOST {
        lines.push(format!("and {} more", unpaired.len() - NAMED_AT_MOST));
    }
    Err(Error::new(ErrorKind::Layout, format!("{} chips have no partner", unpaired.len()))
        .at(root)
        .expected("for each chip one of the same name in the other domain; the ending may differ")
        .found(lines.join("; "))
        .help("Add or rename them, or leave them out with PrepareData::bad_chips(BadChips::Skip)."))
}

/// Removes pairs with a bad chip from `files`, and returns the partners removed along with the bad chips, each with the
/// chip that is at fault.
pub(super) fn leave_out(files: &mut PerDomain<Vec<PathBuf>>, bad: &BTreeSet<&Path>) -> Vec<(PathBuf, PathBuf)> {
    let PerDomain { a, b } = std::mem::take(files);
    let mut partners = Vec::new();
    for (a, b) in a.into_iter().zip(b) {
        match (bad.contains(a.as_path()), bad.contains(b.as_path())) {
            (false, false) => {
                files.a.push(a);
                files.b.push(b);
            }
            (true, false) if a != b => partners.push((b, a)),
            (false, true) if a != b => partners.push((a, b)),
            _ => {}
        }
    }
    partners
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    fn folders() -> PerDomain<PathBuf> {
        PerDomain { a: "a".into(), b: "b".into() }
    }

    #[test]
    fn partners_have_one_name_within_their_folders() {
        let mut files = PerDomain {
            a: paths(&["a/n/1.png", "a/s/1.tif", "a/x.2.png", "a/y.png"]),
            b: paths(&["b/s/1.png", "b/n/1.jpg", "b/x.2.tif", "b/x.3.tif"]),
        };
        let unpaired = match_up(&folders(), &mut files).unwrap();
        assert_eq!(files.a, paths(&["a/n/1.png", "a/s/1.tif", "a/x.2.png"]));
        assert_eq!(files.b, paths(&["b/n/1.jpg", "b/s/1.png", "b/x.2.tif"]));
        let names: Vec<_> = unpaired.iter().map(|one| one.file.to_str().unwrap()).collect();
        assert_eq!(names, ["a/y.png", "b/x.3.tif"]);
        assert_eq!(unpaired[1].reason(), "has no partner in a");
    }

    #[test]
    fn two_chips_of_one_name_are_refused_in_either_domain() {
        let (one, two) = (paths(&["1.png"]), paths(&["1.png", "1.tif"]));
        for (a, b) in [(one.clone(), two.clone()), (two, one)] {
            let error = match_up(&folders(), &mut PerDomain { a, b }).unwrap_err();
            assert_eq!((error.path(), error.finding()), (Some(Path::new("1.tif")), Some("1.png")));
        }
    }

    #[test]
    fn a_bad_chip_takes_its_partner_with_it() {
        let mut files = PerDomain { a: paths(&["a1", "a2", "a3", "a4"]), b: paths(&["b1", "b2", "b3", "b4"]) };
        let bad = ["a2", "b3", "a4", "b4"].map(Path::new).into();
        let partners = leave_out(&mut files, &bad);
        assert_eq!((files.a, files.b), (paths(&["a1"]), paths(&["b1"])));
        assert_eq!(partners, [("b2".into(), "a2".into()), ("a3".into(), "b3".into())]);
    }
}
