//! The options of a call after checking.

use std::sync::Arc;

use super::options::RasterOptions;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::inference::strategy::{NormStatistics, Translation};
use crate::inference::tiling::{HALOS, Halo, Part, SIDES, TileRequest, out_of_range};
use crate::peers::Peers;
use crate::raster::{Compression, OverviewResampling};

/// The options of a call, checked against the network.
#[derive(Debug)]
pub(super) struct Settings {
    pub statistics: NormStatistics,
    /// Parts of each scene; all of it if empty.
    windows: Vec<Part>,
    /// Everything about tiles that does not depend on free memory.
    pub tiles: TileRequest,
    /// Tile size and halo as requested, which identify unfinished work.
    pub asked_for: [Option<usize>; 2],
    pub compression: Compression,
    /// Overviews of Cloud Optimized GeoTIFFs; `None` for plain files.
    pub overviews: Option<OverviewResampling>,
    /// Whether unfinished work is kept and resumed.
    pub is_resumable: bool,
    /// The processes that share the call.
    pub peers: Arc<dyn Peers>,
    /// Only the first process shows progress.
    pub control: Control,
}

impl Settings {
    /// Checks everything that can be checked without the scenes.
    ///
    /// # Errors
    /// `Usage` for a number out of range.
    pub fn of(options: &RasterOptions, translation: &Translation<'_>) -> Result<Self> {
        check_range("tile size", options.tile_size, SIDES)?;
        check_range("halo", options.halo, HALOS)?;
        let usual = translation.usual_tiles(options.statistics);
        let tiles = TileRequest {
            side: options.tile_size.or(usual.side),
            halo: options.halo.map_or(usual.halo, |pixels| Halo { pixels }),
            step_bytes: options.step_bytes,
            ..usual
        };
        options.statistics.check(tiles.side)?;
        Ok(Self {
            statistics: options.statistics,
            windows: options.windows.clone(),
            tiles,
            asked_for: [options.tile_size, options.halo],
            compression: options.compression,
            overviews: options.overviews,
            is_resumable: options.resume,
            peers: options.peers.clone(),
            control: Control {
                progress: options.control.progress && options.peers.part().leads(),
                ..options.control.clone()
            },
        })
    }

    /// Returns the parts of an image of this size that are to be translated.
    ///
    /// # Errors
    /// `Usage` for a window that does not lie within the image.
    pub fn parts(&self, size: (usize, usize)) -> Result<Vec<Part>> {
        if self.windows.is_empty() {
            return Ok(vec![Part::whole(size)]);
        }
        let lies_outside =
            |window: &&Part| window.is_empty() || window.rows.end > size.0 || window.columns.end > size.1;
        match self.windows.iter().find(lies_outside) {
            None => Ok(self.windows.clone()),
            Some(Part { rows, columns }) => Err(Error::new(ErrorKind::Usage, "a window does not lie within the scene")
                .expected(format!("at least a pixel of {} rows and {} columns", size.0, size.1))
                .found(format!("rows {} to {}, columns {} to {}", rows.start, rows.end, columns.start, columns.end))
                .help(
                    "RasterOptions::window takes row, column, height and width, in pixels from the upper left corner.",
                )),
        }
    }
}

fn check_range(name: &str, value: Option<usize>, range: std::ops::RangeInclusive<usize>) -> Result<()> {
    match value.filter(|value| !range.contains(value)) {
        None => Ok(()),
        Some(value) => Err(out_of_range(name, format!("{} to {}", range.start(), range.end()), value)),
    }
}
