//! Lists the chips in a folder, in the same order on every machine.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::error::{Error, Result};

/// File extensions of images.
const IMAGE_ENDINGS: [&str; 7] = ["png", "jpg", "jpeg", "jfif", "bmp", "tif", "tiff"];

/// Extensions that need GDAL. HDF and netCDF are missing because they may contain something other than images.
const GDAL_ENDINGS: [&str; 4] = ["jp2", "j2k", "mrf", "vrt"];

/// Counting stops here when an error message describes a folder.
const LOOK_AT_MOST: usize = 10_000;

/// The contents of a folder and all of its subfolders.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Images, sorted by folder and name.
    pub images: Vec<PathBuf>,
    /// How many other files there are, by extension.
    others: BTreeMap<String, usize>,
    cut_short: bool,
}

impl Listing {
    /// Lists everything in `folder`. Skips hidden files and folders and those that storage devices and archives leave
    /// behind; a loop of links is cut with a warning.
    pub fn of(folder: &Path) -> Self {
        Self::of_at_most(folder, usize::MAX)
    }

    /// Lists enough for an error message; see [`Listing::of`].
    pub fn glance(folder: &Path) -> Self {
        Self::of_at_most(folder, LOOK_AT_MOST)
    }

    fn of_at_most(folder: &Path, limit: usize) -> Self {
        let mut listing = Self::default();
        let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
        for (seen, entry) in walk.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name())).enumerate()
        {
            if seen >= limit {
                listing.cut_short = true;
                break;
            }
            match entry {
                Ok(entry) if entry.file_type().is_file() => listing.add(entry),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "part of the folder is passed over"),
            }
        }
        listing
    }

    fn add(&mut self, entry: DirEntry) {
        let ending = ending(entry.path());
        if is_of_an_image(&ending) {
            self.images.push(entry.into_path());
        } else {
            *self.others.entry(ending).or_default() += 1;
        }
    }

    /// Returns whether there is a file that only a build with GDAL could read.
    pub fn has_images_for_gdal(&self) -> bool {
        GDAL_ENDINGS.iter().any(|ending| self.others.contains_key(*ending))
    }

    /// Returns, for example, "12 images" or "no images, 3 files (.txt)".
    pub fn describe(&self) -> String {
        let more = if self.cut_short { "at least " } else { "" };
        let images = match self.images.len() {
            0 => "no images".to_owned(),
            1 => format!("{more}1 image"),
            n => format!("{more}{n} images"),
        };
        let others: usize = self.others.values().sum();
        if others == 0 || !self.images.is_empty() {
            return images;
        }
        let endings: Vec<String> = self.others.keys().take(5).map(|ending| format!(".{ending}")).collect();
        format!("{images}, {more}{others} other files ({})", endings.join(", "))
    }
}

/// Lists the images directly in a folder, sorted by name, without hidden ones.
pub(crate) fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io("folder cannot be read", folder, e))?;
    let mut images = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io("folder cannot be read", folder, e))?.path();
        let is_image = is_of_an_image(&ending(&path)) && path.is_file();
        if is_image && !path.file_name().is_some_and(is_hidden) {
            images.push(path);
        }
    }
    images.sort();
    Ok(images)
}

/// Folders that network storage, archives, and operating systems create next to the user's own.
const NOT_THE_USERS: [&str; 13] = [
    "@eadir",
    "@recycle",
    "@recently-snapshot",
    "@tmp",
    "@sharebin",
    "#recycle",
    "#snapshot",
    "__macosx",
    "$recycle.bin",
    "recycler",
    "system volume information",
    "lost+found",
    "thumbs.db",
];

/// Returns whether a name begins with a dot, or is one of those that other software leaves in any folder.
pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") || NOT_THE_USERS.contains(&&*name.to_string_lossy().to_ascii_lowercase())
}

/// Lists the file extensions of images, for an error message.
pub(crate) fn image_endings() -> String {
    let of_gdal = if cfg!(feature = "gdal") { &GDAL_ENDINGS[..] } else { &[] };
    let all: Vec<String> = IMAGE_ENDINGS.iter().chain(of_gdal).map(|ending| format!(".{ending}")).collect();
    all.join(", ")
}

fn is_of_an_image(ending: &str) -> bool {
    IMAGE_ENDINGS.contains(&ending) || cfg!(feature = "gdal") && GDAL_ENDINGS.contains(&ending)
}

fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn touch(folder: &Path, names: &[&str]) {
        for name in names {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
    }

    #[test]
    fn images_are_sorted_and_the_rest_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path(), &["b.PNG", "a/z.jpg", "a/b/c.tif", ".hidden.png", ".git/x.png", "notes.txt", "c.JPeG"]);
        let listing = Listing::of(folder.path());
        let names: Vec<_> =
            listing.images.iter().map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a/b/c.tif", "a/z.jpg", "b.PNG", "c.JPeG"]);
        assert_eq!(listing.describe(), "4 images");
    }

    /// An MRF keeps its index and its data in separate files.
    #[test]
    fn formats_of_gdal_are_chips_where_it_is_built_in() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path(), &["a.jp2", "b.J2K", "c.mrf", "c.idx", "c.lrc", "c.mrf.aux.xml", "d.vrt", "e.h5", "f.png"]);
        let listing = Listing::of(folder.path());
        let expected: &[&str] =
            if cfg!(feature = "gdal") { &["a.jp2", "b.J2K", "c.mrf", "d.vrt", "f.png"] } else { &["f.png"] };
        assert_eq!(listing.images, expected.iter().map(|name| folder.path().join(name)).collect::<Vec<_>>());
        assert_eq!(images_in(folder.path()).unwrap(), listing.images);
    }

    /// What Synology and QNAP devices, archives from a Mac, Windows, and disk repair leave behind.
    #[test]
    fn what_others_leave_behind_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path(), &["a.png", "@b.png", "#c.png", "thumbs.png", "sub/d.png"]);
        for left in ["@eaDir", "sub/@eaDir", "@Recycle", "#recycle", "__MACOSX", "$RECYCLE.BIN", "lost+found"] {
            touch(folder.path(), &[&format!("{left}/a.png/SYNOPHOTO_THUMB_M.jpg"), &format!("{left}/e.png")]);
        }
        touch(folder.path(), &["._a.png", "Thumbs.db", ".DS_Store"]);
        let listing = Listing::of(folder.path());
        assert_eq!(listing.images.len(), 5, "{:?}", listing.images);
        assert!(listing.others.is_empty(), "{:?}", listing.others);
    }

    #[test]
    fn a_folder_without_images_is_described_by_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path(), &["x.txt", "x.idx", "y.idx"]);
        assert_eq!(Listing::of(folder.path()).describe(), "no images, 3 other files (.idx, .txt)");
    }

    #[cfg(unix)]
    #[test]
    fn a_loop_of_links_ends() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path(), &["a/x.png"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
        assert_eq!(Listing::of(folder.path()).images.len(), 1);
    }
}
