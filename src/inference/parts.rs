//! Finished pieces of a file to come, kept on the disk so that a later run can go on.

use std::fs::{self, TryLockError};
use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::fingerprint;
use super::pass::{Area, Steps};
use super::progress::Watch;
use super::sink::{File, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Raster, RasterFile, RasterSpec, RasterWriter, Samples};
use crate::store;

/// What is being made.
const JOB: &str = "job.json";
/// What the complete output is like.
const DONE: &str = "done.json";
/// Held by the process that is at work.
const LOCK: &str = "lock";
/// More than the names of a hundred thousand files take.
const MOST_BYTES: u64 = 64 << 20;
/// How the folder's name ends.
const ENDING: &str = ".parts";
/// In bytes, on most file systems.
const LONGEST_NAME: usize = 255;
/// Characters that are kept of a name that is too long.
const BEGIN: usize = 50;
/// How files of pieces begin.
const PIECE: &str = "piece_";

/// A folder with the pieces of one output, each under the row and column that it begins with.
pub(crate) struct Parts {
    folder: PathBuf,
    spec: RasterSpec,
    /// As long as pieces may be added.
    lock: Option<fs::File>,
}

/// Where the pieces of an output are kept. A name that would get too long is cut.
pub(crate) fn folder_of(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    if name.len() + ENDING.len() > LONGEST_NAME {
        let begin: String = name.to_string_lossy().chars().take(BEGIN).collect();
        name = format!("{begin}-{:08x}", crc32c::crc32c(name.as_encoded_bytes())).into();
    }
    name.push(ENDING);
    output.with_file_name(name)
}

/// The job whose pieces a folder holds.
pub(crate) fn job_in(folder: &Path) -> Option<Value> {
    let job: Value = read(&folder.join(JOB))?;
    job.get("geolearn").is_some().then_some(job)
}

impl Parts {
    /// Opens the folder for an output of this form. Pieces of another job are removed.
    ///
    /// # Errors
    /// `Usage` where the folder holds what is not ours, or another process is at work in it.
    pub fn open(folder: PathBuf, job: &Value, spec: RasterSpec) -> Result<Self> {
        store::create_dir(&folder)?;
        check_own(&folder)?;
        let lock = Some(locked(&folder)?);
        let known = job_in(&folder);
        if known.as_ref() != Some(job) {
            if known.is_some() {
                tracing::info!(folder = %folder.display(), "pieces of another job are removed");
            }
            // The description is replaced, and never missing: pieces without one would be taken for somebody else's.
            remove_files(&folder, |name| ![LOCK, JOB].contains(&name))?;
            store::write(&folder.join(JOB), job.to_string().as_bytes())?;
        }
        store::remove_abandoned(&folder);
        Ok(Self { folder, spec, lock })
    }

    /// Whether the output was completed and stands where it belongs, as it was.
    pub fn is_done(&self, output: &Path) -> bool {
        read(&self.folder.join(DONE)).is_some_and(|done| done == fingerprint::of_file(output))
    }

    /// Lets others in: nothing more is added.
    pub fn unlock(&mut self) {
        self.lock = None;
    }

    /// Removes the folder: nothing is left to go on with. What is not ours in it stays.
    pub fn close(self) -> Result<()> {
        remove_files(&self.folder, |name| name != JOB)?;
        remove_files(&self.folder, |_| true)?;
        match fs::remove_dir(&self.folder) {
            Err(e) if !matches!(e.kind(), IoKind::NotFound | IoKind::DirectoryNotEmpty) => {
                Err(Error::io("folder cannot be removed", &self.folder, e))
            }
            _ => Ok(()),
        }
    }

    /// How many steps, which complete these areas, have been done.
    pub fn steps(&self, steps: &dyn Steps) -> usize {
        let is_done = |area: &Area| area.0.is_empty() || self.holds(area);
        (0..steps.count()).map(|index| steps.makes(index)).take_while(is_done).count()
    }

