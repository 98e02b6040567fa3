//! Models from the files of the CycleGAN research code.

use std::path::{Path, PathBuf};

use super::networks::Networks;
use super::{CycleGan, CycleGanConfig};
use crate::dataset::{Domain, PerDomain};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi;
use crate::models::core::{Start, eight_bit_domain, prefixed, setters};
use crate::nn::load_parameters;
use crate::package::research;

impl CycleGan {
    /// Opens the two generators that the CycleGAN research code (junyanz/pytorch-CycleGAN-and-pix2pix) saves as
    /// `latest_net_G_A.pth` and `latest_net_G_B.pth`, on the first CUDA device that can be used, or the CPU.
    ///
    /// **The letters mean the opposite there.** Its `G_A` takes images of A and makes images of B, so it becomes our
    /// `G_B`; its `G_B` becomes our `G_A`. Give its files in its own order, and `predict_a2b` does what its `AtoB` does.
    ///
    /// The generators are those of `--netG resnet_9blocks`, `resnet_6blocks` or any other number of blocks, with
    /// `--norm instance`, with or without dropout, of any `--ngf`, `--input_nc` and `--output_nc`; keys with or without
    /// `module.` and `_orig_mod.`; running statistics that old files have are not used. Files may be `.pth` of either form or
    /// `.safetensors`.
    ///
    /// Images are assumed to have 8 bits, 0 to 255, which the research code scales to [-1, 1] as x / 127.5 - 1. The
    /// discriminators are new: to continue a training, pass theirs to [`import`](Self::import).
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::import_generators(
    ///     "tests/fixtures/research/latest_net_G_A.pth",
    ///     "tests/fixtures/research/latest_net_G_B.pth",
    /// )?;
    /// let made = model.predict_a2b("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!((made.bands(), made.height(), made.width()), (3, 64, 64));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Io`, `Format` or `Limits` for a file that cannot be read; `Unsupported` for another architecture (U-Net, batch
    /// norm, zero padding), naming the first key that differs and both shapes; `Usage` when the two do not fit together.
    pub fn import_generators(net_g_a: impl AsRef<Path>, net_g_b: impl AsRef<Path>) -> Result<Self> {
        Self::import(net_g_a, net_g_b).build()
    }

    /// Opens a single generator, such as the `latest_net_G.pth` that the research code publishes for each of its data sets.
    /// `to` is the domain whose images it makes. Translating the other way is an error until the model has been
    /// [trained](Self::fit), also after [`save`](Self::save).
    ///
    /// ```
    /// use geolearn::{CycleGan, Domain};
    ///
    /// let model = CycleGan::import_generator("tests/fixtures/research/latest_net_G_A.pth", Domain::B)?;
    /// assert!(model.predict_a2b("assets/bluemarble/A/images/y0300_x0900.png").is_ok());
    /// assert!(model.predict_b2a("assets/bluemarble/B/images/y0300_x0900.png").is_err());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`import_generators`](Self::import_generators).
    pub fn import_generator(path: impl AsRef<Path>, to: Domain) -> Result<Self> {
        let mut import = GeneratorImport::default();
        import.set_generator(path.as_ref(), to);
        import.build()
    }

    /// Opens the research code's generators with options: the discriminators' files, the device.
    ///
    /// ```no_run
    /// use geolearn::{CycleGan, Device};
    ///
    /// let model = CycleGan::import("latest_net_G_A.pth", "latest_net_G_B.pth")
    ///     .discriminators("latest_net_D_A.pth", "latest_net_D_B.pth")
    ///     .device(Device::Cpu)
    ///     .build()?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn import(net_g_a: impl AsRef<Path>, net_g_b: impl AsRef<Path>) -> GeneratorImport {
        let generators = [net_g_a.as_ref(), net_g_b.as_ref()].map(|path| Some(path.to_owned()));
        GeneratorImport { generators, ..GeneratorImport::default() }
    }
}

/// Options of an import from the research code, created by [`CycleGan::import`].
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `discriminators` | none | files of the discriminators; without them they are new |
/// | `disc_features` | 64 | feature maps of new discriminators' first layer |
/// | `seed` | 42 | seed of new discriminators |
/// | `device` | CUDA, or the CPU | where to compute |
///
/// ```no_run
/// use geolearn::{CycleGan, Device};
///
/// let model = CycleGan::import("latest_net_G_A.pth", "latest_net_G_B.pth").device(Device::Cpu).build()?;
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct GeneratorImport {
    /// Its `G_A` and `G_B`, or one of them.
    generators: [Option<PathBuf>; 2],
    /// Its `D_A` and `D_B`.
    discriminators: Option<[PathBuf; 2]>,
    config: CycleGanConfig,
    device: Device,
}

setters!(GeneratorImport: disc_features, seed("42"), device);

impl GeneratorImport {
    /// Sets the file of the generator that makes images of domain `to`.
    pub(super) fn set_generator(&mut self, path: &Path, to: Domain) {
        let [net_g_a, net_g_b] = &mut self.generators;
        // The research code's letters are those of the input.
        let place = if to == Domain::B { net_g_a } else { net_g_b };
        *place = Some(path.to_owned());
    }

