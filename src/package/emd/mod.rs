//! `.emd`: Esri's model definition, a JSON object.
//!
//! The keys that all image translators have are fields of [`Emd`]; those of a single [`ModelKind`] are its
//! `ModelParameters`, which the model itself reads. All other keys are kept and written again in their places. This
//! crate's own data is under `Geolearn`.

mod bands;
mod json;
mod opening;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

pub(crate) use self::bands::DomainBands;
use self::json::without_non_finite;
pub(crate) use self::json::{Keys, Object};
pub(crate) use self::opening::{ModelKind, Opening, Reach};
use crate::error::{Error, ErrorKind, Result, shown};
use crate::raster::MAX_SIDE;

/// A definition is a few KiB, and each epoch of the history adds some hundred bytes. JSON of this size takes about 1
/// GiB of memory at worst.
pub(super) const MAX_BYTES: u64 = 32 << 20;
/// The key of our section.
const SECTION: &str = "Geolearn";
/// The key in our section that says which weights belong to the definition.
const WEIGHTS: &str = "Weights";

/// Esri's own built-in function; with it, no script is needed beside the model.
pub(crate) const INFERENCE_FUNCTION: &str = r"[Functions]System\DeepLearning\ArcGISLearn\ArcGISImageTranslation.py";
/// The release of arcgis.learn whose format we write.
const ARCGIS_LEARN_VERSION: &str = "2.4.4";
/// The loss by which arcgis.learn chose these weights.
const VALID_LOSS: &str = "monitored_valid_loss";

/// Prefix of the keys of Fréchet distances; the letter of the domain follows.
const FID: &str = "FID_";

/// A model definition of an image translator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Emd {
    /// `ModelName` and `ModelType`.
    pub kind: &'static ModelKind,
    /// `n_channel_rev` and `NormalizationStats`.
    pub domain_a: DomainBands,
    /// `n_channel` and `NormalizationStats_b`.
    pub domain_b: DomainBands,
    /// `ImageHeight` and `ImageWidth`, the size of a chip in pixels.
    pub image_height: usize,
    pub image_width: usize,
    /// `ModelParameters`: what only this kind of model has.
    pub parameters: Object,
    /// `ModelParameters`: keys that only this kind of model has.
    pub model_file: String,
    /// `InferenceFunction`.
    pub inference_function: String,
    /// `LearningRate`, if it is a plain number.
    pub learning_rate: Option<f64>,
    /// `MinCellSize` and `MaxCellSize` in Esri's format: `{"x", "y", "spatialReference"}` or null.
    pub min_cell_size: Value,
    pub max_cell_size: Value,
    /// `resize_to`: a side in pixels, or null.
    pub resize_to: Value,
    /// `ExtractBands`: indices of the bands used, or null for all.
    pub extract_bands: Option<Vec<usize>>,
    /// `IsMultispectral`: not plain 8-bit RGB.
    pub multispectral: bool,
    /// `monitored_valid_loss`.
    pub valid_loss: Option<Value>,
    /// `Geolearn`: everything for which arcgis.learn has no key.
    pub geolearn: Option<Value>,
    /// The whole object as it was read, with the order of its keys.
    rest: Object,
}

impl Emd {
    /// Creates a definition with the keys and the order of arcgis.learn's own files, in the variant for 8-bit RGB or in
    /// that for everything else.
    pub(crate) fn new(
        kind: &'static ModelKind,
        model_file: &str,
        [domain_a, domain_b]: [DomainBands; 2],
        multispectral: bool,
    ) -> Self {
        Self {
            kind,
            domain_a,
            domain_b,
            image_height: 256,
            image_width: 256,
            parameters: kind.parameters.iter().map(|&(key, value)| (key.to_owned(), json!(value))).collect(),
            model_file: model_file.to_owned(),
            inference_function: INFERENCE_FUNCTION.to_owned(),
            learning_rate: None,
            min_cell_size: Value::Null,
            max_cell_size: Value::Null,
            resize_to: Value::Null,
            extract_bands: None,
            multispectral,
            valid_loss: None,
            geolearn: None,
            rest: template(kind, multispectral),
        }
    }

