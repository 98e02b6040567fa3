//! A cache for what was found in a folder of many chips.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::domain::Domain;
use super::options::PrepareData;
use super::survey::{Chips, Survey};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{mask_file_of, metadata_file_of};
use crate::store::{self, Identity, Lock};

/// Below this size, reading the chips takes about as long as checking each file's date.
const WORTH_KEEPING: u64 = 8 << 20;
/// Only a list of skipped chips can make it long.
const MAX_BYTES: u64 = 256 << 20;
/// In the folder of the chips, where hidden names are ignored.
const FOLDER: &str = ".geolearn";

/// Everything a survey depends on: the chips and the files beside them, by name and [`Identity`], and the options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Key {
    version: String,
    root: PathBuf,
    domain: String,
    chips: usize,
    bytes: u64,
    /// CRC-32C of names and identities.
    crc: u32,
    options: String,
    /// The kind of contents; surveys of chips have none, because they came first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Kept<T> {
    key: Key,
    survey: T,
}

impl Key {
    fn of(options: &PrepareData, chips: Chips<'_>) -> Self {
        let definition = super::esri::definition_of(chips.folder);
        let files: Vec<&PathBuf> = chips.files.iter().copied().chain(&definition).collect();
        let half = chips.half.map(|half| format!(" {half:?} half")).unwrap_or_default();
        Self { chips: chips.files.len(), ..Self::of_files(options, chips.domain, &files, &half) }
    }

    /// Creates the key for scenes; the resolution of their validity maps depends on the size of windows.
    pub fn of_scenes(options: &PrepareData, domain: Domain, files: &[PathBuf]) -> Self {
        let files: Vec<&PathBuf> = files.iter().collect();
        let chip = options.scenes.chip();
        Self { kind: Some("scenes".to_owned()), ..Self::of_files(options, domain, &files, &format!(" {chip:?}")) }
    }

    fn of_files(options: &PrepareData, domain: Domain, files: &[&PathBuf], more: &str) -> Self {
        let facts: Vec<(u64, String)> = files.par_iter().map(|file| facts(&options.path, file)).collect();
        let PrepareData {
            resize_to,
            bad_chips,
            mixed_sizes,
            mixed_bands,
            bands,
            alpha_bands,
            normalization,
            limits,
            ..
        } = options;
        Self {
            // A build without GDAL rejects files that GDAL can read.
            version: format!("{} gdal={}", env!("CARGO_PKG_VERSION"), cfg!(feature = "gdal")),
            root: fs::canonicalize(&options.path).unwrap_or_else(|_| options.path.clone()),
            domain: domain.to_string(),
            chips: files.len(),
            bytes: facts.iter().map(|(bytes, _)| bytes).sum(),
            crc: facts.iter().fold(0, |crc, (_, line)| crc32c::crc32c_append(crc, line.as_bytes())),
            options: format!(
                "{resize_to:?} {bad_chips:?} {mixed_sizes:?} {mixed_bands:?} {:?} {:?} {normalization:?} {limits:?}{more}",
                bands.get(domain),
                alpha_bands.get(domain)
            ),
            kind: None,
        }
    }

    fn file_name(&self) -> String {
        let kind = self.kind.as_deref().unwrap_or("survey");
        format!("{kind}_{}.json", self.domain.to_lowercase())
    }

    /// Returns where a cache may be: in the folder of the chips, or else in the user's cache.
    fn places(&self) -> impl Iterator<Item = PathBuf> {
        let user = user_cache().map(|folder| {
            let root = crc32c::crc32c(self.root.to_string_lossy().as_bytes());
            folder.join("geolearn").join(format!("{root:08x}"))
        });
        [Some(self.root.join(FOLDER)), user].into_iter().flatten()
    }
}

fn user_cache() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
}

fn facts(root: &Path, file: &Path) -> (u64, String) {
    let identity = Identity::of(file);
    let name = file.strip_prefix(root).unwrap_or(file);
    let [metadata, mask] = [metadata_file_of(file), mask_file_of(file)].map(|file| Identity::of(&file));
    (identity.bytes(), format!("{name:?}\t{identity}\t{metadata}\t{mask}\n"))
}