    /// Sets the files `latest_net_D_A.pth` and `latest_net_D_B.pth`, in the research code's order. Its `D_A` judges the
    /// images of B that its `G_A` makes, so it becomes our `D_B`. Default: new discriminators.
    ///
    /// ```no_run
    /// use geolearn::CycleGan;
    ///
    /// let import = CycleGan::import("latest_net_G_A.pth", "latest_net_G_B.pth");
    /// let model = import.discriminators("latest_net_D_A.pth", "latest_net_D_B.pth").build()?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn discriminators(mut self, net_d_a: impl AsRef<Path>, net_d_b: impl AsRef<Path>) -> Self {
        self.discriminators = Some([net_d_a.as_ref().to_owned(), net_d_b.as_ref().to_owned()]);
        self
    }

    /// Reads the files and builds the model.
    ///
    /// ```no_run
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::import("latest_net_G_A.pth", "latest_net_G_B.pth").build()?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`CycleGan::import_generators`], and `Device` for a device that cannot be used.
    pub fn build(self) -> Result<CycleGan> {
        ffi::allowed();
        let Self { generators: [net_g_a, net_g_b], discriminators, mut config, device } = self;
        let read = |path: &Option<PathBuf>| path.as_deref().map(research::generator).transpose();
        let (a2b, b2a) = (read(&net_g_a)?, read(&net_g_b)?);
        if let (Some(a2b), Some(b2a), Some(path)) = (&a2b, &b2a, &net_g_b) {
            check_pair(a2b, b2a).map_err(|e| e.at(path))?;
        }
        let untrained = if a2b.is_none() { Some(Domain::B) } else { b2a.is_none().then_some(Domain::A) };
        let channels = match (&a2b, &b2a) {
            (Some(net), _) => PerDomain { a: net.input, b: net.output },
            (None, Some(net)) => PerDomain { a: net.output, b: net.input },
            (None, None) => return Err(Error::new(ErrorKind::Usage, "no generator was given")),
        };
        let mut weights = Vec::new();
        for (to, net) in [(Domain::A, b2a), (Domain::B, a2b)] {
            if let Some(net) = net {
                config.gen_blocks = net.blocks;
                config.gen_features = net.features;
                weights.extend(prefixed(Networks::generator_name(to), net.tensors));
            }
        }
        if let Some([net_d_a, net_d_b]) = &discriminators {
            let (of_b, of_a) = (research::discriminator(net_d_a)?, research::discriminator(net_d_b)?);
            check_judges(&of_a, &of_b, channels).map_err(|e| e.at(net_d_b))?;
            config.disc_features = of_a.features;
            weights.extend(prefixed(Networks::discriminator_name(Domain::A), of_a.tensors));
            weights.extend(prefixed(Networks::discriminator_name(Domain::B), of_b.tensors));
        }
        config.check()?;
        let device = device.resolve()?;
        let facts = |domain| eight_bit_domain(*channels.get(domain));
        let domains = PerDomain { a: facts(Domain::A)?, b: facts(Domain::B)? };
        let mut model = CycleGan::assemble((config, Start::Drawn), domains, None, device)?;
        let mut target = model.model.nets.parameters();
        // Networks without files stay new.
        target.retain(|(name, _)| weights.iter().any(|(other, _)| network_of(other) == network_of(name)));
        load_parameters(&target, &weights)?;
        model.untrained = untrained;
        Ok(model)
    }
}

/// Returns the network of a parameter: `G_A` of `G_A.1.weight`.
fn network_of(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

/// Checks that the output of each generator fits the input of the other, and that both have the same size.
fn check_pair(a2b: &research::Generator, b2a: &research::Generator) -> Result<()> {
    let of = |channels: [usize; 2], net: &research::Generator| {
        let [input, output] = channels;
        format!("{input} bands to {output}, {} features, {} blocks", net.features, net.blocks)
    };
    let (expected, found) = (of([a2b.output, a2b.input], a2b), of([b2a.input, b2a.output], b2a));
    match expected == found {
        true => Ok(()),
        false => {
            Err(Error::new(ErrorKind::Usage, "the generators do not fit together").expected(expected).found(found))
        }
    }
}

fn check_judges(
    of_a: &research::Discriminator,
    of_b: &research::Discriminator,
    channels: PerDomain<usize>,
) -> Result<()> {
    let found = [(of_a.channels, of_a.features), (of_b.channels, of_b.features)];
    let expected = [(channels.a, of_a.features), (channels.b, of_a.features)];
    let words =
        |[a, b]: [(usize, usize); 2]| format!("{} bands of A with {} features, {} of B with {}", a.0, a.1, b.0, b.1);
    match expected == found {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Usage, "the discriminators do not fit the generators, or each other")
            .expected(words(expected))
            .found(words(found))
            .help("Give D_A and D_B in the research code's order.")),
    }
}