    /// Reads and checks a definition.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] naming the key that is missing, has a wrong type or contradicts another one;
    /// [`ErrorKind::Unsupported`] for a model of another kind.
    pub(crate) fn parse(bytes: &[u8], opening: Opening) -> Result<Self> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::new(ErrorKind::Limits, "model definition is too large")
                .expected(format!("at most {MAX_BYTES} bytes"))
                .found(bytes.len()));
        }
        let not_json = || Error::new(ErrorKind::Format, "the model definition is not valid JSON");
        let text = std::str::from_utf8(bytes).map_err(|e| not_json().because(e))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match serde_json::from_str(&without_non_finite(text)).map_err(|e| not_json().because(e))? {
            Value::Object(rest) => Self::from_object(rest, opening),
            _ => Err(not_json().expected("an object")),
        }
    }

    fn from_object(rest: Object, opening: Opening) -> Result<Self> {
        let keys = Keys { object: &rest, prefix: "" };
        opening.check_kind(keys)?;
        // Files without these keys are from models that were built without options.
        let parameters = keys.get_optional("ModelParameters", "an object", Value::as_object)?;
        let domain_a = DomainBands::read(keys, "n_channel_rev", "NormalizationStats")?;
        let domain_b = DomainBands::read(keys, "n_channel", "NormalizationStats_b")?;
        check_channels(keys, [domain_a.bands, domain_b.bands])?;
        Ok(Self {
            kind: opening.kind,
            domain_a,
            domain_b,
            image_height: keys.integer("ImageHeight", 1, MAX_SIDE as u64)?,
            image_width: keys.integer("ImageWidth", 1, MAX_SIDE as u64)?,
            parameters: parameters.cloned().unwrap_or_default(),
            model_file: model_file(keys, opening.reach)?,
            inference_function: match keys.optional("InferenceFunction") {
                Some(_) => keys.text("InferenceFunction")?,
                None => INFERENCE_FUNCTION.to_owned(),
            },
            learning_rate: keys.optional("LearningRate").and_then(learning_rate),
            min_cell_size: keys.optional("MinCellSize").cloned().unwrap_or_default(),
            max_cell_size: keys.optional("MaxCellSize").cloned().unwrap_or_default(),
            resize_to: keys.optional("resize_to").cloned().unwrap_or_default(),
            extract_bands: keys.get_optional("ExtractBands", "a list of band indices", indices)?,
            multispectral: keys.get_optional("IsMultispectral", "true or false", Value::as_bool)?.unwrap_or(false),
            valid_loss: keys.optional(VALID_LOSS).cloned(),
            geolearn: keys.optional(SECTION).cloned(),
            rest,
        })
    }

    /// Sets the range of cell sizes of the chips: the model then works in map units.
    pub(crate) fn set_cell_sizes(&mut self, [least, most]: [Value; 2]) {
        (self.min_cell_size, self.max_cell_size) = (least, most);
        self.rest.insert("ImageSpaceUsed".to_owned(), "MAP_SPACE".into());
    }

    /// Replaces the Fréchet distances, each for the domain of this name, as texts in arcgis.learn's format.
    pub(crate) fn set_fid(&mut self, distances: impl IntoIterator<Item = (String, Option<f64>)>) {
        self.rest.retain(|key, _| key.strip_prefix(FID).is_none_or(|domain| domain.len() != 1));
        for (domain, distance) in distances {
            let text = distance.map_or_else(|| "None".to_owned(), |distance| distance.to_string());
            self.rest.insert(format!("{FID}{domain}"), text.into());
        }
    }

    /// Returns `ModelParameters` for reading.
    pub(crate) fn parameters(&self) -> Keys<'_> {
        Keys { object: &self.parameters, prefix: "ModelParameters." }
    }

    /// Returns `n_intput_channel`, the number of network channels in a model of arcgis.learn: the bands of the domain
    /// that has more of them. It repeats the last band of the other domain.
    pub(crate) fn channels(&self) -> usize {
        self.domain_a.bands.max(self.domain_b.bands)
    }

    /// Returns the path of the weights, for a definition in `folder`.
    pub(crate) fn weights_in(&self, folder: &Path) -> PathBuf {
        match self.weights_within() {
            Some(parts) => folder.join(parts.into_iter().collect::<PathBuf>()),
            // It was read with `Reach::Anywhere`.
            None => folder.join(&self.model_file),
        }
    }

    /// Returns the parts of the weights' path below the folder of the definition, if the weights are there.
    pub(super) fn weights_within(&self) -> Option<Vec<&str>> {
        within(&self.model_file)
    }

    /// Returns the fingerprint of the weights that belong to the definition, if [`set_mark`](Self::set_mark) set it.
    pub(super) fn mark(&self) -> Option<&str> {
        self.geolearn.as_ref()?.get(WEIGHTS)?.as_str()
    }

    /// Sets which weights belong to the definition, or that they are in one file with it.
    pub(crate) fn set_mark(&mut self, mark: Option<&str>) {
        if let Some(Value::Object(section)) = &mut self.geolearn {
            section.shift_remove(WEIGHTS);
            section.extend(mark.map(|mark| (WEIGHTS.to_owned(), mark.into())));
        }
    }

    /// Returns the file as text, indented like arcgis.learn's unless it would be too large for its readers.
    ///
    /// # Errors
    /// [`ErrorKind::Limits`] for one that would still be too large.
    pub(crate) fn to_json(&self) -> Result<String> {
        check_model_file(&self.model_file)?;
        let failed =
            |e: serde_json::Error| Error::new(ErrorKind::Format, "model definition cannot be written").because(e);
        let object = self.to_object();
        let text = indented(&object).map_err(failed)?;
        if text.len() as u64 <= MAX_BYTES {
            return Ok(text);
        }
        let text = serde_json::to_string(&object).map_err(failed)?;
        if text.len() as u64 <= MAX_BYTES {
            return Ok(text);
        }
        Err(Error::new(ErrorKind::Limits, "the model definition would be too large to be opened again")
            .expected(format!("at most {MAX_BYTES} bytes"))
            .found(text.len())
            .help("Most of it is the history: train in fewer epochs of more steps."))
    }

    fn to_object(&self) -> Object {
        let mut object = self.rest.clone();
        let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
        set("n_intput_channel", self.channels().into());
        set("n_channel", self.domain_b.bands.into());
        set("n_channel_rev", self.domain_a.bands.into());
        set("NormalizationStats_b", self.domain_b.stats(self.rest.get("NormalizationStats_b")));
        set("NormalizationStats", self.domain_a.stats(self.rest.get("NormalizationStats")));
        set("ModelParameters", self.parameters.clone().into());
        set("ModelFile", self.model_file.as_str().into());
        set("InferenceFunction", self.inference_function.as_str().into());
        set("ImageHeight", self.image_height.into());
        set("ImageWidth", self.image_width.into());
        if let Some(rate) = self.learning_rate {
            set("LearningRate", python_exponent(rate).into());
        }
        set("MinCellSize", self.min_cell_size.clone());
        set("MaxCellSize", self.max_cell_size.clone());
        set("resize_to", self.resize_to.clone());
        set("ExtractBands", json!(self.extract_bands));
        set("IsMultispectral", self.multispectral.into());
        object.shift_remove(VALID_LOSS);
        if let Some(loss) = &self.valid_loss {
            object.insert(VALID_LOSS.to_owned(), loss.clone());
        }
        if let Some(geolearn) = &self.geolearn {
            object.insert(SECTION.to_owned(), geolearn.clone());
        }
        object
    }
}

