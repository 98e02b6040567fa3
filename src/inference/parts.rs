//! Finished rows of a file to come, kept on the disk so that a later run can go on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Raster, RasterFile, RasterSpec, RasterWriter, Samples};
use crate::store;

const JOB: &str = "job.json";
const DONE: &str = "done";

/// A folder with the rows of one output, top to bottom, each piece under the row that it begins with.
pub(crate) struct Parts {
    folder: PathBuf,
    spec: RasterSpec,
    rows: usize,
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
        let mut parts = Self { folder, spec, rows: 0 };
        while let Some(height) = parts.height_of_next() {
            parts.rows += height;
        }
        Ok(parts)
    }

    /// Rows that are there.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the output was completed and stands where it belongs.
    pub fn is_done(&self, output: &Path) -> bool {
        self.folder.join(DONE).exists() && output.exists()
    }

    /// Removes the folder: nothing is left to go on with.
    pub fn close(self) -> Result<()> {
        remove(&self.folder)
    }

    /// Forgets all rows.
    pub fn clear(&mut self) -> Result<()> {
        let mut from = 0;
        while from < self.rows {
            let path = self.at(from);
            from += self.height_at(from).unwrap_or(self.rows);
            fs::remove_file(&path).map_err(|e| Error::io("file cannot be removed", &path, e))?;
        }
        self.rows = 0;
        Ok(())
    }

    pub fn add(&mut self, rows: &Samples) -> Result<()> {
        let (bands, height, width) = rows.shape();
        let mut writer = RasterWriter::create(self.at(self.rows), RasterSpec::new(bands, height, width, rows.dtype()))?;
        writer.write_rows(rows)?;
        writer.finish()?;
        self.rows += height;
        Ok(())
    }

    /// Makes the output of the rows, which must be complete, and removes them.
    pub fn assemble(&mut self, output: &Path) -> Result<()> {
        let mut writer = RasterWriter::create(output, self.spec.clone())?;
        let mut from = 0;
        while from < self.rows {
            let rows = Raster::open(self.at(from))?.into_samples();
            writer.write_rows(&rows)?;
            from += rows.shape().1;
        }
        writer.finish()?;
        store::write(&self.folder.join(DONE), b"")?;
        self.clear()
    }

    fn height_of_next(&self) -> Option<usize> {
        let (_, height, _) = self.spec.shape();
        self.height_at(self.rows).filter(|next| self.rows + next <= height)
    }

    /// The height of a piece that is there and has the right form.
    fn height_at(&self, row: usize) -> Option<usize> {
        let path = self.at(row);
        let file = path.exists().then(|| RasterFile::open(&path).ok()).flatten()?;
        let (bands, _, width) = self.spec.shape();
        let info = file.info();
        let fits = (info.bands(), info.width(), info.dtype()) == (bands, width, self.spec.dtype());
        fits.then_some(info.height())
    }

    fn at(&self, row: usize) -> PathBuf {
        self.folder.join(format!("rows_{row:08}.tif"))
    }
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