/// Surveys the chips, or loads an earlier survey if nothing has changed since.
pub(super) fn survey(options: &PrepareData, chips: Chips<'_>) -> Result<Survey> {
    recalled(options, Key::of(options, chips), || Survey::take(options, chips))
}

/// Loads an earlier result with this key, or else computes and saves it.
pub(super) fn recalled<T>(options: &PrepareData, key: Key, look: impl FnOnce() -> Result<T>) -> Result<T>
where
    T: Serialize + DeserializeOwned,
{
    if let Some(survey) = find(options, &key) {
        return Ok(survey);
    }
    // Processes that train together prepare the same folder at the same time: one does the work, the others read the
    // result.
    let turn = take_turn(options, &key);
    if turn.is_some()
        && let Some(survey) = find(options, &key)
    {
        return Ok(survey);
    }
    keep(options, key, look()?)
}

/// Waits until no other process is surveying these chips; `None` if results are not cached.
fn take_turn(options: &PrepareData, key: &Key) -> Option<Lock> {
    let is_kept = options.cache && key.bytes >= WORTH_KEEPING;
    let turn = |folder: PathBuf| {
        store::create_dir(&folder)?;
        Lock::of(&folder.join(key.file_name()))
    };
    if is_kept { key.places().find_map(|folder| turn(folder).ok()) } else { None }
}

/// Finds a survey with exactly this key. An unreadable cache is ignored.
fn find<T: DeserializeOwned>(options: &PrepareData, key: &Key) -> Option<T> {
    if !options.cache {
        return None;
    }
    let mut kept = key.places().filter_map(|folder| read::<T>(&folder.join(key.file_name())).ok());
    kept.find(|kept| kept.key == *key).map(|kept| kept.survey)
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<Kept<T>> {
    let bytes = store::read_capped(file, MAX_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|e| Error::new(ErrorKind::Format, "cache is damaged").at(file).because(e))
}

/// Saves a survey in the first place that is writable, and returns it.
fn keep<T: Serialize>(options: &PrepareData, key: Key, survey: T) -> Result<T> {
    if !options.cache || key.bytes < WORTH_KEEPING {
        return Ok(survey);
    }
    let kept = Kept { key, survey };
    if let Ok(text) = serde_json::to_vec(&kept) {
        put(&kept.key, &text);
    }
    Ok(kept.survey)
}

fn put(key: &Key, text: &[u8]) {
    let write = |folder: PathBuf| {
        store::create_dir(&folder)?;
        store::remove_abandoned(&folder);
        store::write(&folder.join(key.file_name()), text)
    };
    let tried: Vec<Error> = key.places().map_while(|folder| write(folder).err()).collect();
    if tried.len() == key.places().count() {
        for error in tried {
            tracing::warn!(%error, "what was found in the chips is not kept for the next time");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::DatasetType;
    use crate::dataset::half::Half;

    /// The two halves of a file have separate surveys.
    #[test]
    fn halves_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let chip = folder.path().join("chip.png");
        fs::write(&chip, "both").unwrap();
        let options = PrepareData::new(folder.path(), DatasetType::Pix2Pix);
        let key = |half| Key::of(&options, Chips { domain: Domain::A, folder: folder.path(), files: &[&chip], half });
        let keys = [None, Some(Half::Left), Some(Half::Right)].map(key);
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        assert_eq!(keys[1], key(Some(Half::Left)));
    }

    /// Replaced chips with the same names, lengths, and times are surveyed again.
    #[test]
    #[cfg(unix)]
    fn chips_that_were_replaced_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (chip, other) = (folder.path().join("chip.png"), folder.path().join("other"));
        fs::write(&chip, "old").unwrap();
        let options = PrepareData::new(folder.path(), DatasetType::CycleGan);
        let key = || Key::of(&options, Chips { domain: Domain::A, folder: folder.path(), files: &[&chip], half: None });
        let before = key();
        assert_eq!(before, key());
        fs::write(&other, "new").unwrap();
        let time = chip.metadata().unwrap().modified().unwrap();
        fs::File::options().write(true).open(&other).unwrap().set_modified(time).unwrap();
        fs::rename(&other, &chip).unwrap();
        let replaced = key();
        assert_ne!(before, replaced);
        fs::write(folder.path().join("chip.png.aux.xml"), "<PAMDataset></PAMDataset>").unwrap();
        assert_ne!(replaced, key());
    }
}
