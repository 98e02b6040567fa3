//! `.emd`: Esri's model definition, a JSON object.
//!
//! The keys that matter to us are fields of [`Emd`]; all others are kept as they are and written again in
//! their places. What only this crate knows stands under `Geolearn`.

mod json;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::json::{Keys, Object, numbers, without_non_finite};
use crate::error::{Error, ErrorKind, Result, shown};
use crate::raster::MAX_SIDE;

/// A definition is a few KiB, to which each epoch of the history adds some hundred bytes. JSON of this size takes about
/// 1 GiB at worst.
pub(super) const MAX_BYTES: u64 = 32 << 20;
/// The key of our section.
const SECTION: &str = "Geolearn";
/// The key in our section that says which weights belong to the definition.
const WEIGHTS: &str = "Weights";
const MAX_BANDS: u64 = 65_536;
const MAX_BLOCKS: u64 = 1_000;
/// `gen_blocks` of a CycleGAN in arcgis.learn that was built without options.
const DEFAULT_BLOCKS: usize = 9;
const RGB: usize = 3;

/// Esri's own built-in function; with it no script has to lie beside the model.
pub(crate) const INFERENCE_FUNCTION: &str = r"[Functions]System\DeepLearning\ArcGISLearn\ArcGISImageTranslation.py";
/// The release of arcgis.learn whose form we write.
const ARCGIS_LEARN_VERSION: &str = "2.4.4";
const MODEL_TYPE: &str = "CycleGAN";
/// The loss by which arcgis.learn chose these weights.
const VALID_LOSS: &str = "monitored_valid_loss";

/// Fréchet distances of images of domains A and B.
const FID: [&str; 2] = ["FID_A", "FID_B"];

/// Where a definition may say that its weights lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// In its own folder or below.
    Folder,
    /// Anywhere: the caller trusts it.
    Anywhere,
}

/// A model definition of a CycleGAN.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Emd {
    /// `n_channel_rev` and `NormalizationStats`.
    pub domain_a: DomainBands,
    /// `n_channel` and `NormalizationStats_b`.
    pub domain_b: DomainBands,
    /// `ImageHeight` and `ImageWidth`, the size of a chip in pixels.
    pub image_height: usize,
    pub image_width: usize,
    /// `ModelParameters.gen_blocks` and `.lsgan`; the others there are constants of arcgis.learn.
    pub gen_blocks: usize,
    pub lsgan: bool,
    /// `ModelFile`, the weights: a path relative to the definition that does not leave its folder.
    pub model_file: String,
    /// `InferenceFunction`.
    pub inference_function: String,
    /// `LearningRate`, where it is a plain number.
    pub learning_rate: Option<f64>,
    /// `MinCellSize` and `MaxCellSize` as Esri writes them: `{"x", "y", "spatialReference"}` or null.
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
    /// `Geolearn`: what arcgis.learn has no key for.
    pub geolearn: Option<Value>,
    /// The whole object as it was read, with the order of its keys.
    rest: Object,
}

/// How many bands a domain has, and their statistics.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct DomainBands {
    pub bands: usize,
    /// One number for each band. NaN stands for null in the file.
    pub min: Option<Vec<f64>>,
    pub max: Option<Vec<f64>>,
    pub mean: Option<Vec<f64>>,
    pub std: Option<Vec<f64>>,
}

impl Emd {
    /// A definition with the keys and the order of arcgis.learn's own files, in their form for 8-bit RGB or in that for
    /// everything else.
    pub(crate) fn new(model_file: &str, domain_a: DomainBands, domain_b: DomainBands, multispectral: bool) -> Self {
        Self {
            domain_a,
            domain_b,
            image_height: 256,
            image_width: 256,
            gen_blocks: DEFAULT_BLOCKS,
            lsgan: true,
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
            rest: template(multispectral),
        }
    }

