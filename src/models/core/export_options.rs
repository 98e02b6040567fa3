//! Options for exports.

use serde::{Deserialize, Serialize};

use crate::dataset::{Domain, DomainSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::package::export::Units;
use crate::raster::{Dtype, MAX_SIDE};

/// The contents of the tensors of an exported network.
///
/// ```
/// use geolearn::models::ExportUnits;
///
/// assert_eq!(ExportUnits::default(), ExportUnits::Network);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportUnits {
    /// The network's own input and output: float32 in [-1, 1]. The calling program scales samples as `geolearn.json`
    /// says.
    #[default]
    Network,
    /// Samples as stored in files, in their own type: the input has all bands of a file, and the output equals that of
    /// [`predict`](crate::CycleGan::predict). Choice and repetition of bands, scaling, rounding and nodata values are
    /// part of the graph. Masks and alpha need [`ExportOptions::mask`]; without it, masked pixels count as data.
    Files,
}

/// How [`CycleGan::export_onnx_with`](crate::CycleGan::export_onnx_with) and
/// [`CycleGan::export_torchscript_with`](crate::CycleGan::export_torchscript_with) write a network.
///
/// | Name | Default | Range | Purpose |
/// |---|---|---|---|
/// | `units` | [`ExportUnits::Network`] | | whether tensors are in [-1, 1] or hold the samples of files |
/// | `mask` | off | only with [`ExportUnits::Files`] | whether a mask of the pixels that have data is a second input |
/// | `square` | any size | 1 to 1,048,576 | height and width of images, where they are to be fixed |
/// | `deepness` | none | | metadata for the QGIS plugin Deepness; sets the other two |
///
/// When options are deserialized, an unknown name is an error.
///
/// ```
/// use geolearn::models::{ExportOptions, ExportUnits};
///
/// let options = ExportOptions::new().units(ExportUnits::Files).square(256);
/// let text = serde_json::to_string(&options).unwrap();
/// assert_eq!(serde_json::from_str::<ExportOptions>(&text).unwrap(), options);
/// assert!(serde_json::from_str::<ExportOptions>(r#"{"unit": "files"}"#).is_err());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct ExportOptions {
    units: ExportUnits,
    mask: bool,
    square: Option<usize>,
    deepness: Option<Deepness>,
}

impl ExportOptions {
    /// Creates the default options.
    ///
    /// ```
    /// assert_eq!(geolearn::models::ExportOptions::new(), geolearn::models::ExportOptions::default());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the contents of the tensors. Default: [`ExportUnits::Network`].
    ///
    /// With [`ExportUnits::Files`] the input is (N, all bands of a file, H, W) in the type of the chips, and the output
    /// (N, bands, H, W) in the type of the other domain. The nodata value is that of the training chips.
    ///
    /// ```
    /// use geolearn::models::{ExportOptions, ExportUnits};
    ///
    /// let options = ExportOptions::new().units(ExportUnits::Files);
    /// ```
    pub fn units(mut self, units: ExportUnits) -> Self {
        self.units = units;
        self
    }

    /// Adds an input `mask`, for images whose mask or alpha says where there is no data: uint8, (N, 1, H, W), 0 for
    /// pixels without data and any other value for pixels with data, as returned by `dataset_mask()` of GDAL and
    /// rasterio. Such pixels become the middle of the range for the network, and the output is nodata there, as with
    /// `predict`. Only with [`ExportUnits::Files`]. Default: off, and only samples decide.
    ///
    /// ```
    /// use geolearn::models::{ExportOptions, ExportUnits};
    /// use geolearn::{CycleGan, Domain, tch};
    /// use tch::{Device, Kind, Tensor};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("sat2relief.pt");
    /// model.export_torchscript_with(&path, Domain::B, ExportOptions::new().units(ExportUnits::Files).mask(true))?;
    /// let chip = Tensor::full([1, 3, 64, 64], 90, (Kind::Uint8, Device::Cpu));
    /// let nothing = Tensor::zeros([1, 1, 64, 64], (Kind::Uint8, Device::Cpu));
    /// let made = tch::CModule::load(&path)?.forward_ts(&[chip, nothing])?;
    /// assert_eq!(made.max().int64_value(&[]), 0, "nodata of the relief is 0");
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn mask(mut self, on: bool) -> Self {
        self.mask = on;
        self
    }

    /// Fixes height and width of images to `side` pixels, for runtimes that need numbers. Default: any size.
    ///
    /// ```
    /// let options = geolearn::models::ExportOptions::new().square(256);
    /// ```
    pub fn square(mut self, side: usize) -> Self {
        self.square = Some(side);
        self
    }

