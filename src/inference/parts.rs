//! Finished pieces of a file to come, kept on the disk so that a later run can go on.

use std::fs;
use std::path::{Path, PathBuf};

use super::pass::Area;
use super::sink::{File, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Raster, RasterFile, RasterSpec, RasterWriter, Samples};
use crate::store;

const JOB: &str = "job.json";
const DONE: &str = "done";

/// How files of pieces begin.
const PIECE: &str = "piece_";

/// A folder with the pieces of one output, each under the row and column that it begins with.
pub(crate) struct Parts {
    folder: PathBuf,
    spec: RasterSpec,
}

impl Parts {
    /// Opens the folder for an output of this form. What is there of another job is removed.
    pub fn open(folder: PathBuf, job: &str, spec: RasterSpec) -> Result<Self> {
        if fs::read_to_string(folder.join(JOB)).is_ok_and(|known| known != job) {
            tracing::info!(folder = %folder.display(), "rows of another job are removed");
            remove(&folder)?;
        }
        store::create_dir(&folder)?;
        check_own(&folder)?;
        store::remove_abandoned(&folder);
        store::write(&folder.join(JOB), job.as_bytes())?;
        Ok(Self { folder, spec })
    }

    /// How many steps, which complete these areas, have been done.
    pub fn steps(&self, makes: &[Area]) -> usize {
        let is_done = |area: &&Area| area.0.is_empty() || self.holds(area);
        makes.iter().take_while(is_done).count()
    }

    /// Whether the output was completed and stands where it belongs.
    pub fn is_done(&self, output: &Path) -> bool {
        self.folder.join(DONE).exists() && output.exists()
    }

    /// Removes the folder: nothing is left to go on with.
    pub fn close(self) -> Result<()> {
        remove(&self.folder)
    }

    pub fn add(&mut self, at: (usize, usize), piece: &Samples) -> Result<()> {
        let (bands, height, width) = piece.shape();
        let mut writer = RasterWriter::create(self.at(at), RasterSpec::new(bands, height, width, piece.dtype()))?;
        writer.write_rows(piece)?;
        writer.finish()
    }

    /// Makes the output of the pieces of these areas, which must be complete, and removes them.
    pub fn assemble(&mut self, makes: &[Area], output: &Path, block: Option<usize>) -> Result<()> {
        let mut file = File::create(output, self.spec.clone(), block)?;
        let pieces: Vec<_> = makes.iter().filter(|area| !area.0.is_empty()).map(start).collect();
        for at in &pieces {
            file.write(*at, Raster::open(self.at(*at))?.samples())?;
        }
        file.finish()?;
        store::write(&self.folder.join(DONE), b"")?;
        for path in pieces.into_iter().map(|at| self.at(at)) {
            fs::remove_file(&path).map_err(|e| Error::io("file cannot be removed", &path, e))?;
        }
        Ok(())
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

/// Somebody else's folder is not touched.
fn check_own(folder: &Path) -> Result<()> {
    let failed = |e| Error::io("folder cannot be read", folder, e);
    let is_empty = fs::read_dir(folder).map_err(failed)?.next().is_none();
    if is_empty || folder.join(JOB).exists() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, "this folder is needed for finished rows, and holds something else")
        .at(folder)
        .help("Move it, or choose another name for the output."))
}

/// Removes a folder of rows with all that is in it.
fn remove(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).map_err(|e| Error::io("folder cannot be removed", folder, e))
}
