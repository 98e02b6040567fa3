//! What a saved model tells people: pictures, and a page with them.

use super::CycleGan;
use crate::dataset::Domain;
use crate::error::Result;
use crate::loss::AdversarialLoss;
use crate::package::report::Report;

/// Rows of samples on chips of 256 x 256; fewer of larger ones, so that saving stays quick.
const ROWS: usize = 3;
const USUAL_AREA: usize = 256 * 256;
/// Names that ArcGIS looks for.
const LOSSES: &str = "loss_graph.png";
const RESULTS: &str = "show_results.png";

/// Pictures as PNG, or why there are none.
pub(super) struct Pictures {
    losses: Option<Vec<u8>>,
    results: std::result::Result<Vec<u8>, String>,
}

impl Pictures {
    /// Those that there are, with their names.
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let losses = self.losses.iter().map(|png| (LOSSES, png.clone()));
        losses.chain(self.results.iter().map(|png| (RESULTS, png.clone()))).collect()
    }
}

/// Draws the pictures. Samples that cannot be drawn, since a chip is gone for example, must not keep a trained model
/// from being saved: the page says why they are missing, and a warning does.
pub(super) fn pictures(model: &CycleGan) -> Result<Pictures> {
    let trained = !model.history.epochs().is_empty();
    let losses = trained.then(|| model.plot_losses()?.to_png()).transpose()?;
    let results = match model.data {
        None => Err("The model was saved without data, so there are no samples.".to_owned()),
        Some(_) => model.show_results(rows(model)).and_then(|picture| picture.to_png()).map_err(|error| {
            tracing::warn!(%error, "samples for the report of a saved model could not be drawn");
            format!("Samples could not be drawn: {error}.")
        }),
    };
    Ok(Pictures { losses, results })
}

fn rows(model: &CycleGan) -> usize {
    let areas = Domain::BOTH.map(|domain| {
        let (height, width) = model.domain(domain).chip;
        height.saturating_mul(width)
    });
    (ROWS * USUAL_AREA / areas[0].max(areas[1]).max(1)).clamp(1, ROWS)
}

/// The page `model_metrics.html`.
pub(super) fn html(model: &CycleGan, name: &str, pictures: &Pictures) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = Report::new(name, &format!("CycleGAN, saved by geolearn {version}"));
    page.heading("Model");
    page.facts(facts(model));
    page.heading("Training and validation loss");
    match &pictures.losses {
        Some(png) => {
            page.picture(png, "Losses of each epoch, in training and on validation pairs");
            page.numbers(&["", "last epoch", "lowest", "in epoch"], &measures(model));
        }
        None => page.paragraph("This model holds no record of its training."),
    }
    page.heading("Sample results");
    match &pictures.results {
        Ok(png) => page.picture(png, "Chips, their translation, and that translated back"),
        Err(why) => page.paragraph(why),
    }
    page.finish()
}

fn facts(model: &CycleGan) -> Vec<(&'static str, String)> {
    let config = &model.config;
    let mut facts: Vec<(&str, String)> = [("Domain A", Domain::A), ("Domain B", Domain::B)]
        .map(|(name, domain)| (name, described(model, domain)))
        .into();
    let adversarial = match config.adversarial {
        AdversarialLoss::LeastSquares => "least squares",
        AdversarialLoss::BinaryCrossEntropy => "binary cross-entropy",
    };
    facts.extend([
        ("Generators", format!("{} residual blocks, {} features", config.gen_blocks, config.gen_features)),
        ("Discriminators", format!("70 x 70 patches, {} features", config.disc_features)),
        ("Parameters", format!("{} in all", config.parameter_count(model.channels()))),
        ("Losses", format!("{adversarial}; cycle {}; identity {} of it", config.cycle_weight, config.identity_weight)),
    ]);
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

/// `13 bands of uint16 (B01, B02, …), chips of 64 x 64`.
fn described(model: &CycleGan, domain: Domain) -> String {
    let facts = model.domain(domain);
    let (height, width) = facts.chip;
    let names: Vec<&str> = facts.band_names.iter().filter_map(Option::as_deref).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let (bands, dtype) = (facts.normaliser.bands(), facts.normaliser.dtype());
    format!("{bands} bands of {dtype}{names}, chips of {width} x {height}")
}

/// Each loss and measure: its last value, its lowest, and when that was.
fn measures(model: &CycleGan) -> Vec<(String, Vec<String>)> {
    let history = &model.history;
    let named = |name: &String| {
        let curve = history.curve(name)?;
        let (_, last) = *curve.last()?;
        let (epoch, lowest) = curve.into_iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        Some((name.replace('_', " "), vec![format!("{last:.4}"), format!("{lowest:.4}"), epoch.to_string()]))
    };
    history.names().iter().chain(history.metric_names()).filter_map(named).collect()
}
