//! Options of a CycleGAN before it is built.

use std::path::PathBuf;

use super::{CycleGan, CycleGanConfig, CycleGanModel, Recipe};
use crate::dataset::{DataBunch, PerDomain};
use crate::device::Device;
use crate::error::Result;
use crate::loss::DiffAugment;
use crate::models::core::{LoadOptions, Model, setters};
use crate::nn::{Upsampling, UpsamplingInit};

/// Sets the options of a [`CycleGan`] before it is built; [`CycleGanConfig`] lists them.
///
/// ```
/// use geolearn::nn::Initialization;
/// use geolearn::{CycleGan, DatasetType, Device, prepare_data};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let model = CycleGan::builder(&data)
///     .gen_blocks(2)
///     .gen_features(8)
///     .disc_features(8)
///     .lsgan(false)
///     .pool_size(0)
///     .cycle_weight(5.0)
///     .identity_weight(0.0)
///     .initialization(Initialization::Kaiming)
///     .seed(7)
///     .device(Device::Cpu)
///     .build()?;
/// assert_eq!(model.config().gen_blocks, 2);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct CycleGanBuilder {
    data: DataBunch,
    config: CycleGanConfig,
    device: Device,
    pretrained: Option<(PathBuf, LoadOptions)>,
}

impl CycleGan {
    /// Creates a model with the defaults of [`CycleGanConfig`] and new weights.
    ///
    /// ```no_run
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("chips/", DatasetType::CycleGan)?;
    /// let model = CycleGan::new(&data)?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` if the chips are too small to train on, `Torch` if memory is short.
    pub fn new(data: &DataBunch) -> Result<Self> {
        Self::builder(data).build()
    }

    /// Returns a builder that sets options first; [`CycleGanConfig`] lists them.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).gen_blocks(6);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn builder(data: &DataBunch) -> CycleGanBuilder {
        CycleGanBuilder::new(data)
    }
}

setters!(CycleGanBuilder: gen_blocks, gen_features, disc_features, lsgan("true"), initialization, seed("the data's seed"), device);

impl CycleGanBuilder {
    fn new(data: &DataBunch) -> Self {
        let config = CycleGanModel::default_config(data.seed());
        Self { data: data.clone(), config, device: Device::Auto, pretrained: None }
    }

