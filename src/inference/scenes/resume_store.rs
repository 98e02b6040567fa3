//! Finished pieces of an output, kept on disk so that a later call can resume.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::fingerprint;
use super::output_file::OutputFile;
use super::resume_folder::{
    self, DONE, JOB, LOCK, check_own, is_piece, job_in, locked, piece_name, read, remove_files,
};
use super::shares;
use crate::error::{Error, ErrorKind, Result};
use crate::inference::strategy::{PieceSink, Progress};
use crate::inference::tiling::{Part, Steps};
use crate::raster::{Raster, RasterFile, RasterSpec, RasterWriter, Samples};
use crate::store;

/// A folder with the pieces of one output, named after the row and column at which they start.
pub(super) struct ResumeStore {
    folder: PathBuf,
    /// The specification of the output.
    spec: RasterSpec,
    /// Held while pieces may be added.
    lock: Option<fs::File>,
}

impl ResumeStore {
    /// Opens the folder for an output with this fingerprint. Pieces of another output are removed.
    ///
    /// # Errors
    /// `Usage` if the folder contains files that are not ours, or another process is using it.
    pub fn open(folder: PathBuf, fingerprint: &Value, spec: RasterSpec) -> Result<Self> {
        store::create_dir(&folder)?;
        check_own(&folder)?;
        let lock = Some(locked(&folder)?);
        let known = job_in(&folder);
        if known.as_ref() != Some(fingerprint) {
            if known.is_some() {
                tracing::info!(folder = %folder.display(), "removing the pieces of another job");
            }
            // The description is replaced and never missing: pieces without one would be taken for somebody else's.
            remove_files(&folder, |name| ![LOCK, JOB].contains(&name))?;
            store::write(&folder.join(JOB), fingerprint.to_string().as_bytes())?;
        }
        store::remove_abandoned(&folder);
        Ok(Self { folder, spec, lock })
    }

    /// Opens the folder of the process that holds it, which has already opened it.
    ///
    /// # Errors
    /// `Usage` if it does not exist, because this process sees another disk.
    pub fn join(folder: PathBuf, spec: RasterSpec) -> Result<Self> {
        match job_in(&folder) {
            Some(_) => Ok(Self { folder, spec, lock: None }),
            None => Err(Error::new(ErrorKind::Usage, "the folder with the pieces of the first process does not exist")
                .at(folder)
                .help("All processes must see the folder of the outputs under the same name.")),
        }
    }

    /// Returns whether the output was completed and is unchanged in its place.
    pub fn is_done(&self, output: &Path) -> bool {
        read(&self.folder.join(DONE)).is_some_and(|done| done == fingerprint::of_file(output))
    }

    /// Releases the lock: nothing more will be added.
    pub fn unlock(&mut self) {
        self.lock = None;
    }

    /// Removes the folder: nothing is left to resume. Files that are not ours stay.
    pub fn close(self) -> Result<()> {
        resume_folder::remove(&self.folder)
    }

    /// Returns the steps whose pieces are missing.
    pub fn missing(&self, steps: &dyn Steps) -> Vec<Range<usize>> {
        shares::missing(steps, |part| self.holds(part))
    }

    /// Assembles the output from the pieces of all steps, which must exist, and removes them.
    ///
    /// # Errors
    /// `Stopped` once a stop is requested; all pieces still exist then.
    pub fn assemble(
        &mut self,
        steps: &dyn Steps,
        output: &Path,
        block: Option<usize>,
        progress: &Progress,
    ) -> Result<()> {
        let mut file = OutputFile::create(output, self.spec.clone(), block)?;
        let parts = (0..steps.count()).map(|index| steps.makes(index));
        for corner in parts.filter(|part| !part.is_empty()).map(|part| part.corner()) {
            progress.check_stop()?;
            file.put(corner, Raster::open(self.piece(corner))?.samples())?;
        }
        file.finish()?;
        store::write(&self.folder.join(DONE), fingerprint::of_file(output).to_string().as_bytes())?;
        remove_files(&self.folder, is_piece)
    }

    /// Returns whether the piece of this part exists and has the right shape.
    fn holds(&self, part: &Part) -> bool {
        let path = self.piece(part.corner());
        let Some(file) = path.exists().then(|| RasterFile::open(&path).ok()).flatten() else { return false };
        let (info, bands) = (file.info(), self.spec.shape().0);
        let shape = (info.bands(), info.height(), info.width());
        shape == (bands, part.rows.len(), part.columns.len()) && info.dtype() == self.spec.dtype()
    }

