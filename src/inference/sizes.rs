//! How large tiles and their halos are.

use super::engine::pixel_bytes;
use super::options::{NormStatistics, RasterOptions, SIDES};
use super::plan::{Part, PixelBytes, TilePlan};
use super::translation::{Translation, check};
use crate::device::free_memory;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Source;

/// Fixed for each kind of device, so that the same scene gives the same image whatever else the machine does.
const CPU_SIDE: usize = 1024;
const CUDA_SIDE: usize = 2048;
const LEAST_SIDE: usize = 256;
/// A scene of so many tiles is still translated as a whole: halos would cost as much.
const WHOLE: f64 = 1.4;
/// Of what a pixel can see around itself, the nearest part that decides its colour.
const HALO_SHARE: f64 = 0.7;
/// Of what is free, the part that is not taken.
const RESERVE: f64 = 1.5;
/// Pixels that go through the network at least at a time.
const BATCH_PIXELS: usize = 1 << 18;
/// Sides of the chips from which statistics are gathered.
const CHIP_SIDES: (usize, usize) = (64, 128);
/// The share of a scene from which they are gathered, as far as it fits into a tile, and the least number of pixels.
const SAMPLE_SHARE: f64 = 0.12;
const LEAST_SAMPLE: f64 = 200_000.0;

/// Tiles of a translation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sizes {
    /// Side of tiles.
    pub side: usize,
    pub halo: usize,
    /// What is read and written at a time may take so much.
    pub step_bytes: usize,
}

impl Sizes {
    /// What the options say, else what an unfinished job was `begun` with, else what suits device and model.
    pub fn of(translation: &Translation<'_>, options: &RasterOptions, begun: Option<usize>) -> Result<Self> {
        let halo = options.halo.unwrap_or_else(|| default_halo(translation));
        let free = free_memory(translation.device).map_or(f64::INFINITY, |bytes| bytes as f64);
        let needed = |side: usize| bytes(translation, ((side + 2 * halo) as f64).powi(2));
        let is_blended = matches!(options.statistics, NormStatistics::Tile { .. });
        let side = match options.tile_size.or(begun) {
            Some(side) => side,
            None if is_blended => translation.chip.0.min(translation.chip.1).clamp(*SIDES.start(), *SIDES.end()),
            None => affordable(translation, |side| needed(side) * RESERVE <= free),
        };
        if let NormStatistics::Tile { padding: Some(padding) } = options.statistics {
            check("padding of tiles", padding < side.div_ceil(2), &format!("less than half of {side}"), padding)?;
        }
        let needed = if is_blended { bytes(translation, (at_once(side) * side * side) as f64) } else { needed(side) };
        if needed > free {
            return Err(too_much(format!("tiles of {side} x {side} pixels need"), needed, free));
        }
        Ok(Self { side, halo, step_bytes: options.step_bytes })
    }

    /// That there is memory for rows of overlapping tiles, which are as wide as the part: two of the input, the sums and
    /// a copy of them, and what is made of them and written.
    pub fn check_rows(&self, translation: &Translation<'_>, scene: &Source, part: &Part) -> Result<()> {
        let PixelBytes { read, made } = pixel_bytes(translation, scene);
        let pixels = self.side as f64 * (part.columns.len() + 2 * self.side) as f64;
        let rows = pixels * (2 * read + 3 * (translation.to.channels() * 4 + made)) as f64;
        let needed = rows + bytes(translation, (at_once(self.side) * self.side * self.side) as f64);
        match free_memory(translation.device).filter(|&free| needed > free as f64 && !translation.device.is_cuda()) {
            Some(free) => Err(too_much("rows of tiles that overlap need".to_string(), needed, free as f64)),
            None => Ok(()),
        }
    }

    /// That there is memory for the statistics of the nodes around a row of tiles, which are kept for the whole width of the
    /// scene: `values` numbers each, twice while a tile is made.
    pub fn check_nodes(
        &self,
        translation: &Translation<'_>,
        scene: &Source,
        spacing: usize,
        values: usize,
    ) -> Result<()> {
        let rows = (self.side + 2 * self.halo).div_ceil(spacing) + 2;
        let needed = 2.0 * 4.0 * values as f64 * rows as f64 * (scene.size().1.div_ceil(spacing) as f64);
        match free_memory(translation.device).filter(|&free| needed > free as f64) {
            Some(free) => Err(too_much("local statistics need".to_string(), needed, free as f64)),
            None => Ok(()),
        }
    }

    /// For an image in memory that is too large to go through the network at once.
    pub fn default_of(translation: &Translation<'_>) -> Result<Self> {
        Self::of(translation, &RasterOptions::new(crate::dataset::Domain::B), None)
    }

