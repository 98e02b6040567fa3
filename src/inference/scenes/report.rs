//! The report of a call.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::inference::strategy::Times;
use crate::inference::tiling::Borders;

/// The result of [`CycleGan::predict_raster`](crate::CycleGan::predict_raster). If several processes share the work,
/// outputs and their pixels are those of all processes; network pixels and times are those of this process.
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
    /// Returns the files that were written, in the order of inputs and windows.
    pub fn outputs(&self) -> &[PathBuf] {
        &self.outputs
    }

    /// Returns the only file that was written, or the first one.
    pub fn output(&self) -> &Path {
        self.outputs.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Returns the number of pixels of all outputs.
    pub fn pixels(&self) -> u64 {
        self.pixels
    }

    /// Returns the number of pixels that went through the network, including halos and the sample for statistics, but
    /// not tiles without data.
    pub fn network_pixels(&self) -> u64 {
        self.network_pixels
    }

    /// Returns the time from the start of the call to its end.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Returns the time spent on reading and decoding input. Reading and writing run in parallel with the network.
    pub fn read_time(&self) -> Duration {
        self.times.read
    }

    /// Returns the time spent in the network, including scaling and gathering statistics.
    pub fn network_time(&self) -> Duration {
        self.times.network
    }

    /// Returns the time spent on compressing and writing output.
    pub fn write_time(&self) -> Duration {
        self.times.write
    }

    /// Returns the rows and columns of the first output at which a tile begins, except for the output's own edges:
    /// where seams could appear.
    #[doc(hidden)]
    pub fn tile_borders(&self) -> (&[usize], &[usize]) {
        (&self.borders.rows, &self.borders.columns)
    }

    /// Returns the megapixels of output per second.
    pub fn megapixels_per_second(&self) -> f64 {
        self.pixels as f64 / 1e6 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}
