//! The options of a CycleGAN.

use serde::{Deserialize, Serialize};

use crate::dataset::{Domain, DomainSpec, PerDomain};
use crate::error::{Error, ErrorKind, Result};
use crate::loss::{AdversarialLoss, DiffAugment};
use crate::models::core::{size, trained_bytes, weight, within};
use crate::nn::{
    DiscriminatorShape, GeneratorShape, Initialization, Plan, SMALLEST_TRAINING_SIDE, Upsampling, UpsamplingInit,
    discriminator, generator,
};
use crate::raster::Dtype;

/// The options of a CycleGAN: its networks and its losses.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `gen_blocks` | 9 | residual blocks of each generator | 1 to 64 |
/// | `gen_features` | 64 | feature maps of a generator's first layer | 1 to 1024 |
/// | `disc_features` | 64 | feature maps of a discriminator's first layer | 1 to 1024 |
/// | `disc_scales` | 1 | discriminators for each domain: at full and at half image size | 1 or 2 |
/// | `adversarial` | least squares | form of the adversarial loss | |
/// | `cycle_weight` | 10 | weight of the cycle loss, both ways | ≥ 0 |
/// | `cycle_weight_end` | none | weight of the cycle loss at the end of a fit, reached linearly | ≥ 0, or none for a constant weight |
/// | `identity_weight` | 0.5 | weight of the identity loss, as a share of the cycle's | ≥ 0; not used with [`Channels::Own`](crate::dataset::Channels::Own) if bands differ |
/// | `pool_size` | 50 | generated images kept for each discriminator | 0 for none |
/// | `initialization` | N(0, 0.02) | how weights are initialized | |
/// | `seed` | that of the data, or 42 | seed of all randomness of the model | |
/// | `upsampling` | transposed convolutions | how the generators double height and width | |
/// | `upsampling_init` | as `initialization` | how the transposed convolutions are initialized | |
/// | `global_skip` | off | adds the image to each generator's output | domains with the same number of channels |
/// | `spectral_norm` | off | divides the discriminators' weights by their spectral norms | |
/// | `diff_augment` | none | augmentation of the discriminators' images | colors: three bands of 8 bits in both domains |
/// | `average_half_life` | 0 | half-life in images of the running mean of the generators' weights | 0 for none |
///
/// arcgis.learn opens only models with 64 features.
///
/// ```
/// use geolearn::models::cyclegan::CycleGanConfig;
///
/// let mut config = CycleGanConfig::default();
/// config.gen_blocks = 6;
/// assert_eq!(config.gen_features, 64);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CycleGanConfig {
    /// Residual blocks of each generator.
    pub gen_blocks: usize,
    /// Feature maps of a generator's first layer.
    pub gen_features: usize,
    /// Feature maps of a discriminator's first layer.
    pub disc_features: usize,
    /// Form of the adversarial loss.
    pub adversarial: AdversarialLoss,
    /// Weight of the cycle loss.
    pub cycle_weight: f64,
    /// Weight of the identity loss as a share of the cycle's.
    pub identity_weight: f64,
    /// Generated images kept for each discriminator.
    pub pool_size: usize,
    /// How weights are initialized.
    #[serde(rename = "initialisation")]
    pub initialization: Initialization,
    /// Seed of all randomness of the model.
    pub seed: u64,
    /// Discriminators for each domain: at full and at half image size.
    #[serde(skip_serializing_if = "is_one")]
    pub disc_scales: usize,
    /// How the generators double height and width.
    #[serde(skip_serializing_if = "is_default")]
    pub upsampling: Upsampling,
    /// How the weights of the transposed convolutions are initialized.
    #[serde(skip_serializing_if = "is_default")]
    pub upsampling_init: UpsamplingInit,
    /// Whether each generator adds the image to its last layer's output.
    #[serde(skip_serializing_if = "is_default")]
    pub global_skip: bool,
    /// Whether the discriminators' weights are divided by their spectral norms.
    #[serde(skip_serializing_if = "is_default")]
    pub spectral_norm: bool,
    /// Augmentation of the discriminators' images.
    #[serde(skip_serializing_if = "is_default")]
    pub diff_augment: DiffAugment,
    /// Weight of the cycle loss at the end of a fit; `None` if it is constant.
    #[serde(skip_serializing_if = "is_default")]
    pub cycle_weight_end: Option<f64>,
    /// Half-life, in images, of the running mean of the generators' weights; 0 for none.
    #[serde(skip_serializing_if = "is_default")]
    pub average_half_life: f64,
}

/// Keys that are written only if an option is set, so that models without it are written as in older releases.
pub(super) const OPTIONAL_KEYS: &[&str] = &[
    "average_half_life",
    "cycle_weight_end",
    "diff_augment",
    "disc_scales",
    "global_skip",
    "spectral_norm",
    "upsampling",
    "upsampling_init",
];

