//! What was done, and where the time went.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::inference::strategy::Times;
use crate::inference::tiling::Borders;

/// What [`CycleGan::predict_raster`](crate::CycleGan::predict_raster) did. Where several processes share the work, outputs and their
/// pixels are those of all, and what went through the network and the times are those of this process.
///
/// ```
/// use geolearn::{CycleGan, Domain, RasterOptions};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let output = folder.path().join("relief.tif");
/// let model = CycleGan::from_model("tests/fixtures/models/sat2relief", None)?;
/// let options = RasterOptions::new(Domain::B).window(0, 0, 60, 80).progress(false);
/// let report = model.predict_raster("assets/scenes/bluemarble_asia.tif", &output, options)?;
/// assert_eq!((report.output(), report.pixels()), (output.as_path(), 60 * 80));
/// assert!(report.network_pixels() > report.pixels(), "halos and statistics take some, too");
/// assert!(report.network_time() <= report.time());
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RasterReport {
    pub(super) outputs: Vec<PathBuf>,
    pub(super) pixels: u64,
    pub(super) network_pixels: u64,
    pub(super) time: Duration,
    pub(super) times: Times,
    /// Of the first output that was translated.
    pub(super) borders: Borders,
}

impl RasterReport {
    /// The files that were written, in the order of inputs and windows.
    pub fn outputs(&self) -> &[PathBuf] {
        &self.outputs
    }

    /// The only file that was written, or the first one.
    pub fn output(&self) -> &Path {
        self.outputs.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Pixels of all outputs.
    pub fn pixels(&self) -> u64 {
        self.pixels
    }

    /// Pixels that went through the network: with halos and what statistics were gathered from, without tiles that have
    /// no data.
    pub fn network_pixels(&self) -> u64 {
        self.network_pixels
    }

    /// From the call to its end.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Time in which input was read and decoded. It runs beside the network, as writing does.
    pub fn read_time(&self) -> Duration {
        self.times.read
    }

    /// Time in the network, with scaling to and fro and what statistics were gathered from.
    pub fn network_time(&self) -> Duration {
        self.times.network
    }

    /// Time in which output was compressed and written.
    pub fn write_time(&self) -> Duration {
        self.times.write
    }

    /// Rows and columns of the first output at which a tile begins, but for its own edges: where to look for seams.
    #[doc(hidden)]
    pub fn tile_borders(&self) -> (&[usize], &[usize]) {
        (&self.borders.rows, &self.borders.columns)
    }

    /// Megapixels of the output a second.
    pub fn megapixels_per_second(&self) -> f64 {
        self.pixels as f64 / 1e6 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}
