//! Opens models from the files of the research code.

use std::path::{Path, PathBuf};

use super::Pix2Pix;
use super::config::{Generator, Pix2PixConfig};
use super::networks::GENERATOR;
use crate::dataset::PerDomain;
use crate::device::Device;
use crate::error::Result;
use crate::ffi;
use crate::models::core::{Start, eight_bit_domain, prefixed, setters};
use crate::nn::load_parameters;
use crate::package::research_unet;

impl Pix2Pix {
    /// Opens the generator that the research code (junyanz/pytorch-CycleGAN-and-pix2pix) saves as `latest_net_G.pth`
    /// for `--model pix2pix`, on the first CUDA device that is available, or else the CPU.
    ///
    /// The generator is that of `--netG unet_256`, the default, or `unet_128`, with `--norm batch`, of any `--ngf`,
    /// `--input_nc` and `--output_nc`; keys may have the prefixes `module.` and `_orig_mod.`. Its batch norms use their
    /// running statistics and there is no dropout, as with its `--eval`. Without that flag, the research code
    /// normalizes by the statistics of each batch and uses dropout at test time, too, so the same image gives a
    /// different translation every time.
    ///
    /// The images are assumed to have 8 bits, 0 to 255. Domain A is the generator's input: with `--direction BtoA` that
    /// is the research code's B. The discriminator is new.
    ///
    /// ```
    /// use geolearn::Pix2Pix;
    ///
    /// let model = Pix2Pix::import_generator("tests/fixtures/pix2pix/latest_net_G.pth")?;
    /// assert_eq!(model.config().gen_levels, 6);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Io`, `Format` or `Limits` for a file that cannot be read; `Unsupported` for another architecture, naming the first key that
    /// differs and both shapes.
    pub fn import_generator(path: impl AsRef<Path>) -> Result<Self> {
        Self::import(path).build()
    }

    /// Opens the research code's generator with options.
    ///
    /// ```
    /// use geolearn::{Device, Pix2Pix};
    ///
    /// let model = Pix2Pix::import("tests/fixtures/pix2pix/latest_net_G.pth").dropout(false).device(Device::Cpu).build()?;
    /// assert!(!model.config().dropout);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn import(path: impl AsRef<Path>) -> Pix2PixImport {
        let config = Pix2PixConfig { generator: Generator::FoldedUnet, ..Pix2PixConfig::default() };
        Pix2PixImport { path: path.as_ref().to_owned(), config, device: Device::Auto }
    }
}

/// Options of an import from the research code, created by [`Pix2Pix::import`].
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `dropout` | on | dropout in further training, as in the research code without `--no_dropout` |
/// | `disc_features` | 64 | feature maps of the new discriminator's first layer |
/// | `seed` | 42 | seed of the new discriminator |
/// | `device` | CUDA, or the CPU | where to compute |
///
/// ```
/// use geolearn::Pix2Pix;
///
/// let model = Pix2Pix::import("tests/fixtures/pix2pix/latest_net_G.pth").disc_features(16).build()?;
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Pix2PixImport {
    path: PathBuf,
    config: Pix2PixConfig,
    device: Device,
}

setters!(Pix2PixImport: disc_features, seed("42"), device);

impl Pix2PixImport {
    /// Turns dropout in further training on or off. Default: on.
    ///
    /// ```
    /// use geolearn::Pix2Pix;
    ///
    /// let import = Pix2Pix::import("tests/fixtures/pix2pix/latest_net_G.pth").dropout(false);
    /// ```
    pub fn dropout(mut self, on: bool) -> Self {
        self.config.dropout = on;
        self
    }

    /// Reads the file and builds the model.
    ///
    /// ```
    /// use geolearn::Pix2Pix;
    ///
    /// let model = Pix2Pix::import("tests/fixtures/pix2pix/latest_net_G.pth").build()?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`Pix2Pix::import_generator`], and `Device` for a device that cannot be used.
    pub fn build(self) -> Result<Pix2Pix> {
        ffi::allowed();
        let Self { path, mut config, device } = self;
        let net = research_unet::unet(&path)?;
        (config.gen_levels, config.gen_features) = (net.levels, net.features);
        config.check().map_err(|e| e.at(&path))?;
        let domains = PerDomain { a: eight_bit_domain(net.input)?, b: eight_bit_domain(net.output)? };
        let model = Pix2Pix::assemble((config, Start::Drawn), domains, None, device.resolve()?)?;
        let weights: Vec<_> = prefixed(GENERATOR, net.tensors).collect();
        load_parameters(&model.model.nets.generator.parameters(), &weights).map_err(|e| e.at(&path))?;
        Ok(model)
    }
}
