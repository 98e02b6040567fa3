//! `README.md`: the card of a saved model, for people who find it.

use super::learner::Learner;
use super::model::Model;
use super::report;
use crate::dataset::{Domain, DomainSpec, Split};
use crate::evaluation::{Metrics, table};
use crate::package::emd::ModelKind;

/// Returns the card of a model that is saved under this name.
pub(super) fn markdown<M: Model>(model: &Learner<M>, name: &str) -> String {
    let directions: Vec<String> =
        targets(model).iter().map(|to| format!("images of {} to images of {to}", to.other())).collect();
    let mut card = Card::default();
    card.line(&format!("# {}", plain(name)));
    let version = env!("CARGO_PKG_VERSION");
    card.paragraph(&format!(
        "A {} that translates {}. Saved by [geolearn](https://crates.io/crates/geolearn) {version}.",
        M::KIND.name,
        directions.join(", and ")
    ));
    card.heading("Model");
    card.table(&["", ""], report::facts(model).into_iter().map(|(name, value)| vec![name.to_string(), value]));
    card.heading("Data");
    Domain::BOTH.into_iter().for_each(|domain| bands(&mut card, domain, model.domain(domain)));
    chips(&mut card, model);
    card.heading("Scores");
    scores(&mut card, model.metrics.as_ref());
    if !model.history.epochs().is_empty() {
        card.paragraph("Losses and measures of the training:");
        card.table(&["", "last epoch", "lowest", "in epoch"], report::measures(model).into_iter().map(row));
    }
    card.heading("License");
    card.paragraph("Not stated. Say here under which license the weights may be used, and under which the chips were.");
    card.heading("Use");
    let beyond_arcgis = M::beyond_arcgis(model.config(), &model.domains);
    use_here(&mut card, (M::KIND, beyond_arcgis), name, &targets(model));
    card.text
}

fn targets<M: Model>(model: &Learner<M>) -> Vec<Domain> {
    M::TARGETS.iter().copied().filter(|&to| Some(to) != model.untrained).collect()
}

fn row((name, numbers): (String, Vec<String>)) -> Vec<String> {
    std::iter::once(name).chain(numbers).collect()
}

/// Adds names, ranges and units of a domain's bands.
fn bands(card: &mut Card, domain: Domain, spec: &DomainSpec) {
    let values = spec.normalizer.values();
    let nodata = values.nodata.map_or_else(|| "no nodata value".to_string(), |value| format!("nodata {value}"));
    let (used, of) = (spec.selection.bands.len(), spec.selection.of);
    let beyond = if values.clip { "values beyond the range are cut" } else { "values beyond the range are kept" };
    let dtype = values.dtype;
    card.paragraph(&format!("Domain {domain}: {used} of the {of} bands of its files, {dtype}, {nodata}; {beyond}."));
    let number = |list: &[f64], band: usize| list.get(band).map_or_else(String::new, |value| format!("{value:.6}"));
    let rows = (0..used).map(|band| {
        let unit = match spec.band_scales.get(band) {
            Some(scale) if *scale != Default::default() => format!("{} * sample + {}", scale.scale, scale.offset),
            _ => "sample".to_string(),
        };
        vec![
            (spec.selection.bands[band] + 1).to_string(),
            spec.band_names.get(band).cloned().flatten().unwrap_or_default(),
            spec.normalizer.min()[band].to_string(),
            spec.normalizer.max()[band].to_string(),
            number(&spec.mean, band),
            number(&spec.std, band),
            unit,
        ]
    });
    card.table(&["band", "name", "becomes -1", "becomes 1", "mean", "deviation", "value"], rows);
}

/// Adds the number of training chips, if the model still has them.
fn chips<M: Model>(card: &mut Card, model: &Learner<M>) {
    match &model.data {
        Some(data) => {
            let count = |domain| {
                let counts = [Split::Train, Split::Valid, Split::Test].map(|split| data.count(domain, split));
                std::iter::once(domain.to_string()).chain(counts.map(|count| count.to_string())).collect()
            };
            card.paragraph("Chips that the model was saved with:");
            card.table(&["domain", "training", "validation", "test"], Domain::BOTH.map(count));
        }
        None => card.paragraph("The model was saved without its chips, so their number is not known."),
    }
}