    pub fn add(&mut self, at: (usize, usize), piece: &Samples) -> Result<()> {
        let (bands, height, width) = piece.shape();
        let mut writer = RasterWriter::create(self.at(at), RasterSpec::new(bands, height, width, piece.dtype()))?;
        writer.write_rows(piece)?;
        writer.finish()
    }

    /// Makes the output of the pieces of these areas, which must be complete, and removes them.
    ///
    /// # Errors
    /// `Stopped` once the signal of `watch` is set; all pieces are there then.
    pub fn assemble(&mut self, steps: &dyn Steps, output: &Path, block: Option<usize>, watch: &Watch) -> Result<()> {
        let mut file = File::create(output, self.spec.clone(), block)?;
        let areas = (0..steps.count()).map(|index| steps.makes(index));
        for at in areas.filter(|area| !area.0.is_empty()).map(|area| start(&area)) {
            watch.check()?;
            file.write(at, Raster::open(self.at(at))?.samples())?;
        }
        file.finish()?;
        store::write(&self.folder.join(DONE), fingerprint::of_file(output).to_string().as_bytes())?;
        remove_files(&self.folder, is_piece)
    }

    /// Whether the piece of this area is there and has the right form.
    fn holds(&self, area: &Area) -> bool {
        let path = self.at(start(area));
        let Some(file) = path.exists().then(|| RasterFile::open(&path).ok()).flatten() else { return false };
        let (info, bands) = (file.info(), self.spec.shape().0);
        let shape = (info.bands(), info.height(), info.width());
        shape == (bands, area.0.len(), area.1.len()) && info.dtype() == self.spec.dtype()
    }

    fn at(&self, (row, column): (usize, usize)) -> PathBuf {
        self.folder.join(format!("{PIECE}{row:08}_{column:08}.tif"))
    }
}

fn start(area: &Area) -> (usize, usize) {
    (area.0.start, area.1.start)
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&store::read_capped(path, MOST_BYTES).ok()?).ok()
}

fn is_piece(name: &str) -> bool {
    name.starts_with(PIECE) && name.ends_with(".tif")
}

fn is_own(name: &str) -> bool {
    is_piece(name) || [JOB, DONE, LOCK].contains(&name) || store::is_temporary(name)
}

/// Names of all that is in a folder; none where it is gone.
fn names_in(folder: &Path) -> Result<Vec<String>> {
    let failed = |e| Error::io("folder cannot be read", folder, e);
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == IoKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    entries.map(|entry| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned())).collect()
}

/// Somebody else's folder is not touched: it has no description of a job, or files of other names.
fn check_own(folder: &Path) -> Result<()> {
    let names = names_in(folder)?;
    let begun = names.iter().all(|name| name == LOCK || store::is_temporary(name));
    match names.iter().find(|name| !is_own(name)) {
        None if begun || job_in(folder).is_some() => Ok(()),
        found => {
            let error =
                Error::new(ErrorKind::Usage, "this folder is needed for finished pieces, and holds something else")
                    .at(folder)
                    .help("Move it, or choose another name for the output.");
            Err(match found {
                Some(name) => error.found(name),
                None => error,
            })
        }
    }
}

/// Two processes would write the same pieces. Where the file system has no locks, nothing is said.
fn locked(folder: &Path) -> Result<fs::File> {
    let path = folder.join(LOCK);
    let opened = fs::File::options().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|e| Error::io("file cannot be written", &path, e))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::new(ErrorKind::Usage, "another process is making this output")
            .at(folder)
            .help("Wait until it is done, or choose another name for the output.")),
        _ => Ok(file),
    }
}

