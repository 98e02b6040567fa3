//! A network with its weights.

use std::cell::OnceCell;

use tch::{Device, Kind, Tensor};

use super::blocked::Blocked;
use super::conv::{Conv2d, no_bias};
use super::init::Initializer;
use super::norm::{Following, IdentityNorm, ImageNorm, Moments, Norm, too_few};
use super::parameters::Parameters;
use super::plan::{PlacedLayer, Plan, Weighted};
use super::spectral::SpectralNorm;
use super::units::{Unit, units};
use super::upsampling::UpsamplingLayer;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi;
use crate::threads::{self, Job};

/// A [`Plan`] with weights.
#[derive(Debug)]
pub(crate) struct Network {
    name: String,
    plan: Plan,
    pub(super) units: Vec<Unit>,
    /// In the order of [`Plan::weighted`].
    pub(super) layers: Vec<NamedLayer>,
    /// How the last layer is computed on CUDA; created at first use.
    pub(super) last_in_blocks: OnceCell<Blocked>,
}

/// A layer with weights, and its path in PyTorch's module.
#[derive(Debug)]
pub(super) struct NamedLayer {
    path: String,
    /// Whether its bias is a parameter.
    has_bias: bool,
    pub layer: WeightedLayer,
}

#[derive(Debug)]
pub(super) enum WeightedLayer {
    Convolution(Conv2d),
    Upsampling(UpsamplingLayer),
}

impl WeightedLayer {
    fn new(placed: &PlacedLayer, name: &str, init: &Initializer) -> Result<Self> {
        Ok(match placed.layer {
            Weighted::Convolution(shape) => Self::Convolution(Conv2d::new(shape, placed.role, name, init)?),
            Weighted::Upsampling(shape) => Self::Upsampling(UpsamplingLayer::new(shape, name, init)?),
        })
    }

    fn with_weights(layer: Weighted, weights: [Tensor; 2]) -> Self {
        match layer {
            Weighted::Convolution(shape) => Self::Convolution(Conv2d::with_weights(shape, weights)),
            Weighted::Upsampling(shape) => Self::Upsampling(UpsamplingLayer::with_weights(shape, weights)),
        }
    }

    fn with_spectral_norm(self, name: &str, init: &Initializer) -> Result<Self> {
        Ok(match self {
            Self::Convolution(conv) => Self::Convolution(conv.with_spectral_norm(name, init)?),
            upsampling @ Self::Upsampling(_) => upsampling,
        })
    }

    pub fn forward(&self, x: &Tensor, following: Following) -> Result<Tensor> {
        match self {
            Self::Convolution(conv) => conv.forward(x, following),
            Self::Upsampling(layer) => layer.forward(x, following),
        }
    }

    /// Runs the layer with the norm and rectifier that follow it, using our own CUDA layers, and adds a border.
    pub fn rectified(&self, x: &Tensor, slope: f64, border: i64) -> Result<Tensor> {
        match self {
            Self::Convolution(conv) => conv.rectified(x, slope, border),
            Self::Upsampling(layer) => layer.rectified(x, slope, border),
        }
    }

    /// Returns weight and bias; a layer without bias returns zeros for it.
    pub fn parameters(&self) -> [&Tensor; 2] {
        match self {
            Self::Convolution(conv) => conv.parameters(),
            Self::Upsampling(layer) => layer.parameters(),
        }
    }

    /// Folds the norm that follows into the layer.
    fn folded(&self, moments: &Moments) -> Result<Self> {
        Ok(match self {
            Self::Convolution(conv) => Self::Convolution(conv.folded(moments)?),
            Self::Upsampling(layer) => Self::Upsampling(layer.folded(moments)?),
        })
    }

    fn spectral_norm(&self) -> Option<(&SpectralNorm, &Tensor)> {
        match self {
            Self::Convolution(conv) => conv.spectral_norm().map(|norm| (norm, conv.parameters()[0])),
            Self::Upsampling(_) => None,
        }
    }
}

