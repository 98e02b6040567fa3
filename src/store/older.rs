//! Files that belong together: each older one is kept aside until all have taken their places.

use std::fs;
use std::path::{Path, PathBuf};

use super::abandoned::{PREFIX, SUFFIX, folder_of, prefix_of, remove_abandoned_of};
use super::pending::{Ready, sync_folder};
use crate::error::{Error, Result};

/// How a file ends that was kept aside.
const ASIDE: &str = ".older";

/// Where the older file of that name is kept. `generation` says with what it belongs.
pub(crate) fn aside(target: &Path, generation: u32) -> PathBuf {
    folder_of(target).join(format!("{}{generation:08x}{ASIDE}", prefix_of(target)))
}

/// Publishes all files, in this order, or none. While that goes on the older ones are kept [`aside`]; a kill leaves
/// them there.
pub(crate) fn publish_all(files: impl IntoIterator<Item = Ready>, generation: u32) -> Result<()> {
    let mut replaced = Vec::new();
    for file in files {
        match publish_keeping_older(file, generation) {
            Ok(older) => replaced.push(older),
            Err(error) => {
                // Each gets its chance, whatever becomes of the others.
                let undone: Vec<Result<()>> = replaced.into_iter().rev().map(Older::put_back).collect();
                return undone.into_iter().collect::<Result<()>>().and(Err(error));
            }
        }
    }
    // What is not removed now is removed by the next.
    replaced.into_iter().for_each(Older::discard);
    Ok(())
}

/// Removes what killed processes left of this file: half of it, or an older one. Nobody else may be replacing it.
pub(crate) fn clear(target: &Path) {
    remove_abandoned_of([target]);
    let own = prefix_of(target);
    // As releases up to 0.1 called it.
    let former = target.file_name().map(|name| format!("{PREFIX}{}{ASIDE}", name.to_string_lossy()));
    for entry in fs::read_dir(folder_of(target)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_own = |name: &str| (name.starts_with(&own) && name.ends_with(ASIDE)) || former.as_deref() == Some(name);
        if name.to_str().is_some_and(is_own) {
            // It does no harm where it cannot be removed.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What a published file replaced.
struct Older {
    target: PathBuf,
    aside: Option<PathBuf>,
}

fn publish_keeping_older(file: Ready, generation: u32) -> Result<Older> {
    let target = file.target.clone();
    let aside = fs::symlink_metadata(&target).is_ok().then(|| aside(&target, generation));
    if let Some(aside) = &aside {
        keep(&target, aside).map_err(|e| Error::io("older file cannot be kept", &target, e))?;
        sync_folder(&target);
        #[cfg(test)]
        crate::testing::kill_point();
    }
    let older = Older { target, aside };
    match file.publish() {
        Ok(()) => Ok(older),
        Err(error) => {
            older.discard();
            Err(error)
        }
    }
}

/// A second name for the file, so that its place is never empty; a copy where that cannot be.
fn keep(target: &Path, aside: &Path) -> std::io::Result<()> {
    match fs::remove_file(aside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::hard_link(target, aside).or_else(|_| copy(target, aside))
}

/// The copy has its name only when it is whole.
fn copy(target: &Path, aside: &Path) -> std::io::Result<()> {
    let half = aside.with_extension(SUFFIX.trim_start_matches('.'));
    let copied = fs::copy(target, &half).and_then(|_| fs::File::open(&half)?.sync_all());
    copied.and_then(|()| fs::rename(&half, aside)).inspect_err(|_| drop(fs::remove_file(&half)))
}

impl Older {
    /// Undoes the publishing.
    fn put_back(self) -> Result<()> {
        let undone = match &self.aside {
            Some(aside) => fs::rename(aside, &self.target),
            None => fs::remove_file(&self.target),
        };
        undone.map_err(|e| Error::io("older file cannot be put back", &self.target, e))
    }

    /// Lets the older file go.
    fn discard(self) {
        if let Some(aside) = self.aside {
            #[cfg(test)]
            crate::testing::kill_point();
            let _ = fs::remove_file(aside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ready;

    fn publish(path: &Path, bytes: &[u8]) -> Older {
        publish_keeping_older(ready(path, bytes).unwrap(), 7).unwrap()
    }

    #[test]
    fn what_was_replaced_can_be_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        publish(&path, b"first").put_back().unwrap();
        assert!(!path.exists());
        publish(&path, b"first").discard();
        publish(&path, b"second").put_back().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        publish(&path, b"second").discard();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn all_take_their_places_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = ["a", "b"].map(|name| dir.path().join(name));
        let both = |text: &[u8]| [&first, &second].map(|path| ready(path, text).unwrap());
        publish_all(both(b"old"), 0).unwrap();
        fs::remove_file(&second).unwrap();
        // No file can take the place of a folder.
        fs::create_dir(&second).unwrap();
        publish_all(both(b"new"), 0).unwrap_err();
        assert_eq!(fs::read(&first).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn leftovers_of_a_file_go_and_those_of_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let [path, other] = ["f", "g"].map(|name| dir.path().join(name));
        for path in [&path, &other] {
            fs::write(path, b"old").unwrap();
            std::mem::forget(publish(path, b"new"));
            fs::write(dir.path().join(format!(".geolearn-{}.older", path.file_name().unwrap().display())), b"")
                .unwrap();
        }
        clear(&path);
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        let mut expected = [path, other.clone(), aside(&other, 7), dir.path().join(".geolearn-g.older")];
        expected.sort();
        assert_eq!(names, expected);
    }
}
