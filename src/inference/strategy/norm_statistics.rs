//! The choice of norm statistics for translating a scene.

use crate::error::Result;
use crate::inference::tiling::{Overlap, SPACINGS, out_of_range};

/// The source of the mean and deviation of the generator's instance norms when a scene is translated in tiles.
///
/// In training they come from the chip. If every tile of a scene used its own, the same forest would look different
/// from tile to tile, with a seam in between. `docs/raster-inference.md` compares the choices: their cost, and how far
/// they are from the scene translated as a whole.
///
/// ```
/// use geolearn::inference::NormStatistics;
/// use geolearn::{Domain, RasterOptions};
///
/// let options = RasterOptions::new(Domain::B).statistics(NormStatistics::Tile { padding: None });
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NormStatistics {
    /// One set for the whole scene, from a sample of chips spread over it. No seams, and closest to the scene
    /// translated as a whole. A scene that fits into one tile is translated as a whole.
    #[default]
    Scene,
    /// One set for all scenes of the call, so that the parts of a mosaic match.
    Inputs,
    /// A set for each node of a grid over the scene, with bilinear interpolation: Dense Normalization (Ho et al. 2024,
    /// arXiv:2407.04245). Follows a scene whose parts differ a lot, such as desert and forest; costs more.
    Local {
        /// Distance of the nodes in pixels, 16 to 65,536. Default: twice the side of the model's chips.
        spacing: Option<usize>,
    },
    /// Each tile has its own, and overlapping tiles are blended: arcgis.learn's method, except that pixels without data
    /// do not count. It takes four times the work with the default padding, and memory grows with the width of the
    /// scene. The tile size is that of the model's chips, unless
    /// [`RasterOptions::tile_size`](crate::RasterOptions::tile_size) sets another.
    Tile {
        /// Overlap with the neighbor on each side in pixels, less than half the tile size. Default: a quarter of it.
        padding: Option<usize>,
    },
}

impl NormStatistics {
    /// Checks the numbers of the choice for tiles of the side `tile_side`, if that is known already.
    ///
    /// # Errors
    /// `Usage` for a number out of range.
    pub(crate) fn check(self, tile_side: Option<usize>) -> Result<()> {
        match (self, tile_side) {
            (Self::Local { spacing: Some(spacing) }, _) if !SPACINGS.contains(&spacing) => {
                let expected = format!("{} to {}", SPACINGS.start(), SPACINGS.end());
                Err(out_of_range("spacing of local statistics", expected, spacing))
            }
            (Self::Tile { padding: Some(padding) }, Some(side)) if !Overlap::is_possible(side, padding) => {
                Err(out_of_range("padding of tiles", format!("less than half of {side}"), padding))
            }
            _ => Ok(()),
        }
    }
}
