//! Scaling as part of a graph: from samples of files to the network's input, and from its output to samples.
//!
//! These are the numbers that both writers put into nodes. They follow [`Normalizer`](crate::dataset::Normalizer) and
//! the rules of `predict` for gaps.

use crate::dataset::{Domain, DomainSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Dtype, Gap, Sample, with_type};

/// Both sides of a network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Units {
    pub input: InputUnits,
    pub output: OutputUnits,
}

/// From samples, (N, bands of a file, H, W), to the network's input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InputUnits {
    /// Type of the samples, and of the tensor that contains them; if they differ, values are rounded first.
    pub samples: Dtype,
    pub tensor: Dtype,
    /// `float32` if it can represent all samples, otherwise `float64`.
    pub arithmetic: Dtype,
    /// Number of bands of a file.
    pub bands: usize,
    /// Index of the band for each channel of the network.
    pub channels: Vec<i64>,
    /// For each channel: `(v - min) * factor - 1`.
    pub min: Vec<f64>,
    pub factor: Vec<f64>,
    pub clip: bool,
    /// The nodata value, if samples can have it.
    pub nodata: Option<f64>,
    /// Whether the nodata value counts only if all bands of a pixel have it.
    pub goes_by_pixel: bool,
    /// Whether there is an input for a mask.
    pub has_mask: bool,
}

/// From the network's output to samples, (N, bands, H, W).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OutputUnits {
    /// Type of the samples, and of the tensor that contains them.
    pub samples: Dtype,
    pub tensor: Dtype,
    /// As for the input.
    pub arithmetic: Dtype,
    /// Channels of the network; the first `bands` are bands.
    pub channels: usize,
    pub bands: usize,
    /// For each band: `(y + 1) * half_range + min`.
    pub min: Vec<f64>,
    pub half_range: Vec<f64>,
    /// Value of samples where no band of the input has data; `None` if the input always has data.
    pub empty: Option<f64>,
    /// Samples that happen to equal the nodata value are moved.
    pub lookalike: Option<NodataLookalike>,
}

/// A value that would be taken for "no data", and its replacement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NodataLookalike {
    pub value: f64,
    pub instead: f64,
    /// Whether the value means "no data" in images without gaps, too.
    pub always: bool,
}

impl Units {
    /// Creates the scalings of both domains, with or without a mask for the input's pixels.
    ///
    /// # Errors
    /// `Unsupported` for samples of 64-bit integers, which no floating-point type can represent.
    pub fn new(
        (from_domain, from): (Domain, &DomainSpec),
        (to_domain, to): (Domain, &DomainSpec),
        has_mask: bool,
    ) -> Result<Self> {
        check(from_domain, from.normalizer.dtype())?;
        check(to_domain, to.normalizer.dtype())?;
        let input = InputUnits { has_mask, ..InputUnits::new(from) };
        let output = OutputUnits::new(to, input.may_have_gaps());
        Ok(Self { input, output })
    }

    /// Keeps the same values in `float32` tensors, for programs that support no other type.
    pub fn in_floats(mut self) -> Self {
        self.input.tensor = Dtype::F32;
        self.output.tensor = Dtype::F32;
        self
    }
}

fn check(domain: Domain, dtype: Dtype) -> Result<()> {
    if !matches!(dtype, Dtype::I64 | Dtype::U64) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "a graph cannot scale samples of this type")
        .expected("integers of at most 32 bits, float32 or float64")
        .found(format!("{dtype} in domain {domain}"))
        .help("Export with ExportUnits::Network, and scale samples as geolearn.json says."))
}

impl InputUnits {
    fn new(from: &DomainSpec) -> Self {
        let DomainSpec { normalizer, selection, .. } = from;
        let (dtype, last) = (normalizer.dtype(), normalizer.bands() - 1);
        let places: Vec<usize> = (0..normalizer.channels()).map(|channel| channel.min(last)).collect();
        let range = |band: usize| normalizer.max()[band] - normalizer.min()[band];
        // A band with a single value becomes -1.
        let factor = |band: usize| if range(band) == 0.0 { 0.0 } else { 2.0 / range(band) };
        let factor: Vec<f64> = places.iter().map(|&band| factor(band)).collect();
        let nodata = normalizer.values().nodata.and_then(|value| stored(dtype, value));
        Self {
            samples: dtype,
            tensor: dtype,
            arithmetic: arithmetic(dtype, &factor),
            bands: selection.of,
            channels: places.iter().map(|&band| selection.bands[band] as i64).collect(),
            min: places.iter().map(|&band| normalizer.min()[band]).collect(),
            factor,
            clip: normalizer.values().clip,
            nodata,
            goes_by_pixel: nodata.is_some() && normalizer.bands() > 1 && dtype.bytes() == 1,
            has_mask: false,
        }
    }

    /// Returns whether pixels can have no data.
    pub fn may_have_gaps(&self) -> bool {
        self.samples.is_float() || self.nodata.is_some() || self.has_mask
    }

    /// Returns whether channels are the bands of a file in their order.
    pub fn takes_all_bands(&self) -> bool {
        self.channels.iter().copied().eq(0..self.bands as i64)
    }
}

impl OutputUnits {
    fn new(to: &DomainSpec, has_gaps: bool) -> Self {
        let normalizer = &to.normalizer;
        let dtype = normalizer.dtype();
        let half_range: Vec<f64> =
            normalizer.max().iter().zip(normalizer.min()).map(|(max, min)| (max - min) / 2.0).collect();
        let own = normalizer.values().nodata.and_then(|value| stored(dtype, value));
        let value = dtype.nodata_like(own);
        let is_mistakable = value.is_finite() && (own.is_some() || has_gaps);
        Self {
            samples: dtype,
            tensor: dtype,
            arithmetic: arithmetic(dtype, &half_range),
            channels: normalizer.channels(),
            bands: normalizer.bands(),
            min: normalizer.min().to_vec(),
            half_range,
            empty: has_gaps.then_some(value),
            lookalike: is_mistakable.then(|| NodataLookalike {
                value,
                instead: beside(dtype, value),
                always: own.is_some(),
            }),
        }
    }

    /// Returns the smallest and the largest sample of integers.
    pub fn limits(&self) -> Option<(f64, f64)> {
        (!self.samples.is_float()).then(|| with_type!(self.samples, T => (T::LEAST, T::MOST)))
    }
}

/// Returns `float32` if it can represent samples and factors.
fn arithmetic(dtype: Dtype, factors: &[f64]) -> Dtype {
    let is_wide = with_type!(dtype, T => T::IS_WIDE);
    let fits = |&factor: &f64| factor == 0.0 || (factor as f32).is_normal();
    if is_wide || !factors.iter().all(fits) { Dtype::F64 } else { Dtype::F32 }
}

/// Returns the value as a sample; `None` if samples cannot have it.
fn stored(dtype: Dtype, value: f64) -> Option<f64> {
    with_type!(dtype, T => T::meant_by(value).map(T::to_f64))
}

/// Returns the value next to a nodata value that counts as data.
fn beside(dtype: Dtype, nodata: f64) -> f64 {
    with_type!(dtype, T => T::meant_by(nodata).map_or(nodata, |own| Gap::<T>::new(Some(nodata)).avoided_by(own).to_f64()))
}
