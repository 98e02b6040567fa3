//! The options of a Pix2Pix.

use serde::{Deserialize, Serialize};

use crate::dataset::{DomainSpec, PerDomain};
use crate::error::{Error, ErrorKind, Result};
use crate::loss::AdversarialLoss;
use crate::models::core::{size, weight, within};
use crate::nn::{
    GeneratorShape, Initialization, PairDiscriminatorShape, Plan, UnetShape, Upsampling, UpsamplingInit, folded_unet,
    generator, pair_discriminator, unet,
};

/// The generator network.
///
/// ```
/// use geolearn::models::pix2pix::Generator;
/// use geolearn::{DatasetType, Pix2Pix, prepare_data};
///
/// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
/// let builder = Pix2Pix::builder(&data).generator(Generator::Resnet);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Generator {
    /// The U-Net of arcgis.learn, whose skip connections keep edges in place. Its innermost maps are a few pixels of an
    /// image, and so are the statistics of their norms; scenes are therefore translated in blended tiles. The default.
    #[default]
    Unet,
    /// The ResNet generator of CycleGAN, which translates scenes of any size without seams. arcgis.learn does not
    /// support it.
    Resnet,
    /// The U-Net of the research code (`unet_256`) with its batch norms folded into the convolutions, as created by
    /// [`Pix2Pix::import_generator`](crate::Pix2Pix::import_generator). Further training is without norms.
    FoldedUnet,
}

/// The options of a Pix2Pix: its networks and its losses.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `generator` | U-Net | the generator network | |
/// | `gen_levels` | 8 | how often a U-Net halves height and width; sides that are not multiples of 2^levels are extended by mirroring, so use 6 for chips of 64 pixels | 2 to 10 |
/// | `gen_blocks` | 9 | residual blocks of a ResNet generator | 1 to 64 |
/// | `gen_features` | 64 | feature maps of the generator's first layer | 1 to 1024 |
/// | `disc_features` | 64 | feature maps of the discriminator's first layer | 1 to 1024 |
/// | `adversarial` | cross-entropy | form of the adversarial loss, of both networks | |
/// | `lambda_l1` | 100 | weight of the mean absolute difference from the real image | ≥ 0 |
/// | `dropout` | on | drops half of the values in a U-Net's inner layers in training, but not in translations | |
/// | `initialization` | N(0, 0.02) | how weights are initialized | |
/// | `seed` | that of the data, or 42 | seed of all randomness of the model | |
///
/// arcgis.learn builds a U-Net of 8 levels and networks with 64 features, with the same number of channels for A and B,
/// for chips in multiples of 256 pixels. It cannot open other models.
///
/// ```
/// use geolearn::models::pix2pix::Pix2PixConfig;
///
/// let mut config = Pix2PixConfig::default();
/// config.gen_levels = 6;
/// assert_eq!(config.lambda_l1, 100.0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Pix2PixConfig {
    /// The generator network.
    pub generator: Generator,
    /// How often a U-Net halves height and width.
    pub gen_levels: usize,
    /// Residual blocks of a ResNet generator.
    pub gen_blocks: usize,
    /// Feature maps of the generator's first layer.
    pub gen_features: usize,
    /// Feature maps of the discriminator's first layer.
    pub disc_features: usize,
    /// Form of the adversarial loss.
    pub adversarial: AdversarialLoss,
    /// Weight of the mean absolute difference from the real image.
    pub lambda_l1: f64,
    /// Whether the U-Net uses dropout in training.
    pub dropout: bool,
    /// How weights are initialized.
    #[serde(rename = "initialisation")]
    pub initialization: Initialization,
    /// Seed of all randomness of the model.
    pub seed: u64,
}

impl Default for Pix2PixConfig {
    fn default() -> Self {
        Self {
            generator: Generator::Unet,
            gen_levels: ARCGIS_LEVELS,
            gen_blocks: 9,
            gen_features: ARCGIS_FEATURES,
            disc_features: ARCGIS_FEATURES,
            adversarial: AdversarialLoss::BinaryCrossEntropy,
            lambda_l1: 100.0,
            dropout: true,
            initialization: Initialization::Paper,
            seed: 42,
        }
    }
}

/// The sizes of arcgis.learn's networks.
const ARCGIS_LEVELS: usize = 8;
const ARCGIS_FEATURES: usize = 64;
const ARCGIS_CHIP: usize = 256;

impl Pix2PixConfig {
    pub(super) fn check(&self) -> Result<()> {
        within("gen_levels", self.gen_levels, 2..=10)?;
        within("gen_blocks", self.gen_blocks, 1..=64)?;
        within("gen_features", self.gen_features, 1..=1024)?;
        within("disc_features", self.disc_features, 1..=1024)?;
        weight("lambda_l1", self.lambda_l1)
    }