fn scores(card: &mut Card, metrics: Option<&Metrics>) {
    let Some(metrics) = metrics else {
        return card
            .paragraph("Not measured. `compute_metrics` measures, and the next `save` writes the figures here.");
    };
    for (to, direction) in metrics.directions() {
        let (translated, real) = (direction.translated, direction.real);
        card.paragraph(&format!("{} to {to}: {translated} translations, {real} real images.", to.other()));
        let mut rows = table(direction, to).into_iter();
        let header = rows.next().unwrap_or_default();
        card.table(&header.each_ref().map(String::as_str), rows.map(|row| row.to_vec()));
    }
    metrics.notes.iter().for_each(|note| card.paragraph(&plain(note)));
}

/// Adds programs for this crate, for arcgis.learn and for onnxruntime.
fn use_here(card: &mut Card, (kind, beyond_arcgis): (&ModelKind, Option<&str>), name: &str, targets: &[Domain]) {
    let ModelKind { name: there, opened_by: here, .. } = kind;
    let to = targets.first().copied().unwrap_or(Domain::B);
    let folder = quoted(name);
    card.paragraph("In Rust, with the folder's path:");
    card.code(
        "rust",
        &format!(
            "let model = geolearn::{here}::from_model({folder}, None)?;\n\
         model.predict(\"scene.tif\", geolearn::Domain::{to})?.save(\"made.tif\")?;"
        ),
    );
    match beyond_arcgis {
        Some(what) => card.paragraph(&format!("arcgis.learn cannot open it: it has {what}.")),
        None => {
            card.paragraph("In arcgis.learn, and in ArcGIS Pro with the `.dlpk` as the model definition:");
            let definition = quoted(&format!("{name}.emd"));
            card.code(
                "python",
                &format!("from arcgis.learn import {there}\n\nmodel = {there}.from_model({definition})"),
            );
        }
    }
    card.paragraph("As ONNX, which takes and gives the samples of files:");
    card.code(
        "rust",
        &format!(
            "let options = geolearn::models::ExportOptions::new().units(geolearn::models::ExportUnits::Files);\n\
         model.export_onnx_with(\"model.onnx\", geolearn::Domain::{to}, options)?;"
        ),
    );
    card.code(
        "python",
        "import onnxruntime, rasterio\n\n\
         session = onnxruntime.InferenceSession(\"model.onnx\")\n\
         made, = session.run(None, {\"input\": rasterio.open(\"scene.tif\").read()[None]})",
    );
    card.paragraph(
        "The model knows images like those that it learned from, of their sensor and their size of pixels. What it makes \
         is likely, not measured: a translated band is no observation.",
    );
}

/// Quotes a text in a form that both Rust and Python read.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Escapes markup.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => plain.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' => plain.extend(['\\', c]),
            c => plain.push(c),
        }
    }
    plain
}

/// A Markdown document under construction.
#[derive(Default)]
struct Card {
    text: String,
}

impl Card {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.line(&format!("\n## {text}"));
    }

    fn paragraph(&mut self, text: &str) {
        self.line(&format!("\n{text}"));
    }

    fn table(&mut self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        self.line(&format!("\n| {} |", header.join(" | ")));
        self.line(&format!("|{}", "---|".repeat(header.len())));
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
            self.line(&format!("| {} |", cells.join(" | ")));
        }
    }

    fn code(&mut self, language: &str, text: &str) {
        self.line(&format!("\n```{language}\n{text}\n```"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_become_markup() {
        assert_eq!(plain("<b>a_b|`c`\n# d"), "\\<b\\>a\\_b\\|\\`c\\` \\# d");
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
        let mut card = Card::default();
        card.table(&["x"], [vec!["a|b".to_string()]]);
        assert_eq!(card.text, "\n| x |\n|---|\n| a\\|b |\n");
    }
}
