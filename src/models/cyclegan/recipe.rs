//! Named sets of options.

use super::CycleGanConfig;
use crate::dataset::PerDomain;
use crate::loss::DiffAugment;
use crate::nn::Upsampling;

/// A named set of options, for [`CycleGanBuilder::recipe`](super::CycleGanBuilder::recipe). `docs/quality.md` compares the
/// translations after the same training time.
///
/// ```
/// use geolearn::{CycleGan, DatasetType, Recipe, prepare_data};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let builder = CycleGan::builder(&data).recipe(Recipe::Sharp);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recipe {
    /// The published networks, losses and weights of losses (Zhu et al. 2017, arXiv:1703.10593). With networks of 64 features
    /// and domains of the same number of channels, arcgis.learn opens what it saves. The default.
    #[default]
    Paper,
    /// The options that measured best on the bundled chips; they keep edges sharp and avoid the checkerboard:
    /// [resize-convolutions](Upsampling::Resize) and, if both domains have the same number of channels, a [global
    /// skip](CycleGanConfig::global_skip) with matching options: the weight of the cycle loss falls from 10 to 1, and
    /// the discriminators' images are [shifted and covered](DiffAugment). Other programs cannot open the model; its
    /// exports run everywhere.
    Sharp,
}

impl Recipe {
    /// Applies this recipe, keeping the network sizes and the seed of `config`.
    pub(super) fn applied(self, config: &CycleGanConfig, channels: PerDomain<usize>) -> CycleGanConfig {
        let &CycleGanConfig { gen_blocks, gen_features, disc_features, seed, .. } = config;
        let paper = CycleGanConfig { gen_blocks, gen_features, disc_features, seed, ..CycleGanConfig::default() };
        match self {
            Self::Paper => paper,
            // Measured together; without the skip, the other options alone were no better than the paper's.
            Self::Sharp if channels.a == channels.b => CycleGanConfig {
                upsampling: Upsampling::Resize,
                global_skip: true,
                cycle_weight_end: Some(1.0),
                diff_augment: DiffAugment::default().translation(true).cutout(true),
                ..paper
            },
            Self::Sharp => CycleGanConfig { upsampling: Upsampling::Resize, ..paper },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_keeps_only_sizes_and_seed() {
        let config = CycleGanConfig {
            gen_blocks: 3,
            gen_features: 16,
            disc_features: 8,
            seed: 7,
            cycle_weight: 1.0,
            spectral_norm: true,
            ..CycleGanConfig::default()
        };
        let paper = Recipe::Paper.applied(&config, PerDomain { a: 3, b: 3 });
        assert_eq!((paper.gen_blocks, paper.gen_features, paper.disc_features, paper.seed), (3, 16, 8, 7));
        let published =
            CycleGanConfig { gen_blocks: 9, gen_features: 64, disc_features: 64, seed: 42, ..paper.clone() };
        assert_eq!(published, CycleGanConfig::default());
        let sharp = |channels| Recipe::Sharp.applied(&config, channels);
        let same = sharp(PerDomain { a: 3, b: 3 });
        assert!(same.global_skip && same.cycle_weight_end == Some(1.0) && same.gen_features == 16);
        let other = sharp(PerDomain { a: 3, b: 1 });
        assert_eq!(other, CycleGanConfig { upsampling: Upsampling::Resize, ..paper.clone() });
        assert_eq!(Recipe::Paper.applied(&other, PerDomain { a: 3, b: 1 }), paper);
    }
}
