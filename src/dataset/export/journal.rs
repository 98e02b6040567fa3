//! A line-by-line record of an export's progress, from which a later call resumes.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chip_record::ChipRecord;
use super::left_out::LeftOutCounts;
use crate::error::{Error, ErrorKind, Result};
use crate::store;

const FILE: &str = "training_data.unfinished.jsonl";
const MAX_BYTES: u64 = 1 << 30;

/// Some consecutive windows of one scene, and their results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ExportBatch {
    pub job: usize,
    pub scene: usize,
    pub windows: usize,
    pub chips: Vec<ChipRecord>,
    pub left_out: LeftOutCounts,
}

/// The journal file, open for appending.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

/// Returns the path of the journal of an export.
pub(super) fn path_of(output: &Path) -> PathBuf {
    output.join(FILE)
}

impl Journal {
    /// Opens the journal of an export of these scenes and options, and returns the finished batches: those whose chips
    /// all exist, up to the first one that is incomplete. `None` if there is no journal.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the journal belongs to other scenes or options.
    pub fn open(output: &Path, made_of: &Value) -> Result<Option<(Self, Vec<ExportBatch>)>> {
        let path = path_of(output);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = store::read_capped(&path, MAX_BYTES)?;
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        // An export that was killed while writing its first line had done nothing.
        let Some(first) = lines.next() else { return Ok(None) };
        if serde_json::from_slice::<Value>(first).ok().as_ref() != Some(made_of) {
            return Err(Error::new(
                ErrorKind::Usage,
                "the folder holds an unfinished export of other scenes or options",
            )
            .at(&path)
            .help("Choose another folder, or remove this one to begin anew."));
        }
        let (mut batches, mut length) = (Vec::new(), first.len() as u64);
        for line in lines {
            let batch = serde_json::from_slice(line).ok().filter(|batch: &ExportBatch| batch.is_there(output));
            let Some(batch) = batch else { break };
            batches.push(batch);
            length += line.len() as u64;
        }
        let failed = |e| Error::io("file cannot be written", &path, e);
        let file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        file.set_len(length).map_err(failed)?;
        Ok(Some((Self { file, path }, batches)))
    }

    /// Starts a journal; the folder must exist.
    pub fn begin(output: &Path, made_of: &Value) -> Result<Self> {
        let path = path_of(output);
        let file = File::create(&path).map_err(|e| Error::io("file cannot be written", &path, e))?;
        let mut journal = Self { file, path };
        journal.line(made_of)?;
        Ok(journal)
    }

    /// Adds a batch whose chips have been written.
    pub fn add(&mut self, batch: &ExportBatch) -> Result<()> {
        self.line(batch)
    }

    fn line(&mut self, what: &impl Serialize) -> Result<()> {
        let failed = |e| Error::io("file cannot be written", &self.path, e).help("Is the disk full?");
        let mut line = serde_json::to_vec(what).map_err(|e| failed(e.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(failed)
    }

    /// Deletes the file.
    pub fn end(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(|e| Error::io("file cannot be removed", &self.path, e))
    }
}

impl ExportBatch {
    fn is_there(&self, output: &Path) -> bool {
        self.chips.iter().flat_map(|chip| &chip.files).all(|file| output.join(file).is_file())
    }
}