    /// Names what keeps arcgis.learn from opening a model with this many channels and chips of this height, if anything
    /// does.
    pub(super) fn beyond_arcgis(&self, channels: PerDomain<usize>, height: usize) -> Option<&'static str> {
        [
            (self.generator == Generator::Resnet, "a generator that is not a U-Net"),
            (self.generator == Generator::FoldedUnet, "the U-Net of the research code"),
            (self.gen_levels != ARCGIS_LEVELS, "a U-Net with other than 8 levels"),
            ([self.gen_features, self.disc_features] != [ARCGIS_FEATURES; 2], "networks with other than 64 features"),
            (channels.a != channels.b, "domains with different numbers of channels: choose Channels::Shared"),
            (!height.is_multiple_of(ARCGIS_CHIP), "chips whose sides are not multiples of 256 pixels"),
        ]
        .into_iter()
        .find_map(|(is_beyond, what)| is_beyond.then_some(what))
    }

    /// Checks that the images of both domains have the same size, like pairs.
    pub(super) fn check_domains(domains: &PerDomain<DomainSpec>) -> Result<()> {
        let [(a_height, a_width), (b_height, b_width)] = [domains.a.chip, domains.b.chip];
        if domains.a.chip == domains.b.chip {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, "the chips of both domains differ in size")
            .expected(format!("{a_width} x {a_height} pixels in both, as pairs of the same places have"))
            .found(format!("{b_width} x {b_height} in domain B"))
            .help("Use PrepareData::resize_to, or export both domains with the same cell size."))
    }

    /// Plans the generator from and to images with this many channels.
    pub(super) fn generator_plan(&self, channels: PerDomain<usize>) -> Plan {
        let [input, output, features] = [channels.a, channels.b, self.gen_features].map(size);
        let shape = UnetShape { input, output, features, levels: size(self.gen_levels) };
        match self.generator {
            Generator::Unet => unet(shape),
            Generator::FoldedUnet => folded_unet(shape),
            Generator::Resnet => generator(GeneratorShape {
                input,
                output,
                features,
                blocks: size(self.gen_blocks),
                upsampling: Upsampling::Transposed,
                upsampling_init: UpsamplingInit::Scheme,
                global_skip: false,
            }),
        }
    }

    /// Plans the discriminator of pairs of images with this many channels.
    pub(super) fn discriminator_plan(&self, channels: PerDomain<usize>) -> Plan {
        let channels = size(channels.a.saturating_add(channels.b));
        pair_discriminator(PairDiscriminatorShape { channels, features: size(self.disc_features) })
    }

    /// Counts the parameters of both networks for this many channels.
    pub(super) fn parameter_count(&self, channels: PerDomain<usize>) -> u128 {
        let generator = self.generator_plan(channels).parameter_count();
        generator.saturating_add(self.discriminator_plan(channels).parameter_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RGB: PerDomain<usize> = PerDomain { a: 3, b: 3 };

    /// The sizes of arcgis.learn's networks.
    #[test]
    fn a_default_model_has_57_million_parameters() {
        assert_eq!(Pix2PixConfig::default().parameter_count(RGB), 54_404_099 + 2_767_808);
        let resnet = Pix2PixConfig { generator: Generator::Resnet, ..Pix2PixConfig::default() };
        assert_eq!(resnet.parameter_count(RGB), 11_378_179 + 2_767_808);
        // Numbers from a file that would overflow are just large.
        assert!(resnet.parameter_count(PerDomain { a: usize::MAX, b: usize::MAX }) > u64::MAX.into());
    }

    #[test]
    fn options_out_of_range_are_named() {
        let base = Pix2PixConfig::default;
        assert!(base().check().is_ok());
        for (config, name) in [
            (Pix2PixConfig { gen_levels: 1, ..base() }, "gen_levels"),
            (Pix2PixConfig { gen_levels: 11, ..base() }, "gen_levels"),
            (Pix2PixConfig { gen_blocks: 0, ..base() }, "gen_blocks"),
            (Pix2PixConfig { gen_features: 0, ..base() }, "gen_features"),
            (Pix2PixConfig { disc_features: 2000, ..base() }, "disc_features"),
            (Pix2PixConfig { lambda_l1: -1.0, ..base() }, "lambda_l1"),
            (Pix2PixConfig { lambda_l1: f64::NAN, ..base() }, "lambda_l1"),
        ] {
            assert!(config.check().unwrap_err().to_string().contains(name));
        }
    }

    #[test]
    fn what_arcgis_cannot_open_is_named() {
        let base = Pix2PixConfig::default;
        assert_eq!(base().beyond_arcgis(RGB, 512), None);
        for (channels, height, part) in
            [(PerDomain { a: 4, b: 3 }, 256, "numbers of channels"), (RGB, 64, "256 pixels")]
        {
            assert!(base().beyond_arcgis(channels, height).is_some_and(|what| what.contains(part)), "{part}");
        }
        for (config, part) in [
            (Pix2PixConfig { generator: Generator::Resnet, ..base() }, "not a U-Net"),
            (Pix2PixConfig { generator: Generator::FoldedUnet, ..base() }, "research code"),
            (Pix2PixConfig { gen_levels: 6, ..base() }, "8 levels"),
            (Pix2PixConfig { disc_features: 32, ..base() }, "64 features"),
        ] {
            assert!(config.beyond_arcgis(RGB, 256).is_some_and(|what| what.contains(part)), "{part}");
        }
    }
}
