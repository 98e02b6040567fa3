//! The report of a saved model: a page with facts, numbers and pictures.

use super::learner::Learner;
use super::model::Model;
use crate::dataset::Domain;
use crate::evaluation::{Metrics, table};
use crate::package::report::Report;

/// File names that ArcGIS looks for.
const LOSSES: &str = "loss_graph.png";
const RESULTS: &str = "show_results.png";
/// The columns themselves say more.
const SHOWN: &str = "Chips and their translations";

/// Pictures as PNG, or the reason why there are none.
pub(super) struct Pictures {
    pub losses: Drawn,
    pub results: Drawn,
}

/// A PNG, or a sentence that says why there is none.
pub(super) type Drawn = std::result::Result<Vec<u8>, String>;

impl Pictures {
    /// Returns the pictures with their file names.
    pub fn files(&self) -> [(&'static str, Option<Vec<u8>>); 2] {
        [(LOSSES, self.losses.clone().ok()), (RESULTS, self.results.clone().ok())]
    }
}

/// Returns the page `model_metrics.html`.
pub(super) fn html<M: Model>(model: &Learner<M>, name: &str, pictures: &Pictures) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = Report::new(name, &format!("{}, saved by geolearn {version}", M::KIND.name));
    page.heading("Model");
    page.facts(facts(model));
    page.heading("Training and validation loss");
    match &pictures.losses {
        Ok(png) => page.picture(png, "Losses of each epoch, in training and on validation pairs"),
        Err(why) => page.paragraph(why),
    }
    if !model.history.epochs().is_empty() {
        page.numbers(&["", "last epoch", "lowest", "in epoch"], &measures(model));
    }
    if let Some(metrics) = &model.metrics {
        page.heading("Metrics");
        quality(&mut page, metrics);
    }
    page.heading("Sample results");
    match &pictures.results {
        Ok(png) => page.picture(png, SHOWN),
        Err(why) => page.paragraph(why),
    }
    page.finish()
}

fn quality(page: &mut Report, metrics: &Metrics) {
    for (to, direction) in metrics.directions() {
        let (translated, real) = (direction.translated, direction.real);
        page.paragraph(&format!("{} to {to}: {translated} translations, {real} real images", to.other()));
        let mut rows = table(direction, to).into_iter();
        let header = rows.next().unwrap_or_default();
        let rows: Vec<_> = rows.map(|[name, numbers @ ..]| (name, numbers.to_vec())).collect();
        page.numbers(&header.each_ref().map(String::as_str), &rows);
    }
    metrics.notes.iter().for_each(|note| page.paragraph(note));
}

/// Describes the model by names and values.
pub(super) fn facts<M: Model>(model: &Learner<M>) -> Vec<(&'static str, String)> {
    let mut facts: Vec<(&str, String)> = [("Domain A", Domain::A), ("Domain B", Domain::B)]
        .map(|(name, domain)| (name, described(model, domain)))
        .into();
    facts.extend(M::description(model.config(), model.channels()));
    let epochs = model.history.epochs();
    if !epochs.is_empty() {
        let rate = epochs.iter().map(|epoch| epoch.lr).fold(0.0, f64::max);
        let minutes = epochs.iter().map(|epoch| epoch.seconds).sum::<f64>() / 60.0;
        facts.push((
            "Training",
            format!(
                "{} epochs, {} steps, {minutes:.1} minutes, learning rate {rate:e}",
                epochs.len(),
                model.history.steps()
            ),
        ));
    }
    facts
}

/// Describes a domain like `13 bands of uint16 (B01, B02, …), chips of 64 x 64`.
fn described<M: Model>(model: &Learner<M>, domain: Domain) -> String {
    let facts = model.domain(domain);
    let (height, width) = facts.chip;
    let names: Vec<&str> = facts.band_names.iter().filter_map(Option::as_deref).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let (bands, dtype) = (facts.normalizer.bands(), facts.normalizer.dtype());
    format!("{bands} bands of {dtype}{names}, chips of {width} x {height}")
}

/// Lists each loss and metric: its last value, its lowest value, and when that was.
pub(super) fn measures<M: Model>(model: &Learner<M>) -> Vec<(String, Vec<String>)> {
    let history = &model.history;
    let named = |name: &String| {
        let curve = history.curve(name)?;
        let (_, last) = *curve.last()?;
        let (epoch, lowest) = curve.into_iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        Some((name.replace('_', " "), vec![format!("{last:.4}"), format!("{lowest:.4}"), epoch.to_string()]))
    };
    history.names().iter().chain(history.metric_names()).filter_map(named).collect()
}
