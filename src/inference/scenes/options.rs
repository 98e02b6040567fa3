//! Options for translating scenes.

use std::sync::Arc;

use crate::control::{Control, control_setters};
use crate::dataset::Domain;
use crate::device::Precision;
use crate::distributed::Distributed;
use crate::inference::strategy::NormStatistics;
use crate::inference::tiling::{Part, STEP_BYTES};
use crate::peers::{Alone, Peers};
use crate::raster::{Compression, OverviewResampling};

/// How [`CycleGan::predict_raster`](crate::CycleGan::predict_raster) translates a scene.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `to` | given | target domain | |
/// | `statistics` | `Scene` | see [`NormStatistics`] | |
/// | `window` | the whole scene | a rectangle to translate; may be repeated | within the scene |
/// | `tile_size` | 1024 on a CPU, 2048 on CUDA; less if memory is short | side of the tiles that go through the network | 8 to 16,384 |
/// | `halo` | 0.7 of the network's reach: 32 pixels with 4 blocks, 60 with 9; 36 and 64 with resize-convolutions | pixels that a tile sees around itself | at most 1024 |
/// | `precision` | `Auto` | precision of the network | see [`Precision`] |
/// | `compression` | `Deflate` | compression of the output | see [`Compression`] |
/// | `cloud_optimized` | no | outputs with overviews, for reading over a network | see [`OverviewResampling`] |
/// | `resume` | off | keeps finished pieces beside the output and resumes from them | |
/// | `distributed` | one process | several processes share the work | |
/// | `stop_signal` | none | ends the work | |
/// | `progress` | on | shows megapixels, their rate and the time left | |
/// | `on_progress` | none | receives the share of the work that is done | |
///
/// ```
/// use geolearn::inference::NormStatistics;
/// use geolearn::{Domain, RasterOptions};
///
/// let options = RasterOptions::new(Domain::B).window(0, 0, 2000, 3000).resume(true).progress(false);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct RasterOptions {
    pub(crate) to: Domain,
    pub(crate) statistics: NormStatistics,
    pub(super) windows: Vec<Part>,
    pub(super) tile_size: Option<usize>,
    pub(super) halo: Option<usize>,
    pub(crate) precision: Precision,
    pub(super) compression: Compression,
    pub(super) overviews: Option<OverviewResampling>,
    pub(super) resume: bool,
    pub(super) peers: Arc<dyn Peers>,
    pub(super) control: Control,
    /// Bytes that one step may read and write; tests use less for scenes that are wide relative to it.
    pub(crate) step_bytes: usize,
}

impl RasterOptions {
    /// Creates options that translate images of the other domain into `to`, with the defaults of the table.
    ///
    /// ```
    /// let options = geolearn::RasterOptions::new(geolearn::Domain::B);
    /// ```
    pub fn new(to: Domain) -> Self {
        Self {
            to,
            statistics: NormStatistics::default(),
            windows: Vec::new(),
            tile_size: None,
            halo: None,
            precision: Precision::Auto,
            compression: Compression::default(),
            overviews: None,
            resume: false,
            peers: Arc::new(Alone),
            control: Control::default(),
            step_bytes: STEP_BYTES,
        }
    }

    /// Sets the source of the norms' statistics. Default: [`NormStatistics::Scene`].
    ///
    /// ```
    /// use geolearn::inference::NormStatistics;
    /// use geolearn::{Domain, RasterOptions};
    ///
    /// let options = RasterOptions::new(Domain::B).statistics(NormStatistics::Inputs);
    /// ```
    pub fn statistics(mut self, statistics: NormStatistics) -> Self {
        self.statistics = statistics;
        self
    }

    /// Adds a window of the scene to translate, in pixels from its upper left corner. Statistics are still those of the
    /// whole scene, so windows match each other. If there are several, each becomes a separate file.
    ///
    /// ```
    /// // The upper left quarter of a scene of 8000 x 8000 pixels.
    /// let options = geolearn::RasterOptions::new(geolearn::Domain::B).window(0, 0, 4000, 4000);
    /// ```
    pub fn window(mut self, row: usize, column: usize, height: usize, width: usize) -> Self {
        let end = |start: usize, length: usize| start..start.saturating_add(length);
        self.windows.push(Part { rows: end(row, height), columns: end(column, width) });
        self
    }

    /// Sets the side of the tiles that go through the network, in pixels.
    ///
    /// ```
    /// let options = geolearn::RasterOptions::new(geolearn::Domain::B).tile_size(512);
    /// ```
    pub fn tile_size(mut self, pixels: usize) -> Self {
        self.tile_size = Some(pixels);
        self
    }

