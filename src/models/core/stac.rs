//! `model.stac.json`: a saved model as an item for STAC catalogs, using the MLM extension (Machine Learning Model).

use serde_json::{Map, Value, json};

use super::learner::Learner;
use super::model::Model;
use crate::dataset::{Domain, DomainSpec};

/// The version of the extension.
const EXTENSION: &str = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json";
/// The extension's term for models like these.
const TASKS: [&str; 1] = ["generative"];
const PRE_PROCESSING: &str = "Per band: the scaling, cut to [-1, 1] where the model definition says `clip`; 0 where there \
are no data. The last band is repeated until there are as many as the shape says.";
const POST_PROCESSING: &str = "Per band, of the first ones: (y + 1) / 2 * (maximum - minimum) + minimum, rounded to the \
type of the images.";

/// Returns the item of a model that is saved under this name.
pub(super) fn item<M: Model>(model: &Learner<M>, name: &str) -> String {
    let item = json!({
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [EXTENSION],
        "id": name,
        // Where the model may be used is unknown.
        "geometry": null,
        "properties": properties(model, name),
        "links": [],
        "assets": assets(name, bands(model)),
    });
    format!("{item:#}\n")
}

fn properties<M: Model>(model: &Learner<M>, name: &str) -> Value {
    let trained = |to: &&Domain| Some(**to) != model.untrained;
    let targets: Vec<Domain> = M::TARGETS.iter().filter(trained).copied().collect();
    let side = |domain: Domain| (domain, model.domain(domain));
    let config = serde_json::to_value(model.config()).unwrap_or_default();
    let mut properties = json!({
        "title": name,
        "description": format!("{} that translates images between two domains; README.md says more", M::KIND.name),
        // A model has no date, but STAC requires a date or a span: this is the one in its own examples.
        "datetime": null,
        "start_datetime": "1900-01-01T00:00:00Z",
        "end_datetime": "9999-12-31T23:59:59Z",
        "bands": bands(model),
        "mlm:name": plain_name(name),
        "mlm:architecture": M::KIND.name,
        "mlm:tasks": TASKS,
        "mlm:framework": "PyTorch",
        "mlm:input": targets.iter().map(|to| input(side(to.other()))).collect::<Vec<_>>(),
        "mlm:output": targets.iter().map(|&to| output(side(to))).collect::<Vec<_>>(),
    });
    if let Ok(count) = u64::try_from(M::parameter_count(model.config(), model.channels())) {
        properties["mlm:total_parameters"] = count.into();
    }
    if config.as_object().is_some_and(|options| !options.is_empty()) {
        properties["mlm:hyperparameters"] = config;
    }
    properties
}

/// Lists each band of either domain once, by its name.
fn bands<M: Model>(model: &Learner<M>) -> Vec<Value> {
    let mut named: Map<String, Value> = Map::new();
    for domain in Domain::BOTH {
        let spec = model.domain(domain);
        for name in names(spec) {
            let band = json!({"name": name, "data_type": spec.normalizer.dtype().name()});
            named.entry(name).or_insert(band);
        }
    }
    named.into_iter().map(|(_, band)| band).collect()
}

/// Returns the name of each band, or its number in the files.
fn names(spec: &DomainSpec) -> Vec<String> {
    let number = |band: usize| format!("band {}", spec.selection.bands.get(band).unwrap_or(&band) + 1);
    let own = |(band, name): (usize, &Option<String>)| match name.as_deref() {
        Some(name) if !name.is_empty() => name.to_string(),
        _ => number(band),
    };
    spec.band_names.iter().enumerate().map(own).collect()
}

fn input((domain, spec): (Domain, &DomainSpec)) -> Value {
    json!({
        "name": format!("image of domain {domain}"),
        "description": format!("Images of {}", spec.normalizer.dtype()),
        "bands": names(spec),
        "input": structure(spec),
        "value_scaling": scaling(spec),
        "pre_processing_function": {"format": "text", "expression": PRE_PROCESSING},
    })
}

fn output((domain, spec): (Domain, &DomainSpec)) -> Value {
    json!({
        "name": format!("image of domain {domain}"),
        "description": format!("Images of {}", spec.normalizer.dtype()),
        "tasks": TASKS,
        "bands": names(spec),
        "result": structure(spec),
        "post_processing_function": {"format": "text", "expression": POST_PROCESSING},
    })
}

/// Describes any number of images of any size.
fn structure(spec: &DomainSpec) -> Value {
    json!({
        "shape": [-1, spec.normalizer.channels(), -1, -1],
        "dim_order": ["batch", "bands", "height", "width"],
        "data_type": "float32",
    })
}

/// Describes the scaling to [-1, 1]. The extension's `min-max` means [0, 1], so the middle and half of the range are
/// given as mean and deviation.
fn scaling(spec: &DomainSpec) -> Vec<Value> {
    let ranges = spec.normalizer.min().iter().zip(spec.normalizer.max());
    let of_band = |(min, max): (&f64, &f64)| {
        let half = (max - min) / 2.0;
        // A band of one value becomes -1.
        let (mean, deviation) = if half == 0.0 { (min + 1.0, 1.0) } else { (min + half, half) };
        json!({"type": "z-score", "mean": mean, "stddev": deviation})
    };
    ranges.map(of_band).collect()
}

/// STAC requires bands in an asset if the item has some, and MLM requires them in the item.
fn assets(name: &str, bands: Vec<Value>) -> Value {
    let href = |extension: &str| format!("./{}.{extension}", in_url(name));
    let asset = |href: String, media: &str, title: &str| json!({"href": href, "type": media, "title": title});
    let mut weights = asset(href("pth"), "application/octet-stream; application=pytorch", "Weights, a state dict");
    weights["roles"] = json!(["mlm:model", "mlm:weights"]);
    weights["mlm:artifact_type"] = "torch.save".into();
    weights["bands"] = bands.into();
    let mut definition = asset(href("emd"), "application/json", "Esri model definition");
    definition["roles"] = json!(["metadata"]);
    let mut package = asset(href("dlpk"), "application/zip", "Deep learning package for ArcGIS");
    package["roles"] = json!(["data"]);
    let mut card = asset("./README.md".to_string(), "text/markdown", "Model card");
    card["roles"] = json!(["metadata"]);
    json!({"weights": weights, "definition": definition, "package": package, "card": card})
}

/// Converts a name to the extension's rules: letters, digits, `_`, `.`, `-` and spaces, starting with a letter.
fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_.- ".contains(c) { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.len() > 2;
    if begins_well { name.to_string() } else { format!("model-{name}").trim_end_matches('-').to_string() }
}

/// Escapes the name for a URL.
fn in_url(name: &str) -> String {
    let mut url = String::new();
    for byte in name.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_the_extension() {
        let names = ["sat2map", "<b>sat & map", "2 maps", "ß", "a", "_m_"];
        let plain = ["sat2map", "b-sat - map", "model-2 maps", "model", "model-a", "model-m"];
        assert_eq!(names.map(plain_name), plain);
    }

    #[test]
    fn names_are_escaped_for_urls() {
        assert_eq!(in_url("sat & mäp.1"), "sat%20%26%20m%C3%A4p.1");
    }
}
