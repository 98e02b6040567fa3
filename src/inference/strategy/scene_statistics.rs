//! Statistics of norms for whole scenes.

use super::progress::Progress;
use super::statistics_chips::chips;
use super::translation::Translation;
use crate::error::Result;
use crate::inference::tiling::{Part, TileSize, chip_side, is_gathered_whole, wanted_pixels};
use crate::nn::Moments;
use crate::raster::Source;

/// Gathers statistics of scenes together, one set for each layer; none where no scene has data.
pub(crate) fn gathered(
    translation: &Translation<'_>,
    tiles: TileSize,
    scenes: &[&Source],
    progress: &mut Progress,
) -> Result<Option<Vec<Moments>>> {
    progress.check_stop()?;
    let chips = match scenes {
        [scene] if tiles.takes_whole(scene.size()) || is_gathered_whole(scene.size()) => {
            let (height, width) = scene.size();
            vec![scene.window(0, 0, height, width)?]
        }
        _ => {
            let pixels = scenes.iter().map(|scene| Part::whole(scene.size()).pixels()).sum();
            chips(scenes, wanted_pixels(tiles.side, pixels), chip_side(translation.chip), progress)?
        }
    };
    progress.add_network(chips.iter().map(|chip| chip.height() as u64 * chip.width() as u64).sum());
    translation.pooled(&chips)
}
