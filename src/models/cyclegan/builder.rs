//! Options of a CycleGAN before it is built.

use std::path::PathBuf;

use super::{CycleGan, CycleGanConfig, CycleGanModel, Recipe};
use crate::dataset::{DataBunch, PerDomain};
use crate::device::Device;
use crate::error::Result;
use crate::loss::{AdversarialLoss, DiffAugment};
use crate::models::core::{LoadOptions, Model};
use crate::nn::{Initialisation, Upsampling, UpsamplingInit};

/// Sets the options of a [`CycleGan`] before it is built; see [`CycleGanConfig`] for the table of them.
///
/// ```
/// use geolearn::nn::Initialisation;
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
///     .initialisation(Initialisation::Kaiming)
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
    /// A model with the defaults of [`CycleGanConfig`] and fresh weights.
    ///
    /// # Errors
    /// `Usage` when the chips are too small to train on, `Torch` when memory is short.
    pub fn new(data: &DataBunch) -> Result<Self> {
        Self::builder(data).build()
    }

    /// Options first; see [`CycleGanConfig`] for the table of them.
    pub fn builder(data: &DataBunch) -> CycleGanBuilder {
        CycleGanBuilder::new(data)
    }
}

impl CycleGanBuilder {
    fn new(data: &DataBunch) -> Self {
        let config = CycleGanModel::default_config(data.seed());
        Self { data: data.clone(), config, device: Device::Auto, pretrained: None }
    }

    /// Sets every option except the sizes and the seed to the recipe's value; later calls override it. Default:
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

    /// Residual blocks of each generator. Default: 9.
    pub fn gen_blocks(mut self, blocks: usize) -> Self {
        self.config.gen_blocks = blocks;
        self
    }

    /// Feature maps of a generator's first layer. Default: 64.
    pub fn gen_features(mut self, features: usize) -> Self {
        self.config.gen_features = features;
        self
    }

    /// Feature maps of a discriminator's first layer. Default: 64.
    pub fn disc_features(mut self, features: usize) -> Self {
        self.config.disc_features = features;
        self
    }

    /// Least squares when true, binary cross-entropy when false. Default: true.
    pub fn lsgan(mut self, on: bool) -> Self {
        self.config.adversarial = if on { AdversarialLoss::LeastSquares } else { AdversarialLoss::BinaryCrossEntropy };
        self
    }

    /// Weight of the cycle loss. Default: 10.
    pub fn cycle_weight(mut self, weight: f64) -> Self {
        self.config.cycle_weight = weight;
        self
    }

    /// Weight of the identity loss as a share of the cycle's. Default: 0.5.
    pub fn identity_weight(mut self, share: f64) -> Self {
        self.config.identity_weight = share;
        self
    }

    /// Older generated images kept for each discriminator. Default: 50; arcgis.learn has none.
    pub fn pool_size(mut self, images: usize) -> Self {
        self.config.pool_size = images;
        self
    }

    /// How weights begin. Default: as in the paper.
    pub fn initialisation(mut self, scheme: Initialisation) -> Self {
        self.config.initialisation = scheme;
        self
    }

    /// Root of all randomness of the model. Default: the data's seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// Discriminators of each domain. With 2, another one judges images at half size, so that it sees twice as far (Wang et
    /// al. 2018, arXiv:1711.11585, section 3.2); losses are the mean over both, not the sum as there, so that the other
    /// weights mean the same. Chips then need sides of 48 pixels, and other programs cannot open the model. Default: 1.
    pub fn disc_scales(mut self, scales: usize) -> Self {
        self.config.disc_scales = scales;
        self
    }

    /// How the generators double height and width. Default: transposed convolutions, which alone arcgis.learn can open.
    pub fn upsampling(mut self, form: Upsampling) -> Self {
        self.config.upsampling = form;
        self
    }

    /// Sets how the weights of the transposed convolutions begin, by which a generator doubles height and width. Default: as
    /// the others.
    pub fn upsampling_init(mut self, start: UpsamplingInit) -> Self {
        self.config.upsampling_init = start;
        self
    }

    /// Adds the image to what the last layer of each generator makes of it, before the tanh, so that a generator learns only what
    /// is to change (the global skip connection of Kupyn et al. 2018, arXiv:1711.07064). For domains that show the same things in
    /// the same bands: edges stay sharp from the first step. Needs as many channels in both; other programs cannot open the
    /// model. Default: off.
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
    /// models hold the divided weights, and the estimate of a model that is loaded begins anew. Default: off.
    pub fn spectral_norm(mut self, on: bool) -> Self {
        self.config.spectral_norm = on;
        self
    }

    /// Varies what the discriminators see, real and generated images alike, for trainings on few chips. Validation sees
    /// images as they are. Default: nothing varies.
    pub fn diff_augment(mut self, augment: DiffAugment) -> Self {
        self.config.diff_augment = augment;
        self
    }

    /// Lets the weight of the cycle loss go to `weight` in a straight line over the steps of each fit (Wang and Lin 2024,
    /// "CycleGAN with Better Cycles", arXiv:2408.15374, let it decay), and that of the identity loss, which is a share of
    /// it, with it. Validation measures with the weights at the beginning, so that its numbers mean the same in each epoch.
    /// Default: it stays.
    pub fn cycle_weight_end(mut self, weight: f64) -> Self {
        self.config.cycle_weight_end = Some(weight);
        self
    }

    /// Keeps a running mean of the generators' weights (Yazici et al. 2019, arXiv:1806.04498), with a half-life of so many
    /// images of a domain; less early in training, so that the mean is not that of a random start: at most a twentieth of
    /// the images seen. Predictions, validation, pictures, [`save`](CycleGan::save) and exports use the mean; training goes
    /// on from the weights themselves, which [checkpoints](crate::train::Checkpoint) hold too. Default: 0, no mean.
    pub fn average_half_life(mut self, images: f64) -> Self {
        self.config.average_half_life = images;
        self
    }

    /// Where to compute. Default: the first CUDA device that can be used, else the processor.
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Takes all options at once, the seed among them.
    pub fn config(mut self, config: CycleGanConfig) -> Self {
        self.config = config;
        self
    }

    /// Begins with the weights of a saved model of the same architecture: its folder, its `.emd` or its `.pth`. The
    /// data keep the scaling of their own statistics, which suits images of another sensor;
    /// [`CycleGan::from_model`] takes over the model's. Default: fresh weights.
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

    /// As [`pretrained_path`](Self::pretrained_path), with options: with [`strict(false)`](LoadOptions::strict) the saved model may
    /// have another architecture, such as other bands. Tensors of the same name and shape are taken, the others begin as in a
    /// new model, and [`pretrained_report`](CycleGan::pretrained_report) says which.
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

    /// Builds the model, and measures the batch size where the data leave it [open](crate::dataset::BatchSize::Auto).
    ///
    /// # Errors
    /// `Usage` for an option out of range or chips that are too small to train on, `Device` for a device
    /// that cannot be used; what [`CycleGan::from_model`] reports of a pretrained model, and `Usage` when its
    /// architecture differs, naming the first tensor that does.
    pub fn build(self) -> Result<CycleGan> {
        self.config.check()?;
        let mut model = CycleGan::for_data(self.data, self.config, self.device.resolve()?)?;
        if let Some((path, options)) = self.pretrained {
            model.begin_with(&path, &options)?;
        }
        model.with_batch_size_settled()
    }
}
