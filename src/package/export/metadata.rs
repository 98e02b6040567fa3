//! Metadata for the users of an exported network: a JSON object, the same in TorchScript and ONNX.

use serde::{Deserialize, Serialize};

use super::Units;
use crate::dataset::{Domain, DomainSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Dtype;

/// Changes if a key changes its meaning.
const FORMAT: u32 = 1;
const TO_INPUT: &str = "Per band i, in double precision: x = -1 + 2 * (v - min[i]) / (max[i] - min[i]), or -1 where \
max[i] == min[i]; cut to [-1, 1] if `clip`; 0 where v is not finite or is `nodata` (of several bands of 8 bits: where all bands are). Then the last band is repeated until \
there are `channels`. Shape (N, channels, H, W), float32; any height and width.";
const FROM_OUTPUT: &str = "Of the first `bands` channels: v = (y + 1) / 2 * (max[i] - min[i]) + min[i]. Integers are \
rounded to the nearest value and cut to the range of `dtype`. A pixel has no data where no band of the input has any: it \
becomes `nodata`, or else NaN in floating-point images and 0 in others.";

/// For graphs that scale samples themselves.
const SAMPLES_TO_INPUT: &str = "Nothing: the input is the samples of a file as they are, all of its `bands_of_files` \
bands in their order, in the type and shape of `samples`.";
const OUTPUT_TO_SAMPLES: &str = "Nothing: the output is samples, rounded to their type; a pixel has no data where no \
band of the input has any, and then holds the `nodata` of `samples`.";

/// For graphs that also take a mask.
const AND_MASK: &str = " A second input, `mask`, uint8 of shape (N, 1, H, W), is 0 where a pixel has no data, as GDAL's masks are, \
and anything else where it has.";

/// The metadata object. `docs/export.md` describes its keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    /// 1.
    pub format: u32,
    /// The release of this crate that wrote it.
    pub geolearn: String,
    /// The kind of model that the network belongs to.
    pub model: String,
    /// The network's prefix in the `.pth`: `G_A` makes images of A, `G_B` those of B.
    pub network: String,
    /// In words: `A to B`.
    pub direction: String,
    pub input: DomainNote,
    pub output: DomainNote,
    /// The formula from samples to the network's input.
    pub to_input: String,
    /// The formula from the network's output to samples.
    pub from_output: String,
    /// The tensors, if they contain samples of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<SamplesNote>,
    /// Height and width of images, if they are fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<i64>,
}

/// Tensors that contain samples of files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SamplesNote {
    pub input: TensorNote,
    pub output: TensorNote,
    /// Whether there is an input for a mask.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mask: bool,
}

/// A tensor of (N, `bands`, H, W).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TensorNote {
    pub dtype: Dtype,
    pub bands: usize,
    /// The value without data; null if there is none or it is not finite.
    pub nodata: Option<f64>,
}

impl SamplesNote {
    fn new(units: &Units) -> Self {
        let Units { input, output } = units;
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        let nodata = output.empty.or(output.lookalike.map(|lookalike| lookalike.value));
        Self {
            input: TensorNote { dtype: input.tensor, bands: input.bands, nodata: finite(input.nodata) },
            output: TensorNote { dtype: output.tensor, bands: output.bands, nodata: finite(nodata) },
            mask: input.has_mask,
        }
    }
}

/// The images on one side of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DomainNote {
    pub domain: Domain,
    /// Bands of an image, and channels of the network, which may be more.
    pub bands: usize,
    pub channels: usize,
    pub band_names: Vec<Option<String>>,
    /// The number of bands in the training files, and the numbers of those that the model uses, from 1.
    pub bands_of_files: usize,
    pub bands_used: Vec<usize>,
    /// Type of the samples.
    pub dtype: Dtype,
    /// The value that marks samples without data. Values that are not finite have none either, and cannot be written in
    /// JSON.
    pub nodata: Option<f64>,
    /// For each band, the values that become -1 and 1.
    pub min: Vec<f64>,
    pub max: Vec<f64>,
    /// Whether values beyond them are clipped.
    pub clip: bool,
}

impl DomainNote {
    pub fn new(domain: Domain, spec: &DomainSpec) -> Self {
        let DomainSpec { normalizer, selection, band_names, .. } = spec;
        let values = normalizer.values();
        Self {
            domain,
            bands: normalizer.bands(),
            channels: normalizer.channels(),
            band_names: band_names.clone(),
            bands_of_files: selection.of,
            bands_used: selection.bands.iter().map(|band| band + 1).collect(),
            dtype: values.dtype,
            nodata: values.nodata.filter(|value| value.is_finite()),
            min: normalizer.min().to_vec(),
            max: normalizer.max().to_vec(),
            clip: values.clip,
        }
    }
}

impl Metadata {
    /// Creates the metadata of a network whose parameters have this prefix in the model's `.pth`.
    pub fn new(model: &str, network: &str, input: DomainNote, output: DomainNote) -> Self {
        Self {
            format: FORMAT,
            geolearn: env!("CARGO_PKG_VERSION").to_string(),
            model: model.to_string(),
            network: network.to_string(),
            direction: format!("{} to {}", input.domain, output.domain),
            input,
            output,
            to_input: TO_INPUT.to_string(),
            from_output: FROM_OUTPUT.to_string(),
            samples: None,
            side: None,
        }
    }

    /// Describes a graph that scales samples itself.
    pub fn with_units(mut self, units: &Units) -> Self {
        self.to_input = SAMPLES_TO_INPUT.to_string();
        if units.input.has_mask {
            self.to_input += AND_MASK;
        }
        self.from_output = OUTPUT_TO_SAMPLES.to_string();
        self.samples = Some(SamplesNote::new(units));
        self
    }

    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Usage, "the metadata cannot be written as JSON").because(e))
    }
}
