//! Formats all runs as tables.

use serde_json::Value;

/// A column of numbers: its header, the location of the value in a run's scores, a factor, and the number of decimals.
type Column = (&'static str, &'static str, f64, usize);

const SCORES: [Column; 5] = [
    ("KID x 1000", "/kid", 1000.0, 1),
    ("SSIM", "/paired/ssim", 1.0, 3),
    ("PSNR, dB", "/paired/psnr", 1.0, 2),
    ("Gradient correlation", "/paired/gradient_correlation", 1.0, 3),
    ("Checkerboard", "/checkerboard", 1.0, 4),
];
/// Domain letters as in arcgis.learn: the keys of the scores of translations into each domain.
const DIRECTIONS: [(&str, &str); 2] = [("A to B", "b"), ("B to A", "a")];
const BASELINES: [(&str, &str); 3] = [
    ("NoTranslation", "no translation"),
    ("MeanColor", "flat mean color"),
    ("HistogramMatching", "histogram matching"),
];
/// Shown if nothing was measured.
const NONE: &str = "–";

/// All runs of a recipe.
pub struct Row<'a> {
    pub recipe: &'a str,
    pub runs: Vec<&'a Value>,
}

/// Formats a table for each direction; `baselines` is the run of the baselines.
pub fn table(rows: &[Row<'_>], baselines: &Value) -> String {
    let mut text = String::new();
    for (title, domain) in DIRECTIONS {
        let metrics = &baselines["metrics"][domain];
        let images = format!("{} translations, {} real images", metrics["translated"], metrics["real"]);
        let pairs = metrics.pointer("/model/paired/pairs").map_or("no pairs".into(), |pairs| format!("{pairs} pairs"));
        text += &format!("### {title}\n\n{}", head());
        rows.iter().for_each(|row| text += &recipe(row, domain));
        for baseline in metrics["baselines"].as_array().into_iter().flatten() {
            let name = BASELINES.iter().find(|(name, _)| baseline["baseline"] == *name).map_or("?", |(_, shown)| shown);
            text += &line(&[name, NONE, NONE, NONE].map(String::from), |place| numbers(&[&baseline["scores"]], place));
        }
        text += &line(&["real images", NONE, NONE, NONE].map(String::from), |place| match place {
            "/checkerboard" => numbers(&[metrics], "/real_checkerboard"),
            _ => Vec::new(),
        });
        text += &format!("\n{images}, {pairs}.\n\n");
    }
    text
}

fn head() -> String {
    let heads: Vec<&str> = SCORES.iter().map(|(head, ..)| *head).collect();
    let rule = "---|".repeat(4 + heads.len());
    format!("| Recipe | Runs | Steps | Step, ms | {} |\n|{rule}\n", heads.join(" | "))
}

fn recipe(row: &Row<'_>, domain: &str) -> String {
    let facts = [
        row.recipe.to_string(),
        row.runs.len().to_string(),
        cell(&numbers(&row.runs, "/steps"), 1.0, 0),
        row.runs.first().map_or(NONE.into(), |run| cell(&numbers(&[run], "/step_seconds"), 1000.0, 1)),
    ];
    line(&facts, |place| numbers(&row.runs, &format!("/metrics/{domain}/model{place}")))
}

fn line(facts: &[String], scores: impl Fn(&str) -> Vec<f64>) -> String {
    let scores = SCORES.iter().map(|(_, place, factor, digits)| cell(&scores(place), *factor, *digits));
    let cells: Vec<String> = facts.iter().cloned().chain(scores).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Returns the values at one location in all runs, or `None` if any run lacks it.
fn numbers(values: &[&Value], place: &str) -> Vec<f64> {
    let found: Option<Vec<f64>> = values.iter().map(|value| value.pointer(place)?.as_f64()).collect();
    found.unwrap_or_default()
}

/// Formats the mean and the sample standard deviation (divisor n - 1).
fn cell(values: &[f64], factor: f64, digits: usize) -> String {
    let count = values.len() as f64;
    if values.is_empty() {
        return NONE.to_string();
    }
    let mean = values.iter().sum::<f64>() / count;
    if values.len() == 1 {
        return format!("{:.digits$}", factor * mean);
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    format!("{:.digits$} ± {:.digits$}", factor * mean, factor * variance.sqrt())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scores(kid: f64) -> Value {
        let paired = json!({ "pairs": 13, "ssim": 0.5, "psnr": 17.25, "gradient_correlation": null });
        json!({ "kid": kid, "checkerboard": 0.0125, "paired": paired })
    }

    fn run(kid: f64, steps: usize) -> Value {
        let direction = json!({ "translated": 30, "real": 31, "model": scores(kid), "real_checkerboard": 0.0024,
            "baselines": [{ "baseline": "MeanColor", "scores": { "kid": 0.3, "checkerboard": 0.0, "paired": null } }] });
        json!({ "steps": steps, "step_seconds": 0.0604, "metrics": { "a": direction, "b": direction } })
    }

    #[test]
    fn a_row_has_mean_and_spread() {
        let runs = [run(0.1, 100), run(0.12, 102), run(0.14, 104)];
        let row = Row { recipe: "paper", runs: runs.iter().collect() };
        let text = table(&[row], &runs[0]);
        let line = "| paper | 3 | 102 ± 2 | 60.4 | 120.0 ± 20.0 | 0.500 ± 0.000 | 17.25 ± 0.00 | – | 0.0125 ± 0.0000 |";
        assert_eq!(text.matches(line).count(), 2, "{text}");
        assert!(text.contains("| flat mean color | – | – | – | 300.0 | – | – | – | 0.0000 |"), "{text}");
        assert!(text.contains("| real images | – | – | – | – | – | – | – | 0.0024 |"), "{text}");
        assert!(text.contains("30 translations, 31 real images, 13 pairs."), "{text}");
        let columns: Vec<usize> =
            text.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
        assert!(columns.iter().all(|count| *count == 10), "{columns:?}");
    }

    #[test]
    fn one_run_has_no_spread_and_what_one_run_lacks_is_left_out() {
        assert_eq!(cell(&[0.1234], 1000.0, 1), "123.4");
        assert_eq!(cell(&[], 1.0, 1), NONE);
        let (whole, other) = (run(0.1, 1), json!({ "steps": 1, "metrics": {} }));
        assert!(numbers(&[&whole, &other], "/metrics/a/model/kid").is_empty());
    }
}