    /// Whether an image of this size goes through the network as one.
    pub fn take_whole(&self, (height, width): (usize, usize)) -> bool {
        height as f64 * width as f64 <= WHOLE * (self.side as f64).powi(2)
    }

    /// Whether statistics are gathered from all of such a scene at once.
    pub fn sample_whole(&self, size: (usize, usize)) -> bool {
        self.take_whole(size) || size.0 as f64 * size.1 as f64 <= LEAST_SAMPLE
    }

    pub fn plan(&self, image: (usize, usize), part: &Part, bytes: PixelBytes) -> TilePlan {
        TilePlan::new(image, part, *self, bytes)
    }

    /// Pixels of chips that statistics of scenes of so many pixels are gathered from.
    pub fn sample(&self, pixels: u64) -> usize {
        let most = (self.side as f64).powi(2).max(LEAST_SAMPLE);
        (SAMPLE_SHARE * pixels as f64).clamp(LEAST_SAMPLE, most).ceil() as usize
    }
}

/// Side of the chips from which statistics are gathered: as in training, within reason, on the network's grid.
pub(crate) fn chip_side(translation: &Translation<'_>) -> usize {
    let (least, most) = CHIP_SIDES;
    translation.chip.0.min(translation.chip.1).clamp(least, most) / 4 * 4
}

/// How many chips or tiles of this side go through the network together.
pub(crate) fn at_once(side: usize) -> usize {
    (BATCH_PIXELS / (side * side).max(1)).clamp(1, 64)
}

/// Whether there is memory for an image to go through the network as one.
pub(crate) fn is_affordable(translation: &Translation<'_>, (height, width): (usize, usize)) -> bool {
    let needed = bytes(translation, height as f64 * width as f64);
    free_memory(translation.device).is_none_or(|free| needed <= free as f64)
}

fn too_much(what: String, needed: f64, free: f64) -> Error {
    Error::new(ErrorKind::Limits, format!("{what} too much memory"))
        .expected(format!("at most the {:.0} MiB that are free", free / MIB))
        .found(format!("about {:.0} MiB", needed / MIB))
        .help("Choose a smaller RasterOptions::tile_size or window, or close other programs.")
}

const MIB: f64 = (1u64 << 20) as f64;

/// The first and last layers hold the most: input, convolution and norm of so many maps at full size.
fn bytes(translation: &Translation<'_>, pixels: f64) -> f64 {
    12.0 * translation.generator.features() as f64 * pixels
}

fn default_halo(translation: &Translation<'_>) -> usize {
    ((HALO_SHARE * translation.generator.plan().reach() as f64) as usize).next_multiple_of(4)
}

fn affordable(translation: &Translation<'_>, fits: impl Fn(usize) -> bool) -> usize {
    let usual = if translation.device.is_cuda() { CUDA_SIDE } else { CPU_SIDE };
    let mut side = usual;
    while side > LEAST_SIDE && !fits(side) {
        side /= 2;
    }
    if side < usual {
        tracing::warn!("memory is short: tiles of {side} x {side} pixels in place of {usual} x {usual}");
    }
    side
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::plan::STEP_BYTES;

    /// What a generator of nine blocks needs at the usual size of tiles, with the chips for the statistics, from 13
    /// bands of 2 bytes to 3 of 1 and to as many.
    #[test]
    fn work_is_at_most_1_4_times_that_of_tiles_without_overlap() {
        let sizes = Sizes { side: CPU_SIDE, halo: 64, step_bytes: STEP_BYTES };
        for image in [
            (1211, 1213),
            (1025, 1500),
            (1025, 2049),
            (3000, 3100),
            (10_980, 10_980),
            (300, 9000),
            (40_000, 40_000),
            (20_000, 200_000),
            (2_000, 2_000_000),
        ] {
            for bytes in [PixelBytes { read: 26, made: 3 }, PixelBytes { read: 26, made: 26 }] {
                let part = Part::whole(image);
                assert!(!sizes.take_whole(image));
                let plan = sizes.plan(image, &part, bytes);
                let along =
                    |spans: &crate::inference::plan::Spans| spans.iter().map(|span| span.seen.len()).sum::<usize>();
                let tiles = along(&plan.rows) as f64 * along(&plan.columns) as f64;
                let sample = sizes.sample(part.pixels()).next_multiple_of(64 * 64);
                let work = (tiles + sample as f64) / part.pixels() as f64;
                assert!(work <= 1.4, "{work} for {image:?}");
            }
        }
    }
}