    /// Sets every option, except the sizes and the seed, to the recipe's value; later calls override it. Default:
    /// [`Recipe::Paper`].
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, Recipe, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let model = CycleGan::builder(&data).gen_blocks(2).gen_features(8).disc_features(8).recipe(Recipe::Sharp).build()?;
    /// assert!(model.config().global_skip);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn recipe(mut self, recipe: Recipe) -> Self {
        let channels = PerDomain::from_fn(|domain| self.data.channels(domain));
        self.config = recipe.applied(&self.config, channels);
        self
    }

    /// Sets the weight of the cycle loss. Default: 10.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).cycle_weight(5.0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn cycle_weight(mut self, weight: f64) -> Self {
        self.config.cycle_weight = weight;
        self
    }

    /// Sets the weight of the identity loss as a share of the cycle's. Default: 0.5.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).identity_weight(0.1);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn identity_weight(mut self, share: f64) -> Self {
        self.config.identity_weight = share;
        self
    }

    /// Sets how many generated images are kept for each discriminator. Default: 50; arcgis.learn keeps none.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).pool_size(0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn pool_size(mut self, images: usize) -> Self {
        self.config.pool_size = images;
        self
    }

    /// Sets the number of discriminators for each domain. With 2, the second one judges images at half size, so that it sees
    /// twice as far (Wang et al. 2018, arXiv:1711.11585, section 3.2). Losses are the mean over both instead of the sum, so the
    /// other weights keep their meaning. Chips then need sides of at least 48 pixels, and other programs cannot open the model.
    /// Default: 1.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).disc_scales(2);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn disc_scales(mut self, scales: usize) -> Self {
        self.config.disc_scales = scales;
        self
    }

    /// Chooses how the generators double height and width. Default: transposed convolutions, the only choice that arcgis.learn
    /// can open.
    ///
    /// ```
    /// use geolearn::nn::Upsampling;
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).upsampling(Upsampling::Resize);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn upsampling(mut self, form: Upsampling) -> Self {
        self.config.upsampling = form;
        self
    }

    /// Chooses how the weights of the transposed convolutions are initialized, which double height and width in a generator.
    /// Default: like the others.
    ///
    /// ```
    /// use geolearn::nn::UpsamplingInit;
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).upsampling_init(UpsamplingInit::Bilinear);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn upsampling_init(mut self, start: UpsamplingInit) -> Self {
        self.config.upsampling_init = start;
        self
    }

    /// Adds the image to the output of each generator's last layer, before the tanh, so that a generator learns only the change
    /// (the global skip connection of Kupyn et al. 2018, arXiv:1711.07064). For domains that show the same things in the same
    /// bands: edges stay sharp from the first step. Both domains need the same number of channels; other programs cannot open
    /// the model. Default: off.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let model = CycleGan::builder(&data).gen_blocks(2).gen_features(8).disc_features(8).global_skip(true).build()?;
    /// assert!(model.config().global_skip);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn global_skip(mut self, on: bool) -> Self {
        self.config.global_skip = on;
        self
    }

    /// Divides each weight of the discriminators by an estimate of its largest singular value (Miyato et al. 2018,
    /// arXiv:1802.05957), as PyTorch's `spectral_norm` does; one step of the power iteration follows each update. Saved
    /// models hold the divided weights, and the estimate of a loaded model starts over. Default: off.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).spectral_norm(true);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn spectral_norm(mut self, on: bool) -> Self {
        self.config.spectral_norm = on;
        self
    }

    /// Augments the images that the discriminators see, real and generated alike, for training on few chips. Validation
    /// does not use it. Default: none.
    ///
    /// ```
    /// use geolearn::loss::DiffAugment;
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).diff_augment(DiffAugment::default().translation(true));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn diff_augment(mut self, augment: DiffAugment) -> Self {
        self.config.diff_augment = augment;
        self
    }

    /// Changes the weight of the cycle loss linearly to `weight` over the steps of each fit (Wang and Lin 2024, "CycleGAN with
    /// Better Cycles", arXiv:2408.15374, let it decay), and with it the weight of the identity loss, which is a share of it.
    /// Validation keeps the initial weights, so that its numbers can be compared between epochs. Default: no change.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).cycle_weight_end(1.0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn cycle_weight_end(mut self, weight: f64) -> Self {
        self.config.cycle_weight_end = Some(weight);
        self
    }

    /// Keeps a running mean of the generators' weights (Yazici et al. 2019, arXiv:1806.04498), with a half-life of so many
    /// images of a domain; early in training it is at most a twentieth of the images seen, so that the mean soon forgets the
    /// random start. Predictions, validation, pictures, [`save`](CycleGan::save) and exports use the mean; training continues
    /// from the weights themselves, which [checkpoints](crate::train::Checkpoint) hold, too. Default: 0, no mean.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).average_half_life(1000.0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn average_half_life(mut self, images: f64) -> Self {
        self.config.average_half_life = images;
        self
    }

    /// Sets all options at once, including the seed.
    ///
    /// ```
    /// use geolearn::models::cyclegan::CycleGanConfig;
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let mut config = CycleGanConfig::default();
    /// config.gen_blocks = 6;
    /// let builder = CycleGan::builder(&data).config(config);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn config(mut self, config: CycleGanConfig) -> Self {
        self.config = config;
        self
    }

    /// Starts from the weights of a saved model of the same architecture, given by its folder, its `.emd` or its `.pth`. The
    /// data are scaled by their own statistics, which suits images of another sensor; [`CycleGan::from_model`] keeps the
    /// model's scaling. Default: new weights.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let pretrained = "assets/models/sat2relief";
    /// let config = CycleGan::from_model(pretrained, None)?.config().clone();
    /// let mut model = CycleGan::builder(&data).config(config).pretrained_path(pretrained).build()?;
    /// // model.fit(10)?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn pretrained_path(self, path: impl Into<PathBuf>) -> Self {
        self.pretrained_with(path, LoadOptions::new())
    }

    /// Starts from the weights of a saved model like [`pretrained_path`](Self::pretrained_path), with options: with
    /// [`strict(false)`](LoadOptions::strict) the saved model may have another architecture, such as other bands.
    /// Tensors with the same name and shape are loaded, the others are initialized, and
    /// [`pretrained_report`](CycleGan::pretrained_report) lists them.
    ///
    /// ```
    /// use geolearn::models::LoadOptions;
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let builder = CycleGan::builder(&data).gen_blocks(6).gen_features(16).disc_features(16);
    /// let model = builder.pretrained_with("assets/models/sat2relief", LoadOptions::new().strict(false)).build()?;
    /// println!("{}", model.pretrained_report().unwrap());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn pretrained_with(mut self, path: impl Into<PathBuf>, options: LoadOptions) -> Self {
        self.pretrained = Some((path.into(), options));
        self
    }

    /// Builds the model, and measures the batch size if the data [ask for it](crate::dataset::BatchSize::Auto).
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let model = CycleGan::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).build()?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` for an option out of range or chips that are too small to train on, `Device` for a device
    /// that cannot be used; what [`CycleGan::from_model`] reports of a pretrained model, and `Usage` when its
    /// architecture differs, naming the first tensor that does.
    pub fn build(self) -> Result<CycleGan> {
        CycleGan::built(self.data, self.config, self.device, self.pretrained)
    }
}