    fn piece(&self, corner: (usize, usize)) -> PathBuf {
        self.folder.join(piece_name(corner))
    }
}

impl PieceSink for ResumeStore {
    fn put(&mut self, corner: (usize, usize), piece: &Samples) -> Result<()> {
        let (bands, height, width) = piece.shape();
        let mut writer =
            RasterWriter::create(self.piece(corner), RasterSpec::new(bands, height, width, piece.dtype()))?;
        writer.write_rows(piece)?;
        writer.finish()
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges, of which some have one")]
mod tests {
    use super::super::resume_folder::folder_of;
    use super::*;
    use crate::error::ErrorKind;
    use crate::raster::Dtype;
    use crate::train::StopSignal;
    use ndarray::Array3;
    use serde_json::json;

    struct Case {
        folder: tempfile::TempDir,
        job: Value,
    }

    impl Case {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), job: json!({"geolearn": "1"}) }
        }

        fn output(&self) -> PathBuf {
            self.folder.path().join("out.tif")
        }

        fn open(&self) -> Result<ResumeStore> {
            ResumeStore::open(folder_of(&self.output()), &self.job, RasterSpec::new(1, 4, 6, Dtype::U8))
        }
    }

    struct Three;

    impl Steps for Three {
        fn count(&self) -> usize {
            3
        }

        fn reads(&self, index: usize) -> Part {
            self.makes(index)
        }

        fn makes(&self, index: usize) -> Part {
            Part { rows: [0..0, 0..2, 2..4][index].clone(), columns: 0..6 }
        }
    }

    fn piece() -> Samples {
        Samples::U8(Array3::ones((1, 2, 6)))
    }

    #[test]
    fn pieces_are_found_and_assembled() {
        let case = Case::new();
        let mut store = case.open().unwrap();
        assert_eq!(store.missing(&Three), [1..3]);
        store.put((0, 0), &piece()).unwrap();
        drop(store);
        let mut store = case.open().unwrap();
        assert_eq!(store.missing(&Three), [2..3]);
        store.put((2, 0), &piece()).unwrap();
        let stop = StopSignal::new();
        stop.stop();
        let stopped = store.assemble(&Three, &case.output(), None, &Progress::new(1, false, Some(stop))).unwrap_err();
        assert_eq!(stopped.kind(), ErrorKind::Stopped);
        assert!(store.missing(&Three).is_empty());
        store.assemble(&Three, &case.output(), None, &Progress::silent()).unwrap();
        assert!(store.is_done(&case.output()));
        assert_eq!(Raster::open(case.output()).unwrap().samples(), &Samples::U8(Array3::ones((1, 4, 6))));
        // Another file of the same name is not the output.
        fs::write(case.output(), "something else").unwrap();
        assert!(!store.is_done(&case.output()));
        store.close().unwrap();
        assert!(!folder_of(&case.output()).exists());
    }

    #[test]
    fn a_second_process_is_refused() {
        let case = Case::new();
        let mut store = case.open().unwrap();
        let error = case.open().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        store.unlock();
        case.open().unwrap();
    }

    #[test]
    fn only_own_files_are_removed() {
        let mut case = Case::new();
        let folder = folder_of(&case.output());
        case.open().unwrap().put((0, 0), &piece()).unwrap();
        let mine = folder.join("mine.txt");
        fs::write(&mine, "precious").unwrap();
        case.job = json!({"geolearn": "2"});
        assert_eq!(case.open().err().unwrap().kind(), ErrorKind::Usage);
        assert!(mine.exists() && folder.join("piece_00000000_00000000.tif").exists());
        fs::remove_file(&mine).unwrap();
        let store = case.open().unwrap();
        assert_eq!(store.missing(&Three), [1..3], "pieces of the other job are gone");
        fs::write(&mine, "precious").unwrap();
        store.close().unwrap();
        assert!(mine.exists());

        // Their job.json, not ours.
        fs::remove_file(&mine).unwrap();
        fs::write(folder.join(JOB), "{\"name\": \"build\"}").unwrap();
        assert_eq!(case.open().err().unwrap().kind(), ErrorKind::Usage);
        assert!(folder.join(JOB).exists());
    }
}
