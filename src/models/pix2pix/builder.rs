//! Options of a Pix2Pix before it is built.

use std::path::PathBuf;

use super::{Generator, Pix2Pix, Pix2PixConfig, Pix2PixModel};
use crate::dataset::DataBunch;
use crate::device::Device;
use crate::error::Result;
use crate::models::core::{LoadOptions, Model, setters};

/// Sets the options of a [`Pix2Pix`] before it is built; [`Pix2PixConfig`] lists them.
///
/// ```
/// use geolearn::models::pix2pix::Generator;
/// use geolearn::nn::Initialization;
/// use geolearn::{DatasetType, Device, Pix2Pix, prepare_data};
///
/// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
/// let model = Pix2Pix::builder(&data)
///     .generator(Generator::Resnet)
///     .gen_blocks(2)
///     .gen_features(8)
///     .disc_features(8)
///     .lsgan(true)
///     .lambda_l1(50.0)
///     .initialization(Initialization::Kaiming)
///     .seed(7)
///     .device(Device::Cpu)
///     .build()?;
/// assert_eq!(model.config().generator, Generator::Resnet);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Pix2PixBuilder {
    data: DataBunch,
    config: Pix2PixConfig,
    device: Device,
    pretrained: Option<(PathBuf, LoadOptions)>,
}

impl Pix2Pix {
    /// Creates a model with the defaults of [`Pix2PixConfig`] and new weights.
    ///
    /// ```no_run
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("pairs/", DatasetType::Pix2Pix)?;
    /// let model = Pix2Pix::new(&data)?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` if the data has no pairs or the chips are too small to train on, `Torch` if memory is short.
    pub fn new(data: &DataBunch) -> Result<Self> {
        Self::builder(data).build()
    }

    /// Returns a builder that sets options first; [`Pix2PixConfig`] lists them.
    ///
    /// ```
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// let builder = Pix2Pix::builder(&data).gen_levels(6);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn builder(data: &DataBunch) -> Pix2PixBuilder {
        let config = Pix2PixModel::default_config(data.seed());
        Pix2PixBuilder { data: data.clone(), config, device: Device::Auto, pretrained: None }
    }
}

setters!(Pix2PixBuilder: gen_blocks, gen_features, disc_features, lsgan("false"), initialization, seed("the data's seed"), device);

impl Pix2PixBuilder {
    /// Sets the generator network. Default: [`Generator::Unet`].
    ///
    /// ```
    /// use geolearn::models::pix2pix::Generator;
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// let builder = Pix2Pix::builder(&data).generator(Generator::Resnet);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn generator(mut self, generator: Generator) -> Self {
        self.config.generator = generator;
        self
    }

    /// Sets how often a U-Net halves height and width. Default: 8, for chips of 256 pixels.
    ///
    /// ```
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// let builder = Pix2Pix::builder(&data).gen_levels(6);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn gen_levels(mut self, levels: usize) -> Self {
        self.config.gen_levels = levels;
        self
    }

    /// Sets the weight of the mean absolute difference from the real image. Default: 100.
    ///
    /// ```
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// let builder = Pix2Pix::builder(&data).lambda_l1(50.0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn lambda_l1(mut self, weight: f64) -> Self {
        self.config.lambda_l1 = weight;
        self
    }

    /// Turns the U-Net's dropout in training on or off. Dropout keeps the network from memorizing a small number of
    /// pairs. Its random numbers follow from the seed and the step, so a fit is reproducible. Default: on.
    ///
    /// ```
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// let builder = Pix2Pix::builder(&data).dropout(false);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn dropout(mut self, on: bool) -> Self {
        self.config.dropout = on;
        self
    }

    /// Sets all options at once, including the seed.
    ///
    /// ```
    /// use geolearn::models::pix2pix::Pix2PixConfig;
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// let mut config = Pix2PixConfig::default();
    /// config.gen_levels = 6;
    /// let builder = Pix2Pix::builder(&data).config(config);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn config(mut self, config: Pix2PixConfig) -> Self {
        self.config = config;
        self
    }

    /// Starts from the weights of a saved model of the same architecture, given by its folder, its `.emd` or its
    /// `.pth`. The data is scaled by its own statistics; [`Pix2Pix::from_model`] keeps the model's scaling. Default:
    /// new weights.
    ///
    /// ```
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// let builder = Pix2Pix::builder(&data).pretrained_path("models/sar2rgb");
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn pretrained_path(self, path: impl Into<PathBuf>) -> Self {
        self.pretrained_with(path, LoadOptions::new())
    }

    /// Starts from the weights of a saved model like [`pretrained_path`](Self::pretrained_path), with options: with
    /// [`strict(false)`](LoadOptions::strict) the saved model may have another architecture, such as other bands.
    /// Tensors with the same name and shape are loaded, the others are initialized, and
    /// [`pretrained_report`](Pix2Pix::pretrained_report) lists them.
    ///
    /// ```
    /// use geolearn::models::LoadOptions;
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// let small = || Pix2Pix::builder(&data).gen_features(8).disc_features(8).gen_levels(5);
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("first");
    /// small().build()?.save(&path)?;
    /// let deeper = small().gen_levels(6).pretrained_with(&path, LoadOptions::new().strict(false)).build()?;
    /// println!("{}", deeper.pretrained_report().unwrap());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn pretrained_with(mut self, path: impl Into<PathBuf>, options: LoadOptions) -> Self {
        self.pretrained = Some((path.into(), options));
        self
    }

    /// Builds the model, and measures the batch size if the data [asks for it](crate::dataset::BatchSize::Auto).
    ///
    /// ```
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// let model = Pix2Pix::builder(&data).gen_levels(3).gen_features(4).disc_features(4).build()?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` for an option out of range, data without pairs or chips that are too small to train on; `Device` for a
    /// device that cannot be used; errors of [`Pix2Pix::from_model`] for a pretrained model, and `Usage` if its
    /// architecture differs, naming the first tensor that differs.
    pub fn build(self) -> Result<Pix2Pix> {
        Pix2Pix::built(self.data, self.config, self.device, self.pretrained)
    }
}