fn is_one(value: &usize) -> bool {
    *value == 1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for CycleGanConfig {
    fn default() -> Self {
        Self {
            gen_blocks: 9,
            gen_features: 64,
            disc_features: 64,
            adversarial: AdversarialLoss::LeastSquares,
            cycle_weight: 10.0,
            identity_weight: 0.5,
            pool_size: 50,
            initialization: Initialization::Paper,
            seed: 42,
            disc_scales: 1,
            upsampling: Upsampling::Transposed,
            upsampling_init: UpsamplingInit::Scheme,
            global_skip: false,
            spectral_norm: false,
            diff_augment: DiffAugment::default(),
            cycle_weight_end: None,
            average_half_life: 0.0,
        }
    }
}

impl CycleGanConfig {
    pub(super) fn check(&self) -> Result<()> {
        within("gen_blocks", self.gen_blocks, 1..=64)?;
        within("gen_features", self.gen_features, 1..=1024)?;
        within("disc_features", self.disc_features, 1..=1024)?;
        within("disc_scales", self.disc_scales, 1..=2)?;
        weight("cycle_weight", self.cycle_weight)?;
        weight("cycle_weight_end", self.cycle_weight_end.unwrap_or(0.0))?;
        weight("identity_weight", self.identity_weight)?;
        weight("average_half_life", self.average_half_life)?;
        match (self.upsampling, self.upsampling_init) {
            (Upsampling::Resize, UpsamplingInit::Bilinear) => {
                Err(Error::new(ErrorKind::Usage, "upsampling_init has no effect here")
                    .expected("transposed convolutions for a bilinear start")
                    .found("resize-convolutions"))
            }
            _ => Ok(()),
        }
    }

    /// Names what arcgis.learn's networks do not support, if there is such a thing.
    pub(super) fn beyond_arcgis(&self, channels: PerDomain<usize>) -> Option<&'static str> {
        [
            (self.gen_features != 64 || self.disc_features != 64, "networks with other than 64 features"),
            (channels.a != channels.b, "domains with different numbers of channels"),
            (self.upsampling == Upsampling::Resize, "resize-convolutions"),
            (self.disc_scales > 1, "discriminators with two scales"),
            (self.global_skip, "generators with a global skip"),
        ]
        .into_iter()
        .find_map(|(is_beyond, what)| is_beyond.then_some(what))
    }

    /// Returns the shortest side of chips that the discriminators can train on.
    pub(super) fn smallest_side(&self) -> i64 {
        SMALLEST_TRAINING_SIDE * self.disc_scales as i64
    }

    /// Checks that the options suit images of these domains.
    pub(super) fn check_domains(&self, domains: &PerDomain<DomainSpec>) -> Result<()> {
        let channels = PerDomain::from_fn(|domain| domains.get(domain).normalizer.channels());
        if self.global_skip && channels.a != channels.b {
            return Err(Error::new(
                ErrorKind::Usage,
                "global_skip cannot add images of one domain to those of the other",
            )
            .expected("as many channels in both domains")
            .found(format!("{} in A and {} in B", channels.a, channels.b))
            .help("Use Channels::Shared, choose as many bands for both, or leave global_skip off."));
        }
        for domain in Domain::BOTH {
            let normalizer = &domains.get(domain).normalizer;
            let (channels, dtype) = (normalizer.channels(), normalizer.dtype());
            if self.diff_augment.has_color() && (channels, dtype) != (3, Dtype::U8) {
                return Err(Error::new(ErrorKind::Usage, "diff_augment cannot change the colors of these images")
                    .expected("three bands of 8 bits in both domains, as photographs have")
                    .found(format!("{channels} bands of {dtype:?} in domain {domain}"))
                    .help("Use DiffAugment::translation and cutout."));
            }
        }
        Ok(())
    }

    /// Returns whether there is a running mean of the generators' weights.
    pub(super) fn has_average(&self) -> bool {
        self.average_half_life > 0.0
    }

    /// Returns whether there is an identity loss: only if a generator's input has as many channels as its output.
    pub(super) fn has_identity(&self, channels: PerDomain<usize>) -> bool {
        let most = self.cycle_weight.max(self.cycle_weight_end.unwrap_or(0.0));
        channels.a == channels.b && self.identity_weight * most > 0.0
    }

    /// Plans a generator with this many input and output channels.
    pub(super) fn generator_plan(&self, input: usize, output: usize) -> Plan {
        let [input, output, features, blocks] = [input, output, self.gen_features, self.gen_blocks].map(size);
        let &Self { upsampling, upsampling_init, global_skip, .. } = self;
        generator(GeneratorShape { input, output, features, blocks, upsampling, upsampling_init, global_skip })
    }

    /// Returns the shape of the discriminator of a domain with this many channels.
    pub(super) fn discriminator_shape(&self, channels: usize) -> DiscriminatorShape {
        let [channels, features] = [channels, self.disc_features].map(size);
        DiscriminatorShape { channels, features, spectral_norm: self.spectral_norm, scales: self.disc_scales }
    }

    /// Counts the parameters of all four networks for this many channels.
    pub(crate) fn parameter_count(&self, channels: PerDomain<usize>) -> u128 {
        let of = |channels| {
            let one = discriminator(self.discriminator_shape(channels)).parameter_count();
            one.saturating_mul(self.disc_scales as u128)
        };
        self.generator_parameter_count(channels).saturating_add(of(channels.a)).saturating_add(of(channels.b))
    }

    /// Counts the bytes of all networks including their training state.
    pub(super) fn trained_bytes(&self, channels: PerDomain<usize>) -> u128 {
        let mean = if self.has_average() { self.generator_parameter_count(channels).saturating_mul(4) } else { 0 };
        trained_bytes(self.parameter_count(channels)).saturating_add(mean)
    }

    /// Counts the parameters of both generators.
    pub(super) fn generator_parameter_count(&self, PerDomain { a, b }: PerDomain<usize>) -> u128 {
        let of = |input, output| self.generator_plan(input, output).parameter_count();
        of(a, b).saturating_add(of(b, a))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of arcgis.learn's networks.
    #[test]
    fn a_default_model_has_28_million_parameters() {
        assert_eq!(CycleGanConfig::default().parameter_count(PerDomain { a: 3, b: 3 }), 2 * (11_378_179 + 2_764_737));
    }

    #[test]
    fn the_running_mean_takes_memory_too() {
        let (rgb, generators) = (PerDomain { a: 3, b: 3 }, 2 * 11_378_179);
        let needed = 3 * 4 * (generators + 2 * 2_764_737);
        assert_eq!(CycleGanConfig::default().trained_bytes(rgb), needed);
        let with_mean = CycleGanConfig { average_half_life: 1.0, ..CycleGanConfig::default() };
        assert_eq!(with_mean.trained_bytes(rgb), needed + 4 * generators);
        // Numbers from a file that would overflow are just large.
        assert!(with_mean.trained_bytes(PerDomain { a: usize::MAX, b: usize::MAX }) > u64::MAX.into());
    }

    /// A model with default options is written as before there were others.
    #[test]
    fn options_that_are_off_are_not_written() {
        let json = serde_json::to_value(CycleGanConfig::default()).unwrap();
        let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, KEYS);
        for key in OPTIONAL_KEYS {
            assert!(!KEYS.contains(key));
        }
    }

    const KEYS: [&str; 9] = [
        "adversarial",
        "cycle_weight",
        "disc_features",
        "gen_blocks",
        "gen_features",
        "identity_weight",
        "initialisation",
        "pool_size",
        "seed",
    ];

    #[test]
    fn what_arcgis_cannot_open_is_named() {
        let (base, three) = (CycleGanConfig::default, PerDomain { a: 3, b: 3 });
        assert_eq!(base().beyond_arcgis(three), None);
        assert!(base().beyond_arcgis(PerDomain { a: 3, b: 1 }).is_some_and(|what| what.contains("channels")));
        for (config, part) in [
            (CycleGanConfig { gen_features: 16, ..base() }, "64 features"),
            (CycleGanConfig { disc_features: 32, ..base() }, "64 features"),
            (CycleGanConfig { upsampling: Upsampling::Resize, ..base() }, "resize-convolutions"),
            (CycleGanConfig { disc_scales: 2, ..base() }, "two scales"),
            (CycleGanConfig { global_skip: true, ..base() }, "global skip"),
        ] {
            assert!(config.beyond_arcgis(three).is_some_and(|what| what.contains(part)), "{part}");
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        let base = CycleGanConfig::default;
        assert!(base().check().is_ok());
        for (config, name) in [
            (CycleGanConfig { gen_blocks: 0, ..base() }, "gen_blocks"),
            (CycleGanConfig { gen_features: 5000, ..base() }, "gen_features"),
            (CycleGanConfig { disc_features: 0, ..base() }, "disc_features"),
            (CycleGanConfig { disc_scales: 0, ..base() }, "disc_scales"),
            (CycleGanConfig { disc_scales: 3, ..base() }, "disc_scales"),
            (CycleGanConfig { cycle_weight: -1.0, ..base() }, "cycle_weight"),
            (CycleGanConfig { cycle_weight_end: Some(f64::NAN), ..base() }, "cycle_weight_end"),
            (CycleGanConfig { identity_weight: f64::INFINITY, ..base() }, "identity_weight"),
            (
                CycleGanConfig { upsampling: Upsampling::Resize, upsampling_init: UpsamplingInit::Bilinear, ..base() },
                "upsampling_init",
            ),
            (CycleGanConfig { average_half_life: -1.0, ..base() }, "average_half_life"),
        ] {
            assert!(config.check().unwrap_err().to_string().contains(name));
        }
    }
}