/// Checks that `n_intput_channel` follows from the two band counts; otherwise the file is damaged.
fn check_channels(keys: Keys, [a, b]: [usize; 2]) -> Result<()> {
    let wanted = a.max(b);
    let expected = format!("{wanted}, the larger of `n_channel` and `n_channel_rev`");
    keys.get_optional("n_intput_channel", &expected, |value| value.as_u64().filter(|&found| found == wanted as u64))
        .map(drop)
}

fn model_file(keys: Keys, reach: Reach) -> Result<String> {
    let file = keys.text("ModelFile")?;
    match reach {
        Reach::Folder => check_model_file(&file)?,
        Reach::Anywhere => {}
    }
    Ok(file)
}

/// Returns the parts of a path that stays in its folder or below it, on every operating system.
fn within(file: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = file.split(['/', '\\']).filter(|part| *part != ".").collect();
    let plain = |part: &&str| !matches!(*part, "" | "..") && !part.contains([':', '\0']);
    (!parts.is_empty() && parts.iter().all(plain)).then_some(parts)
}

fn check_model_file(file: &str) -> Result<()> {
    if within(file).is_some() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Format, "key `ModelFile` has a wrong value")
        .expected("the relative path of a file in the folder of the definition")
        .found(shown(file))
        .help("Move the weights beside the definition; or, if you trust it, use LoadOptions::weights_anywhere."))
}

