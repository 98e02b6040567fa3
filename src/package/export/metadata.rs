//! What a user of an exported network must know to feed it: a JSON object, the same in TorchScript and ONNX.

use serde::{Deserialize, Serialize};

use crate::dataset::{Domain, DomainSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Dtype;

/// Changes when a key changes its meaning.
const FORMAT: u32 = 1;
const TO_INPUT: &str = "Per band i, in double precision: x = -1 + 2 * (v - min[i]) / (max[i] - min[i]), or -1 where \
max[i] == min[i]; cut to [-1, 1] if `clip`; 0 where v is not finite or is `nodata` (of several bands of 8 bits: where all bands are). Then the last band is repeated until \
there are `channels`. Shape (N, channels, H, W), float32; any height and width.";
const FROM_OUTPUT: &str = "Of the first `bands` channels: v = (y + 1) / 2 * (max[i] - min[i]) + min[i]. Integers are \
rounded to the nearest value and cut to the range of `dtype`. A pixel has no data where no band of the input has any: it \
becomes `nodata`, or else NaN in floating-point images and 0 in others.";

/// The object. `docs/interop.md` describes its keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    /// 1.
    pub format: u32,
    /// The release of this crate that wrote it.
    pub geolearn: String,
    /// The kind of model that the network is part of.
    pub model: String,
    /// The network's prefix in the `.pth`: `G_A` makes images of A, `G_B` those of B.
    pub network: String,
    /// In words: `A to B`.
    pub direction: String,
    pub input: DomainNote,
    pub output: DomainNote,
    /// The formula from samples to the network's input.
    pub to_input: String,
    /// The formula from its output to samples.
    pub from_output: String,
}

/// The images on one side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DomainNote {
    pub domain: Domain,
    /// Bands of an image, and the channels of the network, which may be more.
    pub bands: usize,
    pub channels: usize,
    pub band_names: Vec<Option<String>>,
    /// How many bands the files had that the model was trained on, and the numbers of those that it uses, from 1.
    pub bands_of_files: usize,
    pub bands_used: Vec<usize>,
    /// Of the samples.
    pub dtype: Dtype,
    /// The value that marks samples without data. What is not finite has none either, and cannot be written in JSON.
    pub nodata: Option<f64>,
    /// Per band: what becomes -1 and what becomes 1.
    pub min: Vec<f64>,
    pub max: Vec<f64>,
    /// Whether values beyond them are cut.
    pub clip: bool,
}

impl DomainNote {
    pub fn new(domain: Domain, spec: &DomainSpec) -> Self {
        let DomainSpec { normaliser, selection, band_names, .. } = spec;
        let values = normaliser.values();
        Self {
            domain,
            bands: normaliser.bands(),
            channels: normaliser.channels(),
            band_names: band_names.clone(),
            bands_of_files: selection.of,
            bands_used: selection.bands.iter().map(|band| band + 1).collect(),
            dtype: values.dtype,
            nodata: values.nodata.filter(|value| value.is_finite()),
            min: normaliser.min().to_vec(),
            max: normaliser.max().to_vec(),
            clip: values.clip,
        }
    }
}

impl Metadata {
    /// For the network of a model that has this prefix in the model's `.pth`.
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
        }
    }

    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Usage, "metadata cannot be written as JSON").because(e))
    }
}