/// Removes those files of ours that are `meant`.
fn remove_files(folder: &Path, meant: impl Fn(&str) -> bool) -> Result<()> {
    for name in names_in(folder)?.iter().filter(|name| is_own(name) && meant(name)) {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != IoKind::NotFound => return Err(Error::io("file cannot be removed", &path, e)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
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

        fn open(&self) -> Result<Parts> {
            Parts::open(folder_of(&self.output()), &self.job, RasterSpec::new(1, 4, 6, Dtype::U8))
        }
    }

    struct Three;

    impl Steps for Three {
        fn count(&self) -> usize {
            3
        }

        fn reads(&self, index: usize) -> Area {
            self.makes(index)
        }

        fn makes(&self, index: usize) -> Area {
            ([0..0, 0..2, 2..4][index].clone(), 0..6)
        }
    }

    fn piece() -> Samples {
        Samples::U8(Array3::ones((1, 2, 6)))
    }

    #[test]
    fn pieces_are_found_again_and_make_the_output() {
        let case = Case::new();
        let mut parts = case.open().unwrap();
        assert_eq!(parts.steps(&Three), 1);
        parts.add((0, 0), &piece()).unwrap();
        drop(parts);
        let mut parts = case.open().unwrap();
        assert_eq!(parts.steps(&Three), 2);
        parts.add((2, 0), &piece()).unwrap();
        let stop = StopSignal::new();
        stop.stop();
        let stopped = parts.assemble(&Three, &case.output(), None, &Watch::new(1, false, Some(stop))).unwrap_err();
        assert_eq!(stopped.kind(), ErrorKind::Stopped);
        assert_eq!(parts.steps(&Three), 3);
        parts.assemble(&Three, &case.output(), None, &Watch::silent()).unwrap();
        assert!(parts.is_done(&case.output()));
        assert_eq!(Raster::open(case.output()).unwrap().samples(), &Samples::U8(Array3::ones((1, 4, 6))));
        // Another file under the name is not the output.
        fs::write(case.output(), "something else").unwrap();
        assert!(!parts.is_done(&case.output()));
        parts.close().unwrap();
        assert!(!folder_of(&case.output()).exists());
    }

    #[test]
    fn names_of_folders_are_never_too_long() {
        assert_eq!(folder_of(Path::new("a/out.tif")), Path::new("a/out.tif.parts"));
        let long = |letter: &str| PathBuf::from(format!("a/{}.tif", letter.repeat(125)));
        let (one, other) = (folder_of(&long("\u{e9}")), folder_of(&long("\u{e8}")));
        assert!(one != other && one.starts_with("a") && one.file_name().unwrap().len() <= LONGEST_NAME);
        assert_ne!(folder_of(&long("\u{e9}")), folder_of(&long("\u{e9}").with_extension("x.tif")));
    }

    #[test]
    fn two_at_once_are_refused() {
        let case = Case::new();
        let mut parts = case.open().unwrap();
        let error = case.open().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        parts.unlock();
        case.open().unwrap();
    }

    #[test]
    fn nothing_that_is_not_ours_is_removed() {
        let mut case = Case::new();
        let folder = folder_of(&case.output());
        case.open().unwrap().add((0, 0), &piece()).unwrap();
        let mine = folder.join("mine.txt");
        fs::write(&mine, "precious").unwrap();
        case.job = json!({"geolearn": "2"});
        assert_eq!(case.open().err().unwrap().kind(), ErrorKind::Usage);
        assert!(mine.exists() && folder.join("piece_00000000_00000000.tif").exists());
        fs::remove_file(&mine).unwrap();
        let parts = case.open().unwrap();
        assert_eq!(parts.steps(&Three), 1, "pieces of the other job are gone");
        fs::write(&mine, "precious").unwrap();
        parts.close().unwrap();
        assert!(mine.exists());

        // Their job.json, not ours.
        fs::remove_file(&mine).unwrap();
        fs::write(folder.join(JOB), "{\"name\": \"build\"}").unwrap();
        assert_eq!(case.open().err().unwrap().kind(), ErrorKind::Usage);
        assert!(folder.join(JOB).exists());
    }
}