fn learning_rate(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn indices(value: &Value) -> Option<Vec<usize>> {
    value.as_array()?.iter().map(|item| item.as_u64().and_then(|index| usize::try_from(index).ok())).collect()
}

fn indented(object: &Object) -> serde_json::Result<String> {
    let mut text = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    serde::Serialize::serialize(object, &mut serde_json::Serializer::with_formatter(&mut text, format))?;
    // serde_json writes nothing else.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Formats a number like Python's `"{:.4e}"`: `2.0000e-04`.
fn python_exponent(number: f64) -> String {
    let text = format!("{number:.4e}");
    match text.split_once('e').map(|(digits, exponent)| (digits, exponent.parse::<i32>())) {
        Some((digits, Ok(exponent))) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => text,
    }
}

/// Returns the keys in arcgis.learn's order, with the values that are the same in every file; [`Emd::to_json`] fills in
/// the rest.
fn template(kind: &ModelKind, multispectral: bool) -> Object {
    let mut template = Object::new();
    let mut add = |keys: Value| {
        if let Value::Object(keys) = keys {
            template.extend(keys);
        }
    };
    add(json!({
        "Framework": "arcgis.learn.models._inferencing",
        "ModelConfiguration": kind.configuration,
        "InferenceFunction": null,
        "ModelType": kind.name,
        "n_intput_channel": null,
        "SupportsVariableTileSize": kind.takes_any_tile,
        "NormalizationStats_b": null,
        "n_channel": null,
        "ModelParameters": null,
        "ModelFormat": "NCHW",
        "MinCellSize": null,
        "MaxCellSize": null,
        "ArcGISLearnVersion": ARCGIS_LEARN_VERSION,
        "ModelFile": null,
        "ImageHeight": null,
        "ImageWidth": null,
        // Its term for unknown cell sizes.
        "ImageSpaceUsed": "PIXEL_SPACE",
        "LearningRate": null,
        "ModelName": kind.name,
        "backend": "pytorch",
        "resize_to": null,
        "IsMultispectral": null,
        "IsImageNetNormalization": true,
    }));
    if multispectral {
        add(json!({"Bands": null, "ImageryType": null}));
    }
    add(json!({"ExtractBands": null, "NormalizationStats": null}));
    if multispectral {
        add(json!({"DoNormalize": false}));
    }
    add(json!({"n_channel_rev": null}));
    template
}