impl Network {
    /// Creates a network; `name` is the prefix of its parameters' names (`G_A`) and of the streams that they are drawn
    /// from.
    pub fn new(name: &str, plan: Plan, init: &Initializer) -> Result<Self> {
        let make = |placed: PlacedLayer| {
            let full_name = format!("{name}.{}", placed.path);
            let plain = WeightedLayer::new(&placed, &full_name, init)?;
            let layer = if plan.spectral_norm { plain.with_spectral_norm(&full_name, init)? } else { plain };
            Ok(NamedLayer { path: placed.path, has_bias: placed.layer.has_bias(), layer })
        };
        let layers = plan.weighted().into_iter().map(make).collect::<Result<_>>()?;
        let units = units(&plan);
        Ok(Self { name: name.to_string(), plan, units, layers, last_in_blocks: OnceCell::new() })
    }

    /// Creates a network with these weights, in the order of [`parameters`](Self::parameters) and with the plan's
    /// shapes. They are used as they are; none is divided by its spectral norm.
    pub fn with_weights(name: &str, plan: Plan, weights: Vec<Tensor>) -> Result<Self> {
        let mut weights = weights.into_iter();
        let mut next = || {
            weights.next().ok_or_else(|| Error::new(ErrorKind::Usage, "there are fewer weights than the network has"))
        };
        let make = |PlacedLayer { path, layer, .. }| {
            let (weight, has_bias) = (next()?, layer.has_bias());
            let bias = if has_bias { next()? } else { no_bias(&weight, layer.outputs())? };
            Ok(NamedLayer { path, has_bias, layer: WeightedLayer::with_weights(layer, [weight, bias]) })
        };
        let layers = plan.weighted().into_iter().map(make).collect::<Result<_>>()?;
        let units = units(&plan);
        Ok(Self { name: name.to_string(), plan, units, layers, last_in_blocks: OnceCell::new() })
    }

    /// Returns the prefix of the parameters' names.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns the device of the weights.
    pub fn device(&self) -> Device {
        self.first_weight().map_or(Device::Cpu, Tensor::device)
    }

    pub fn kind(&self) -> Kind {
        self.first_weight().map_or(Kind::Float, Tensor::kind)
    }

    fn first_weight(&self) -> Option<&Tensor> {
        self.layers.first().map(|named| named.layer.parameters()[0])
    }

    /// Returns the number of feature maps of the first layer.
    pub fn features(&self) -> usize {
        self.plan.weighted().first().map_or(0, |placed| placed.layer.outputs() as usize)
    }

    /// Lists the prefixes of the parameter names that belong to the [encoder](Plan::encoder).
    pub fn encoder(&self) -> Vec<String> {
        self.plan.encoder().into_iter().map(|path| format!("{}.{path}.", self.name)).collect()
    }

