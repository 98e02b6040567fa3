//! One scene, and the strategy for it.

use super::Strategy;
use super::blended::{self, BlendedTiles};
use super::halo_tiles::{HaloTiles, TileNorms};
use super::local_norm::{self, LocalNorm};
use super::norm_statistics::NormStatistics;
use super::progress::Progress;
use super::scene_statistics::gathered_once;
use super::translation::Translation;
use crate::error::Result;
use crate::inference::tiling::{Nodes, Overlap, Part, TilePlan, TileSize, chip_side};
use crate::nn::Moments;
use crate::peers::Peers;
use crate::raster::Source;

/// A scene that is translated in parts.
pub(crate) struct SceneTranslation<'a> {
    pub translation: &'a Translation<'a>,
    pub source: &'a Source,
    pub statistics: NormStatistics,
    pub tiles: TileSize,
    /// Statistics of the scene, or of all scenes, if they are known already.
    pub moments: Option<Vec<Moments>>,
    /// The processes that share the scene.
    pub peers: &'a dyn Peers,
}

impl<'a> SceneTranslation<'a> {
    /// Checks that there is memory for a part, besides that for tiles.
    ///
    /// # Errors
    /// `Limits` if there is not.
    pub fn check_memory(&self, part: &Part) -> Result<()> {
        match self.statistics {
            NormStatistics::Tile { .. } => blended::check_memory(self.translation, self.source, part, self.tiles.side),
            NormStatistics::Local { spacing } => {
                let (translation, spacing) = (self.translation, self.spacing(spacing));
                let nodes = (spacing, translation.statistics_values());
                local_norm::check_memory(translation, self.source, self.tiles, nodes)
            }
            NormStatistics::Scene | NormStatistics::Inputs => Ok(()),
        }
    }

    /// Returns the strategy for a part of the scene, where `empty` means "no data". Gathers the statistics that it
    /// needs, unless they are known.
    pub fn strategy(
        &mut self,
        part: &Part,
        empty: Option<f64>,
        progress: &mut Progress,
    ) -> Result<Box<dyn Strategy + 'a>> {
        let norms = match self.statistics {
            NormStatistics::Tile { padding } => {
                let overlap = Overlap::of(self.tiles.side, padding);
                let (part, image) = (part.clone(), self.source.size());
                return Ok(Box::new(BlendedTiles::new(self.translation, part, image, overlap, empty)));
            }
            NormStatistics::Scene if self.is_whole(part) => TileNorms::Own,
            NormStatistics::Scene | NormStatistics::Inputs => self.fixed_norms(progress)?,
            NormStatistics::Local { spacing } => self.local_norms(spacing, progress)?,
        };
        Ok(Box::new(HaloTiles { translation: self.translation, plan: self.plan(part), norms, empty }))
    }

    /// Returns the side of the blocks in which a part is written; `None` if it is written row by row.
    pub fn block(&self, part: &Part) -> Option<usize> {
        match self.statistics {
            NormStatistics::Tile { .. } => None,
            _ => self.plan(part).block,
        }
    }

    /// Cuts a part into tiles that do not overlap.
    fn plan(&self, part: &Part) -> TilePlan {
        let size = self.source.size();
        match self.is_whole(part) {
            true => TilePlan::whole(size),
            false => TilePlan::new(size, part, self.tiles, self.translation.pixel_bytes(self.source)),
        }
    }

    /// Returns whether the part is a whole scene that goes through the network at once.
    fn is_whole(&self, part: &Part) -> bool {
        *part == Part::whole(self.source.size()) && self.tiles.takes_whole(self.source.size())
    }

    fn fixed_norms(&mut self, progress: &mut Progress) -> Result<TileNorms<'a>> {
        let translation = self.translation;
        match self.moments(progress)? {
            Some(moments) => Ok(TileNorms::Fixed(Box::new(translation.folded(moments)?))),
            // There is nothing to translate.
            None => Ok(TileNorms::Own),
        }
    }

    fn local_norms(&mut self, spacing: Option<usize>, progress: &mut Progress) -> Result<TileNorms<'a>> {
        let (side, spacing, source) = (chip_side(self.translation.chip), self.spacing(spacing), self.source);
        let Some(moments) = self.moments(progress)? else { return Ok(TileNorms::Own) };
        let fallback = moments.iter().map(Moments::shallow_clone).collect();
        Ok(TileNorms::Local(Box::new(LocalNorm::new(source, spacing, side, fallback))))
    }

    /// Returns the distance of nodes, `asked` if it is given.
    fn spacing(&self, asked: Option<usize>) -> usize {
        let chip = self.translation.chip;
        asked.unwrap_or_else(|| Nodes::usual_spacing(chip, chip_side(chip)))
    }

    /// Returns the statistics of the scene, gathered at first use; `None` if it has no data.
    fn moments(&mut self, progress: &mut Progress) -> Result<Option<&[Moments]>> {
        if self.moments.is_none() {
            self.moments = gathered_once(self.peers, (self.translation, self.tiles), &[self.source], progress)?;
        }
        Ok(self.moments.as_deref())
    }
}