    /// Sets how many pixels around itself a tile sees, for all statistics except [`NormStatistics::Tile`].
    ///
    /// ```
    /// let options = geolearn::RasterOptions::new(geolearn::Domain::B).halo(48);
    /// ```
    pub fn halo(mut self, pixels: usize) -> Self {
        self.halo = Some(pixels);
        self
    }

    /// Sets the precision of the network. Statistics are always gathered with TF32 or better.
    ///
    /// ```
    /// use geolearn::device::Precision;
    /// use geolearn::{Domain, RasterOptions};
    ///
    /// let options = RasterOptions::new(Domain::B).precision(Precision::F32);
    /// ```
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Sets the compression of the output.
    ///
    /// ```
    /// use geolearn::raster::Compression;
    /// use geolearn::{Domain, RasterOptions};
    ///
    /// let options = RasterOptions::new(Domain::B).compression(Compression::Zstd);
    /// ```
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Writes outputs as Cloud Optimized GeoTIFFs, like
    /// [`RasterSpec::cloud_optimized`](crate::raster::RasterSpec::cloud_optimized). Their overviews are made when all
    /// pixels are complete.
    ///
    /// ```
    /// use geolearn::raster::OverviewResampling;
    /// use geolearn::{Domain, RasterOptions};
    ///
    /// let options = RasterOptions::new(Domain::B).cloud_optimized(OverviewResampling::Average);
    /// ```
    pub fn cloud_optimized(mut self, overviews: OverviewResampling) -> Self {
        self.overviews = Some(overviews);
        self
    }

    /// Keeps finished pieces in a folder beside the output (`OUTPUT.parts`), and resumes from pieces that an earlier
    /// call with the same scene, model and options left there, with the same tile size. The pieces take as much disk
    /// space as the output, until it is complete. Two processes cannot write the same output this way unless they share
    /// it with [`distributed`](Self::distributed).
    ///
    /// ```
    /// let options = geolearn::RasterOptions::new(geolearn::Domain::B).resume(true);
    /// ```
    pub fn resume(mut self, on: bool) -> Self {
        self.resume = on;
        self
    }

    /// Shares the work among processes, which all make this call with the same scenes, model and options and see the
    /// same output folder. The files equal those of a single process, byte for byte, if all compute alike: on CPUs of
    /// one model, or on CUDA devices of one model.
    ///
    /// If there are at least as many outputs as processes, each output is written by one of them. Otherwise each
    /// process translates rows of tiles of every output; they are kept in a folder beside the output, as with
    /// [`resume`](Self::resume), and the first process assembles them. If the call fails, that folder stays, and the
    /// same call resumes from it with any number of processes. Only the first process shows progress. If one process
    /// fails, all end with an error that names it; if one is [stopped](Self::stop_signal), all end with
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped).
    ///
    /// ```
    /// use geolearn::distributed::Distributed;
    /// use geolearn::{Domain, RasterOptions};
    ///
    /// let options = RasterOptions::new(Domain::B).distributed(Distributed::from_env()?);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn distributed(mut self, group: Distributed) -> Self {
        self.peers = Arc::new(group);
        self
    }

    /// Shares the work with processes that a test simulates.
    #[cfg(test)]
    pub(crate) fn peers(mut self, peers: impl Peers + 'static) -> Self {
        self.peers = Arc::new(peers);
        self
    }

    control_setters! {
        /// Ends the work soon after `signal` is set, with [`ErrorKind::Stopped`](crate::ErrorKind::Stopped). No incomplete file
        /// is left behind.
        ///
        /// ```
        /// use geolearn::train::StopSignal;
        /// use geolearn::{Domain, RasterOptions};
        ///
        /// let signal = StopSignal::new();
        /// let options = RasterOptions::new(Domain::B).stop_signal(signal.clone());
        /// // In a handler: signal.stop()
        /// ```
        stop_signal,
        /// Shows progress on standard error, or not. Default: on.
        ///
        /// ```
        /// let quiet = geolearn::RasterOptions::new(geolearn::Domain::B).progress(false);
        /// ```
        progress,
        /// Calls `tell` with the share of pixels done over all scenes of the call, from 0 at the start to 1 at the end, for
        /// programs that draw their own progress display. It is called on the translating thread, which waits for it.
        /// [`progress`](Self::progress) controls what is shown on standard error.
        ///
        /// ```
        /// use std::sync::mpsc;
        ///
        /// use geolearn::{Domain, RasterOptions};
        ///
        /// let (told, shares) = mpsc::channel();
        /// let options = RasterOptions::new(Domain::B).progress(false).on_progress(move |share| {
        ///     // Whoever listens may have gone; the work goes on.
        ///     let _ = told.send(share);
        /// });
        /// # drop(options);
        /// # assert_eq!(shares.iter().count(), 0);
        /// ```
        on_progress,
    }
}