    /// Adds the metadata that the QGIS plugin Deepness reads, and sets units and size as it needs them. Only for models
    /// whose input has 8 bits, and for ONNX.
    ///
    /// ```
    /// use geolearn::models::{Deepness, ExportOptions};
    /// use geolearn::{CycleGan, Domain};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("sat2relief.onnx");
    /// model.export_onnx_with(&path, Domain::B, ExportOptions::new().deepness(Deepness::new(256)))?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn deepness(mut self, deepness: Deepness) -> Self {
        self.deepness = Some(deepness);
        self
    }

    /// Refuses options that only ONNX files support.
    pub(super) fn check_for_torchscript(&self) -> Result<()> {
        if self.deepness.is_none() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, "Deepness reads only ONNX")
            .expected("ExportOptions without `deepness`")
            .help("Use export_onnx_with, or leave `deepness` out."))
    }

    /// Returns the scaling if it is to be part of the graph.
    pub(super) fn scaling(&self, input: (Domain, &DomainSpec), output: (Domain, &DomainSpec)) -> Result<Option<Units>> {
        self.check_mask()?;
        if let Some(deepness) = &self.deepness {
            deepness.check(input.0, input.1.normalizer.dtype())?;
            return Units::new(input, output, false).map(|units| Some(units.in_floats()));
        }
        match self.units {
            ExportUnits::Network => Ok(None),
            ExportUnits::Files => Units::new(input, output, self.mask).map(Some),
        }
    }

    /// Refuses a mask if it would have no effect.
    fn check_mask(&self) -> Result<()> {
        let found = match (self.deepness.is_some(), self.units) {
            (true, _) => "`deepness`, which supports one input",
            (false, ExportUnits::Network) => "ExportUnits::Network",
            (false, ExportUnits::Files) => return Ok(()),
        };
        if !self.mask {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, "a graph takes a mask only with samples as stored in files")
            .expected("ExportUnits::Files, without `deepness`")
            .found(found)
            .help("Leave `mask` out, or export with units(ExportUnits::Files)."))
    }

    /// Returns the size of images if it is fixed.
    pub(super) fn side(&self) -> Result<Option<i64>> {
        let side = self.deepness.as_ref().map(|deepness| deepness.tile).or(self.square);
        let wrong = |name: &str| Error::new(ErrorKind::Usage, format!("option `{name}` is out of range"));
        if let Some(side) = side.filter(|side| !(1..=MAX_SIDE).contains(side)) {
            let name = if self.deepness.is_some() { "deepness.tile" } else { "square" };
            return Err(wrong(name).expected(format!("1 to {MAX_SIDE} pixels")).found(side));
        }
        match (self.square, side) {
            (Some(square), Some(side)) if square != side => Err(wrong("square")
                .expected(format!("the tile of `deepness`, {side}"))
                .found(square)
                .help("Leave `square` out: `deepness` fixes the size.")),
            _ => Ok(side.map(|side| side as i64)),
        }
    }

    /// Returns the entries of `metadata_props` besides our own.
    pub(super) fn properties(&self, bands: usize) -> Vec<(&'static str, String)> {
        self.deepness.as_ref().map_or_else(Vec::new, |deepness| deepness.properties(bands))
    }
}

/// Metadata for the QGIS plugin [Deepness](https://qgis-plugin-deepness.readthedocs.io).
///
/// Deepness runs the model as its type `Superresolution` with scale 1, which keeps all bands and places tiles side by
/// side, because it cannot place overlapping ones. Use tiles as large as memory allows.
///
/// | Name | Default | Range | Purpose |
/// |---|---|---|---|
/// | `tile` | | 1 to 1,048,576 | height and width of the tiles that it cuts, in pixels |
/// | `resolution` | not told | above 0 | size of a pixel that the model was trained on, in centimeters |
///
/// ```
/// use geolearn::models::Deepness;
///
/// let sentinel = Deepness::new(256).resolution(1000.0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct Deepness {
    tile: usize,
    #[serde(default)]
    resolution: Option<f64>,
}

impl Deepness {
    /// Requests tiles of this many pixels a side: the size of the chips or more. Larger tiles leave fewer seams.
    ///
    /// ```
    /// let deepness = geolearn::models::Deepness::new(512);
    /// ```
    pub fn new(tile: usize) -> Self {
        Self { tile, resolution: None }
    }

    /// Sets the size of a pixel in centimeters, to which Deepness resamples its images. Default: none, and Deepness
    /// asks.
    ///
    /// ```
    /// let sentinel = geolearn::models::Deepness::new(256).resolution(1000.0);
    /// ```
    pub fn resolution(mut self, centimeters: f64) -> Self {
        self.resolution = Some(centimeters);
        self
    }

    fn check(&self, domain: Domain, dtype: Dtype) -> Result<()> {
        if dtype != Dtype::U8 {
            return Err(Error::new(ErrorKind::Unsupported, "Deepness runs only models for 8-bit images")
                .expected("a model whose input is uint8")
                .found(format!("{dtype} in domain {domain}"))
                .help("Export with ExportUnits::Files for other programs, or train on images of 8 bits."));
        }
        match self.resolution {
            Some(size) if !(size > 0.0 && size.is_finite()) => {
                Err(Error::new(ErrorKind::Usage, "option `deepness.resolution` is out of range")
                    .expected("centimeters above 0")
                    .found(size))
            }
            _ => Ok(()),
        }
    }

    /// Returns its keys, with values in JSON. Deepness divides bytes by 255 before it applies mean and deviation; these
    /// values undo that, so that the graph receives bytes.
    fn properties(&self, bands: usize) -> Vec<(&'static str, String)> {
        let of_each = |value: f64| format!("[{}]", vec![value.to_string(); bands].join(", "));
        let mut properties = vec![
            // Its only type of model that writes all bands, at any scale.
            ("model_type", "\"Superresolution\"".to_string()),
            ("tile_size", self.tile.to_string()),
            // The name in its documentation.
            ("tiles_size", self.tile.to_string()),
            ("tiles_overlap", "0".to_string()),
            ("standardization_mean", of_each(0.0)),
            ("standardization_std", of_each(1.0 / 255.0)),
        ];
        properties.extend(self.resolution.map(|size| ("resolution", size.to_string())));
        properties
    }
}
