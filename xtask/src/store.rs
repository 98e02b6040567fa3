//! The folder that all checkouts of a user share: a folder per downloaded libtorch, and files.
//!
//! Downloads are assembled in a folder next to their destination and renamed into place, under a lock. So whatever is
//! in place is complete, and a work folder found under the lock belongs to a dead run.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::process;

use crate::cache::cache_folder;
use crate::libtorch::{Kind, Libtorch};
use crate::python::Python;
use crate::release::Release;
use crate::trouble::{Result, Trouble};
use crate::wheels;

const WORK: &str = "fetching-";

pub struct Store {
    dir: PathBuf,
}

/// Where a file is, and whether it was there before.
#[derive(Debug, PartialEq)]
pub enum Placed {
    Before(PathBuf),
    Now(PathBuf),
}

impl Store {
    pub fn of_user() -> Result<Self> {
        let dir = cache_folder().ok_or_else(|| {
            Trouble::new("no folder for downloads: neither HOME nor XDG_CACHE_HOME is set").advice("set HOME")
        })?;
        Ok(Self { dir })
    }

    /// Returns where the set is or will be; the wheels put `torch` and its dependencies inside.
    pub fn place(&self, release: &Release, kind: Kind) -> PathBuf {
        let kind = kind.to_string().to_lowercase();
        self.dir.join(format!("libtorch-{}-{kind}", release.libtorch))
    }

    pub fn find(&self, release: &Release, kind: Kind) -> Option<Libtorch> {
        let found = Libtorch::of_release(&self.place(release, kind).join("torch"), release);
        found.ok().filter(|libtorch| libtorch.kind == kind)
    }

    /// Downloads a set, unless another run did so while this one waited.
    pub fn fetch(&self, release: &Release, kind: Kind, python: &Python) -> Result<Libtorch> {
        fs::create_dir_all(&self.dir).map_err(Trouble::file("cannot create", &self.dir))?;
        let lock = self.lock()?;
        if let Some(found) = self.find(release, kind) {
            return Ok(found);
        }
        self.remove_dead_work();
        let work = Work::begin(&self.dir)?;
        let place = self.place(release, kind);
        eprintln!("xtask: downloading libtorch {} ({}) into {}", release.libtorch, wheels::size(kind), place.display());
        let set = wheels::install(release, kind, python, &work.0, &lock)?;
        if place.exists() {
            // It is unusable, or it would have been found.
            fs::rename(&place, work.0.join("old")).map_err(Trouble::file("cannot replace", &place))?;
        }
        fs::rename(&set, &place).map_err(Trouble::file("cannot move libtorch to", &place))?;
        Libtorch::of_release(&place.join("torch"), release)
    }

    /// Puts a file in place unless it exists, or another run puts it there first. `make` gets a work folder and the
    /// lock, and returns the file in that folder.
    pub fn place_file(
        &self,
        name: &str,
        is_whole: impl Fn(&Path) -> Result<bool>,
        make: impl FnOnce(&Path, &File) -> Result<PathBuf>,
    ) -> Result<Placed> {
        fs::create_dir_all(&self.dir).map_err(Trouble::file("cannot create", &self.dir))?;
        let lock = self.lock()?;
        let place = self.dir.join(name);
        if is_whole(&place)? {
            return Ok(Placed::Before(place));
        }
        self.remove_dead_work();
        let work = Work::begin(&self.dir)?;
        let made = make(&work.0, &lock)?;
        fs::rename(&made, &place).map_err(Trouble::file("cannot move the file to", &place))?;
        Ok(Placed::Now(place))
    }

    /// Takes the lock. The system releases it when the last process that holds it exits, however it exits.
    fn lock(&self) -> Result<File> {
        let path = self.dir.join("lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(Trouble::file("cannot open", &path))?;
        let locked = match file.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => {
                eprintln!("xtask: waiting for another run that downloads into {}", self.dir.display());
                file.lock()
            }
            Err(TryLockError::Error(e)) => Err(e),
        };
        locked.map_err(Trouble::file("cannot lock", &path)).map_err(|trouble| {
            trouble.advice(
                "some network file systems do not support locks: set XDG_CACHE_HOME to a folder on a local disk",
            )
        })?;
        Ok(file)
    }

    /// Removes leftover work folders. Call it only under the lock.
    fn remove_dead_work(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(WORK) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// A work folder, removed with its contents when dropped.
struct Work(PathBuf);

impl Work {
    fn begin(store: &Path) -> Result<Self> {
        let path = store.join(format!("{WORK}{}", process::id()));
        fs::create_dir_all(&path).map_err(Trouble::file("cannot create", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn only_work_of_dead_runs_is_removed() {
        let scratch = Scratch::new("store").unwrap();
        for name in ["fetching-1/set/torch", "fetching-22", "libtorch-2.11.0-cpu/torch", "lock-like"] {
            fs::create_dir_all(scratch.path().join(name)).unwrap();
        }
        Store { dir: scratch.path().into() }.remove_dead_work();
        let mut left: Vec<_> =
            fs::read_dir(scratch.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["libtorch-2.11.0-cpu", "lock-like"]);
    }

    #[test]
    fn a_file_is_made_once_and_replaced_when_it_is_not_whole() {
        let scratch = Scratch::new("place").unwrap();
        let store = Store { dir: scratch.path().join("cache") };
        let place = store.dir.join("file");
        let is_whole = |path: &Path| Ok(fs::read(path).is_ok_and(|bytes| bytes == b"whole"));
        let put = |text: &'static str| {
            store.place_file("file", is_whole, |work, _| {
                fs::write(work.join("made"), text).unwrap();
                Ok(work.join("made"))
            })
        };
        assert_eq!(put("whole").unwrap(), Placed::Now(place.clone()));
        assert_eq!(put("never made").unwrap(), Placed::Before(place.clone()));
        fs::write(&place, "half").unwrap();
        assert!(store.place_file("file", is_whole, |_, _| Err(Trouble::new("no network"))).is_err());
        assert_eq!(fs::read(&place).unwrap(), b"half");
        assert_eq!(put("whole").unwrap(), Placed::Now(place));
        assert_eq!(fs::read_dir(&store.dir).unwrap().count(), 2, "the file and the lock");
    }

    #[test]
    fn a_lock_keeps_a_second_run_out() {
        let scratch = Scratch::new("lock").unwrap();
        let store = Store { dir: scratch.path().into() };
        let first = store.lock().unwrap();
        let second = File::open(scratch.path().join("lock")).unwrap();
        assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
        drop(first);
        assert!(second.try_lock().is_ok());
    }
}
