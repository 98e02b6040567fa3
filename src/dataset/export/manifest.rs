//! `training_data.json`: where exported chips come from, and which of them are for validation.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chip_record::ChipRecord;
use super::journal;
use super::left_out::LeftOutCounts;
use crate::dataset::scenes::{SceneWindow, Use};
use crate::error::{Error, ErrorKind, Result};
use crate::store;

const FILE: &str = "training_data.json";
/// Enough for several million chips.
const MAX_BYTES: u64 = 1 << 30;
const VERSION: u32 = 1;

/// The manifest of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub version: u32,
    /// Scenes and options that determine the chips.
    pub made_of: Value,
    pub exports: Vec<Export>,
}

/// Chips of one domain, or pairs of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Export {
    pub scenes: Vec<SceneRecord>,
    pub left_out: LeftOutCounts,
    pub chips: Vec<ChipRecord>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SceneRecord {
    /// For pairs, A's file first.
    pub files: Vec<String>,
    /// Blocks set aside for validation.
    pub validation_blocks: Vec<SceneWindow>,
}

/// Returns the path of the manifest of an export.
pub(super) fn path_of(output: &Path) -> PathBuf {
    output.join(FILE)
}

impl Manifest {
    pub fn new(made_of: Value, exports: Vec<Export>) -> Self {
        Self { version: VERSION, made_of, exports }
    }

    /// Reads the manifest of an export; `None` if the file does not exist.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] if it is damaged, [`ErrorKind::Unsupported`] if a later version wrote it.
    pub fn read(output: &Path) -> Result<Option<Self>> {
        let path = path_of(output);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = store::read_capped(&path, MAX_BYTES)?;
        let help = "Export the chips again, or remove the file to have them split by chance.";
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(ErrorKind::Format, "what is said of exported chips cannot be read")
                .at(&path)
                .because(e)
                .help(help)
        })?;
        match manifest.version {
            VERSION => Ok(Some(manifest)),
            other => Err(Error::new(ErrorKind::Unsupported, "the chips were exported by a later version of geolearn")
                .at(&path)
                .expected(format!("version {VERSION}"))
                .found(other)
                .help(help)),
        }
    }

    pub fn write(&self, output: &Path) -> Result<()> {
        let path = path_of(output);
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| {
            Error::new(ErrorKind::Usage, "what is said of exported chips cannot be written").at(&path).because(e)
        })?;
        store::write(&path, &bytes)
    }
}

/// Returns an error if the folder's export was interrupted, because chips are missing.
///
/// # Errors
/// [`ErrorKind::Layout`].
pub(in crate::dataset) fn check_complete(root: &Path) -> Result<()> {
    let journal = journal::path_of(root);
    if !journal.exists() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Layout, "the export of these chips was interrupted").at(journal).help(
        "Call ExportTrainingData::export again as before, which goes on from there; or remove this file to train with the \
         chips that are there.",
    ))
}

/// Returns the validation chips that an export chose in a folder; `None` if the folder was not exported, or if no chips
/// were set aside.
///
/// # Errors
/// [`ErrorKind::Format`] or [`ErrorKind::Unsupported`] if the manifest cannot be read.
pub(in crate::dataset) fn validation_chips(root: &Path) -> Result<Option<BTreeSet<PathBuf>>> {
    let Some(manifest) = Manifest::read(root)? else { return Ok(None) };
    let chips = manifest.exports.into_iter().flat_map(|export| export.chips);
    let validating = chips.filter(|chip| chip.which == Use::Validation).flat_map(|chip| chip.files);
    let files: BTreeSet<PathBuf> = validating.map(|file| root.join(file)).collect();
    Ok(Some(files).filter(|files| !files.is_empty()))
}