    /// Reads and checks a definition.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] naming the key that is missing, of a wrong type or in contradiction to another;
    /// [`ErrorKind::Unsupported`] for a model of another kind.
    pub(crate) fn parse(bytes: &[u8], reach: Reach) -> Result<Self> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::new(ErrorKind::Limits, "model definition is too large")
                .expected(format!("at most {MAX_BYTES} bytes"))
                .found(bytes.len()));
        }
        let not_json = || Error::new(ErrorKind::Format, "model definition is no JSON");
        let text = std::str::from_utf8(bytes).map_err(|e| not_json().because(e))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match serde_json::from_str(&without_non_finite(text)).map_err(|e| not_json().because(e))? {
            Value::Object(rest) => Self::from_object(rest, reach),
            _ => Err(not_json().expected("an object")),
        }
    }

    fn from_object(rest: Object, reach: Reach) -> Result<Self> {
        let keys = Keys { object: &rest, prefix: "" };
        check_type(keys)?;
        // Files without these are of models built without options.
        let none = Object::new();
        let parameters = keys.get_optional("ModelParameters", "an object", Value::as_object)?.unwrap_or(&none);
        let parameters = Keys { object: parameters, prefix: "ModelParameters." };
        let domain_a = DomainBands::read(keys, "n_channel_rev", "NormalizationStats")?;
        let domain_b = DomainBands::read(keys, "n_channel", "NormalizationStats_b")?;
        check_channels(keys, domain_a.bands.max(domain_b.bands))?;
        Ok(Self {
            domain_a,
            domain_b,
            image_height: keys.integer("ImageHeight", 1, MAX_SIDE as u64)?,
            image_width: keys.integer("ImageWidth", 1, MAX_SIDE as u64)?,
            gen_blocks: match parameters.optional("gen_blocks") {
                Some(_) => parameters.integer("gen_blocks", 0, MAX_BLOCKS)?,
                None => DEFAULT_BLOCKS,
            },
            lsgan: parameters.get_optional("lsgan", "true or false", Value::as_bool)?.unwrap_or(true),
            model_file: model_file(keys, reach)?,
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

    /// Takes over the range of cell sizes of the chips: the model then works in units of a map.
    pub(crate) fn set_cell_sizes(&mut self, [least, most]: [Value; 2]) {
        (self.min_cell_size, self.max_cell_size) = (least, most);
        self.rest.insert("ImageSpaceUsed".to_owned(), "MAP_SPACE".into());
    }

    /// Sets or removes the Fréchet distances of images of domains A and B, as texts like arcgis.learn's.
    pub(crate) fn set_fid(&mut self, distances: Option<[Option<f64>; 2]>) {
        for (i, key) in FID.into_iter().enumerate() {
            self.rest.shift_remove(key);
            if let Some(distances) = distances {
                let text = distances[i].map_or_else(|| "None".to_owned(), |distance| distance.to_string());
                self.rest.insert(key.to_owned(), text.into());
            }
        }
    }

    /// The larger band count, which is that of both networks' inputs: `n_intput_channel`.
    pub(crate) fn channels(&self) -> usize {
        self.domain_a.bands.max(self.domain_b.bands)
    }

    /// Where the weights lie, for a definition in `folder`.
    pub(crate) fn weights_in(&self, folder: &Path) -> PathBuf {
        match self.weights_within() {
            Some(parts) => folder.join(parts.into_iter().collect::<PathBuf>()),
            // It was read with `Reach::Anywhere`.
            None => folder.join(&self.model_file),
        }
    }

    /// The parts of the weights' path below the folder of the definition, if that is where they lie.
    pub(super) fn weights_within(&self) -> Option<Vec<&str>> {
        within(&self.model_file)
    }

    /// The fingerprint of the weights that belong to the definition, in a file that [`set_mark`](Self::set_mark) marked.
    pub(super) fn mark(&self) -> Option<&str> {
        self.geolearn.as_ref()?.get(WEIGHTS)?.as_str()
    }

    /// Says which weights belong to the definition, or that they lie in one file with it.
    pub(crate) fn set_mark(&mut self, mark: Option<&str>) {
        if let Some(Value::Object(section)) = &mut self.geolearn {
            section.shift_remove(WEIGHTS);
            section.extend(mark.map(|mark| (WEIGHTS.to_owned(), mark.into())));
        }
    }

    /// The file as text, indented as arcgis.learn's unless it would be too large for its readers.
    ///
    /// # Errors
    /// [`ErrorKind::Limits`] for one that would be too large all the same.
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
        Err(Error::new(ErrorKind::Limits, "model definition is too large to be opened again")
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
        set("ModelParameters", self.parameters());
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

    fn parameters(&self) -> Value {
        let mut parameters = self.rest.get("ModelParameters").and_then(Value::as_object).cloned().unwrap_or_default();
        parameters.insert("gen_blocks".into(), self.gen_blocks.into());
        parameters.insert("lsgan".into(), self.lsgan.into());
        parameters.into()
    }
}

impl DomainBands {
    /// Older files of RGB models have neither counts nor statistics; arcgis.learn then takes three bands of 0 to 255.
    fn read(keys: Keys, count: &str, stats: &str) -> Result<Self> {
        let absent = |key: &&str| keys.optional(key).is_none();
        let old = keys.optional("IsMultispectral").and_then(Value::as_bool) != Some(true)
            && ["n_channel_rev", stats].iter().all(absent);
        if old {
            let known = ["n_channel", "n_intput_channel"].into_iter().find(|key| !absent(key));
            let bands = known.map_or(Ok(RGB), |key| keys.integer(key, 1, MAX_BANDS))?;
            return Ok(Self {
                bands,
                min: Some(vec![0.0; bands]),
                max: Some(vec![255.0; bands]),
                mean: None,
                std: None,
            });
        }
        let prefix = format!("{stats}.");
        let stats = Keys { object: keys.object(stats)?, prefix: &prefix };
        // Older multispectral files count in `n_channel` the channels of the networks; bands are those of the statistics.
        let bands = match keys.optional("n_channel_rev") {
            Some(_) => keys.integer(count, 1, MAX_BANDS)?,
            None => stats.get("band_min_values", "a number for each band", |list| list.as_array().map(Vec::len))?,
        };
        let expected = format!("a number for each of the {bands} bands (`{count}`)");
        let list = |key| stats.get_optional(key, &expected, |value| numbers(value).filter(|list| list.len() == bands));
        Ok(Self {
            bands,
            min: list("band_min_values")?,
            max: list("band_max_values")?,
            mean: list("band_mean_values")?,
            std: list("band_std_values")?,
        })
    }

    /// As an object, with what else `before` held.
    fn stats(&self, before: Option<&Value>) -> Value {
        let mut stats = before.and_then(Value::as_object).cloned().unwrap_or_else(|| {
            let unknown = ["scaled_min_values", "scaled_max_values", "scaled_mean_values", "scaled_std_values"];
            let ours = ["band_min_values", "band_max_values", "band_mean_values", "band_std_values"];
            ours.into_iter().chain(unknown).map(|key| (key.to_owned(), Value::Null)).collect()
        });
        let lists = [("min", &self.min), ("max", &self.max), ("mean", &self.mean), ("std", &self.std)];
        for (name, list) in lists {
            // What is not finite becomes null: JSON has no NaN.
            stats.insert(format!("band_{name}_values"), json!(list));
        }
        stats.into()
    }
}

fn check_type(keys: Keys) -> Result<()> {
    let found = keys.optional("ModelName").or_else(|| keys.optional("ModelType"));
    match found.map(|value| value.as_str().unwrap_or_default()) {
        Some(MODEL_TYPE) => Ok(()),
        Some(other) => Err(Error::new(ErrorKind::Unsupported, "the model is of another kind (`ModelName`)")
            .expected(MODEL_TYPE)
            .found(other.chars().take(60).collect::<String>())),
        None => keys.text("ModelName").map(drop),
    }
}

/// `n_intput_channel` follows from the two band counts; a file that says otherwise is damaged.
fn check_channels(keys: Keys, larger: usize) -> Result<()> {
    let expected = format!("{larger}, the larger of `n_channel` and `n_channel_rev`");
    keys.get_optional("n_intput_channel", &expected, |value| value.as_u64().filter(|&found| found == larger as u64))
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

/// The parts of a path that stays in its folder or below it, on every operating system.
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

/// A number as Python's `"{:.4e}"` writes it: `2.0000e-04`.
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

/// Keys in arcgis.learn's order, with what is the same in every file; [`Emd::to_json`] fills in the rest.
fn template(multispectral: bool) -> Object {
    let mut template = Object::new();
    let mut add = |keys: Value| {
        if let Value::Object(keys) = keys {
            template.extend(keys);
        }
    };
    add(json!({
        "Framework": "arcgis.learn.models._inferencing",
        "ModelConfiguration": "_cyclegan",
        "InferenceFunction": null,
        "ModelType": MODEL_TYPE,
        "n_intput_channel": null,
        "SupportsVariableTileSize": true,
        "NormalizationStats_b": null,
        "n_channel": null,
        "ModelParameters": {"gen_blocks": null, "lsgan": null, "backbone": "resnet34", "backend": "pytorch"},
        "ModelFormat": "NCHW",
        "MinCellSize": null,
        "MaxCellSize": null,
        "ArcGISLearnVersion": ARCGIS_LEARN_VERSION,
        "ModelFile": null,
        "ImageHeight": null,
        "ImageWidth": null,
        // Its word where cell sizes are not known.
        "ImageSpaceUsed": "PIXEL_SPACE",
        "LearningRate": null,
        "ModelName": MODEL_TYPE,
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
