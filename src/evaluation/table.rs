//! An evaluation as a text table.

use std::fmt::{self, Display, Formatter};

use super::scores::{Baseline, DirectionMetrics, Metrics, PairedScores, Scores};
use crate::dataset::Domain;
use crate::metrics::Mean;

const HEADER: [&str; 9] = ["", "KID x 1000", "FID", "PSNR", "SSIM", "MAE", "gradients", "angle", "checkerboard"];

impl Display for Baseline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoTranslation => "no translation",
            Self::MeanColor => "flat mean color",
            Self::HistogramMatching => "histogram matching",
        })
    }
}

impl Display for Metrics {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.directions().try_for_each(|(to, metrics)| direction(f, metrics, to))?;
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}

fn direction(f: &mut Formatter<'_>, metrics: &DirectionMetrics, to: Domain) -> fmt::Result {
    let from = to.other();
    writeln!(f, "{from} to {to}: {} translations, {} real images", metrics.translated, metrics.real)?;
    rows(metrics, to).iter().try_for_each(|row| line(f, row))?;
    match metrics.baselines_that_win()[..] {
        [] => writeln!(f),
        ref winners => {
            let names: Vec<String> = winners.iter().map(ToString::to_string).collect();
            writeln!(f, "According to these scores, as good as the model without any training: {}.\n", names.join(", "))
        }
    }
}

/// Returns the cells of the table of one direction, including its header.
pub(crate) fn rows(metrics: &DirectionMetrics, to: Domain) -> Vec<[String; 9]> {
    let from = to.other();
    let mut rows = vec![HEADER.map(String::from), scored("model".to_string(), &metrics.model)];
    rows.extend(metrics.baselines.iter().map(|row| scored(row.baseline.to_string(), &row.scores)));
    let round_trip = metrics.round_trip.clone();
    if round_trip.is_some() {
        let scores = Scores { paired: round_trip, ..Scores::default() };
        rows.push(scored(format!("round trip {to} to {from} to {to}"), &scores));
    }
    if let Some(share) = metrics.real_checkerboard {
        let scores = Scores { checkerboard: Some(share), ..Scores::default() };
        rows.push(scored(format!("real images of {to}"), &scores));
    }
    rows
}

fn scored(name: String, scores: &Scores) -> [String; 9] {
    let Scores { kid, kid_standard_error, fid, checkerboard, paired } = scores;
    let error = kid_standard_error.map(|error| format!(" ± {:.1}", 1000.0 * error)).unwrap_or_default();
    let kid = kid.map(|kid| format!("{:.1}{error}", 1000.0 * kid));
    let of_pairs =
        |value: fn(&PairedScores) -> Option<f64>, digits: usize| number(paired.as_ref().and_then(value), digits);
    let mae = |paired: &PairedScores| paired.mae.iter().flatten().copied().collect::<Mean>().value();
    [
        name,
        kid.unwrap_or_else(|| NONE.to_string()),
        number(*fid, 1),
        of_pairs(|paired| paired.psnr, 2),
        of_pairs(|paired| paired.ssim, 3),
        number(paired.as_ref().and_then(mae), 3),
        of_pairs(|paired| paired.gradient_correlation, 3),
        of_pairs(|paired| paired.spectral_angle, 2),
        number(*checkerboard, 4),
    ]
}

const NONE: &str = "–";

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| NONE.to_string(), |value| format!("{value:.digits$}"))
}

fn line(f: &mut Formatter<'_>, cells: &[String; 9]) -> fmt::Result {
    let text: Vec<String> = cells.iter().enumerate().map(|(i, cell)| padded(cell, i)).collect();
    writeln!(f, "{}", text.join("  ").trim_end())
}

fn padded(cell: &str, column: usize) -> String {
    if column == 0 { format!("{cell:<22}") } else { format!("{cell:>12}") }
}
