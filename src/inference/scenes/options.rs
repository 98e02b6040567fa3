//! What the translation of a scene can be asked to do.

use std::sync::Arc;

use crate::dataset::Domain;
use crate::device::Precision;
use crate::distributed::Distributed;
use crate::inference::strategy::NormStatistics;
use crate::inference::tiling::{Part, STEP_BYTES};
use crate::peers::{Alone, Peers};
use crate::progress::Observer;
use crate::raster::{Compression, OverviewResampling};
use crate::train::StopSignal;

/// How a scene is translated.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `to` | given | domain whose images are made | |
/// | `statistics` | `Scene` | see [`NormStatistics`] | |
/// | `window` | the whole scene | part of the scene, as often as wanted | within the scene |
/// | `tile_size` | 1024 on a processor, 2048 on CUDA; less where memory is short | side of the squares that go through the network | 8 to 16,384 |
/// | `halo` | 0.7 of how far the network sees: 32 pixels at 4 blocks, 60 at 9, and 36 and 64 with resize-convolutions | what a tile sees around itself | at most 1024 |
/// | `precision` | `Auto` | arithmetic of the network | see [`Precision`] |
/// | `compression` | `Deflate` | of the output | see [`Compression`] |
/// | `cloud_optimized` | no | outputs with overviews, to be read over a network | see [`OverviewResampling`] |
/// | `resume` | off | keeps what is done beside the output, and goes on with it | |
/// | `distributed` | one process | several processes share the work | |
/// | `stop_signal` | none | ends the work from outside | |
/// | `progress` | on | shows megapixels, their rate and the time left | |
/// | `on_progress` | none | is told the share of the work that is done | |
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
    pub(super) stop: Option<StopSignal>,
    pub(super) progress: bool,
    pub(super) observer: Option<Observer>,
    /// What one step may read and write; less in tests of scenes that are wide for it.
    pub(crate) step_bytes: usize,
}

impl RasterOptions {
    /// Translates images of the other domain into `to`, with the defaults of the table.
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
            stop: None,
            progress: true,
            observer: None,
            step_bytes: STEP_BYTES,
        }
    }

    /// Sets where norms take their statistics from.
    pub fn statistics(mut self, statistics: NormStatistics) -> Self {
        self.statistics = statistics;
        self
    }

    /// Adds a part of the scene to be translated, in pixels from its upper left corner. Statistics are those of the whole
    /// scene all the same, so that windows match each other. With several, each becomes a file of its own.
    pub fn window(mut self, row: usize, column: usize, height: usize, width: usize) -> Self {
        let end = |start: usize, length: usize| start..start.saturating_add(length);
        self.windows.push(Part { rows: end(row, height), columns: end(column, width) });
        self
    }

    /// Sets the side of the squares that go through the network, in pixels.
    pub fn tile_size(mut self, pixels: usize) -> Self {
        self.tile_size = Some(pixels);
        self
    }

    /// Sets how many pixels around itself a tile sees, for all statistics but [`NormStatistics::Tile`].
    pub fn halo(mut self, pixels: usize) -> Self {
        self.halo = Some(pixels);
        self
    }

    /// Sets the arithmetic of the network. Statistics are never gathered in less than TF32.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Sets how the output is compressed.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Makes outputs Cloud Optimized GeoTIFFs, as [`RasterSpec::cloud_optimized`](crate::raster::RasterSpec::cloud_optimized)
    /// does. Their overviews are made when all pixels are there.
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

    /// Keeps finished pieces in a folder beside the output (`OUTPUT.parts`), and goes on with those that an earlier
    /// call with the same scene, model and options left there, in tiles of the same size. They take as much room as the
    /// output, until it is complete. Two processes cannot make the same output so, unless they share it:
    /// [`distributed`](Self::distributed).
    pub fn resume(mut self, on: bool) -> Self {
        self.resume = on;
        self
    }

    /// Shares the work out among processes, which all make this call with the same scenes, model and options, and which see the same
    /// folder of outputs. The files are those of one process, to the byte, where all compute alike: on processors of one kind, or on
    /// CUDA devices of one kind.
    ///
    /// Where there are at least as many outputs as processes, each output is made by one of them. Else each process makes rows of
    /// tiles of every output; they are kept in a folder beside the output, as with [`resume`](Self::resume), and the first process
    /// puts them together. That folder stays where the call fails, and the same call goes on with it, of any number of processes.
    /// The first process alone shows progress. After an error of one process all end with an error that names it; when one is
    /// [stopped](Self::stop_signal), all end with [`ErrorKind::Stopped`](crate::ErrorKind::Stopped).
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

    /// The same with processes that a test plays.
    #[cfg(test)]
    pub(crate) fn peers(mut self, peers: impl Peers + 'static) -> Self {
        self.peers = Arc::new(peers);
        self
    }

    /// Ends the work soon after `signal` is set, with [`ErrorKind::Stopped`](crate::ErrorKind::Stopped). No half file is left.
    pub fn stop_signal(mut self, signal: StopSignal) -> Self {
        self.stop = Some(signal);
        self
    }

    /// Shows progress on standard error, or not.
    pub fn progress(mut self, on: bool) -> Self {
        self.progress = on;
        self
    }

    /// Calls `tell` with the share of pixels that are done of all scenes of the call, from 0 at the start to 1 at the
    /// end, for a window or a service of the caller's to show. It is called from the thread that translates, which waits
    /// for it. Whether anything is shown on standard error is up to [`progress`](Self::progress).
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
    pub fn on_progress(mut self, tell: impl FnMut(f64) + Send + 'static) -> Self {
        self.observer = Some(Observer::new(tell));
        self
    }
}