    /// Runs images through the network, each with its own statistics.
    ///
    /// # Shapes
    /// (N, input channels, H, W) to (N, output channels, H', W'). Sides that are not multiples of the plan's factor, or
    /// too short, are extended by reflection and cropped again.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_with(x, &mut ImageNorm)
    }

    /// Runs images with the given norm, which sees images of the size that [`Plan::extended`] returns.
    pub fn forward_with(&self, x: &Tensor, norm: &mut dyn Norm) -> Result<Tensor> {
        let x = x.f_to_device(self.device())?.f_to_kind(self.kind())?;
        let (_, _, height, width) = x.size4()?;
        let (more_rows, more_columns) = (self.plan.missing(height), self.plan.missing(width));
        let x = self.plan.extended(&x)?;
        // Some layers of a U-Net are libtorch's, whose sums depend on the number of threads.
        let made = match ffi::has_own_layers(&x) && !self.plan.has_skips() {
            true => threads::at_best_number(self.job(&x), || self.run(&x, norm)),
            false => self.run(&x, norm),
        }?;
        without_last(&without_last(&made, 2, more_rows)?, 3, more_columns)
    }

    /// Describes this forward pass for choosing the number of threads.
    fn job(&self, x: &Tensor) -> Job {
        let count = |named: &NamedLayer| named.layer.parameters()[0].numel();
        let parameters = self.layers.iter().map(count).sum::<usize>();
        Job { name: "forward", parameters, pixels: x.numel() }
    }

    /// Returns this network with fixed statistics instead of norms. They are folded into the convolutions, so that only
    /// convolutions remain and a pixel depends only on its surroundings.
    ///
    /// # Errors
    /// `Unsupported` for a network with skip connections.
    pub fn folded(&self, statistics: &[Moments]) -> Result<FoldedNetwork> {
        if self.plan.has_skips() {
            return Err(no_fixed_statistics());
        }
        let mut left = statistics.iter();
        let normed = Unit::normed(&self.units);
        let fold = |(i, NamedLayer { path, has_bias, layer }): (usize, &NamedLayer)| {
            let layer = match layer {
                _ if normed.contains(&i) => layer.folded(left.next().ok_or_else(too_few)?)?,
                WeightedLayer::Convolution(conv) => WeightedLayer::Convolution(conv.applied()?),
                WeightedLayer::Upsampling(layer) => WeightedLayer::Upsampling(layer.shallow_clone()?),
            };
            Ok(NamedLayer { path: path.clone(), has_bias: *has_bias, layer })
        };
        let layers = self.layers.iter().enumerate().map(fold).collect::<Result<_>>()?;
        let (plan, units) = (self.plan.clone(), self.units.clone());
        Ok(FoldedNetwork(Self { name: self.name.clone(), plan, units, layers, last_in_blocks: OnceCell::new() }))
    }

    /// Returns the parameters in the order of PyTorch's `state_dict`.
    pub fn parameters(&self) -> Parameters {
        self.layers.iter().flat_map(|named| self.listed(named, named.layer.parameters()[0])).collect()
    }

    /// Returns the parameters of a network without spectral norms that computes the same.
    pub fn applied_parameters(&self) -> Result<Parameters> {
        let weight = |layer: &WeightedLayer| match layer {
            WeightedLayer::Convolution(conv) => conv.applied_weight(),
            WeightedLayer::Upsampling(layer) => Ok(layer.parameters()[0].shallow_clone()),
        };
        let lists = self.layers.iter().map(|named| Ok(self.listed(named, &weight(&named.layer)?)));
        Ok(lists.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Names the given weight, and the bias if there is one.
    fn listed(&self, named: &NamedLayer, weight: &Tensor) -> Parameters {
        let name = |part| format!("{}.{}.{part}", self.name, named.path);
        let bias = || (name("bias"), named.layer.parameters()[1].shallow_clone());
        let weight = (name("weight"), weight.shallow_clone());
        std::iter::once(weight).chain(named.has_bias.then(bias)).collect()
    }

    /// Updates the estimates of spectral norms after the weights have changed.
    pub fn update_spectral_norms(&self) -> Result<()> {
        self.spectral_norms().try_for_each(|(norm, weight)| norm.iterate(weight))
    }

    /// Starts the estimates of spectral norms over, for other weights.
    pub fn restart_spectral_norms(&self) -> Result<()> {
        self.spectral_norms().try_for_each(|(norm, weight)| norm.restart(weight))
    }

    /// Returns what training changes besides the parameters: the vectors of the spectral norms.
    pub fn vectors(&self) -> Parameters {
        let mut list = Parameters::new();
        self.spectral_norms().for_each(|(norm, _)| norm.collect(&mut list));
        list
    }

    fn spectral_norms(&self) -> impl Iterator<Item = (&SpectralNorm, &Tensor)> {
        self.layers.iter().filter_map(|named| named.layer.spectral_norm())
    }
}

/// Returns the error that the statistics of a U-Net's norms cannot be fixed.
pub(crate) fn no_fixed_statistics() -> Error {
    let what = "a U-Net cannot use the statistics of a whole scene: its innermost maps are a few pixels of each tile";
    Error::new(ErrorKind::Unsupported, what)
        .expected("NormStatistics::Tile, which blends tiles with their own statistics")
        .help(
            "Set it with RasterOptions::statistics, or train a model with Generator::Resnet, whose scenes have no seams.",
        )
}

/// A network with fixed norm statistics; see [`Network::folded`].
pub(crate) struct FoldedNetwork(Network);

impl FoldedNetwork {
    /// # Shapes
    /// As [`Network::forward`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward_with(x, &mut IdentityNorm)
    }
}

/// Removes the last rows or columns. If there are none to remove, it returns the tensor itself, because slicing costs a
/// copy in the backward pass.
fn without_last(x: &Tensor, dim: i64, count: i64) -> Result<Tensor> {
    if count == 0 {
        return Ok(x.shallow_clone());
    }
    Ok(x.f_narrow(dim, 0, x.size()[dim as usize] - count)?)
}
