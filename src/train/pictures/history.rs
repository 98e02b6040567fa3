//! Charts of losses and metrics over epochs.

use plotters::prelude::RGBColor;

use super::SIZE;
use crate::error::{Error, ErrorKind, Result};
use crate::plot::{Axis, Chart, Curve, Line, Picture, drawn};
use crate::train::history::History;

/// Colors that people with color-vision deficiency can distinguish (Okabe and Ito 2008). The first four are those of
/// the generators' losses.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
];
/// The colors of domain A, then B.
const DOMAIN_COLORS: usize = 4;
const GRAY: RGBColor = RGBColor(110, 110, 110);
/// Height of a row of additional metrics.
const ROW: u32 = 288;
/// Labels on the epoch axis of a chart as wide as the picture, and of one half as wide.
const TICKS: (usize, usize) = (10, 5);
/// Prefix of the names of metrics on validation pairs.
const MEASURE: &str = "valid_";
const CYCLE_DISTANCE: &str = "valid_cycle_l1_";

/// Draws the generators' losses in the upper chart and the discriminators' in the lower one, both also as measured on
/// validation pairs; further charts show metrics that exist on validation pairs only.
pub(crate) fn losses(history: &History) -> Result<Picture> {
    check(history)?;
    let names = history.names().iter().map(String::as_str);
    let (lower, upper): (Vec<&str>, Vec<&str>) = names.partition(|name| name.starts_with("discriminator"));
    let paired: Vec<&str> = history.names().iter().filter_map(|name| measure_of(history, name)).collect();
    let alone = history.metric_names().iter().map(String::as_str).filter(|name| !paired.contains(name));
    let alone = alone.filter(|name| !points(history, name).is_empty());
    let (alone, others): (Vec<&str>, Vec<&str>) = alone.partition(|name| name.starts_with(CYCLE_DISTANCE));
    let others = grouped_by_kind(&others);
    let generators = loss_chart("Generators: weighted losses, mean of each epoch", history, &upper, 0, TICKS.0);
    let discriminators = loss_chart(
        "Discriminators, mean of each epoch",
        history,
        &lower,
        DOMAIN_COLORS,
        if alone.is_empty() { TICKS.0 } else { TICKS.1 },
    );
    let rows = others.len().div_ceil(2) as u32;
    let image = drawn(SIZE.0, SIZE.1 + rows * ROW, |area| {
        let (area, below) = area.split_vertically(SIZE.1);
        for (cell, names) in below.split_evenly((rows as usize, 2)).iter().zip(&others) {
            metric_chart(history, names).draw(cell)?;
        }
        let (top, bottom) = area.split_vertically((SIZE.1 * 11) / 20);
        generators.draw(&top)?;
        if alone.is_empty() {
            return discriminators.draw(&bottom);
        }
        let (left, right) = bottom.split_horizontally(SIZE.0 / 2);
        discriminators.draw(&left)?;
        distance_chart(history, &alone).draw(&right)
    })?;
    Ok(Picture::new(image))
}

/// Draws the learning rate of each epoch.
pub(crate) fn rates(history: &History) -> Result<Picture> {
    check(history)?;
    let points: Vec<(f64, f64)> =
        history.epochs().iter().enumerate().map(|(n, epoch)| (n as f64 + 1.0, epoch.lr)).collect();
    let chart = Chart {
        title: "Learning rate at the last step of each epoch".to_string(),
        x: Axis::epochs(points.len(), TICKS.0),
        y: Axis::with_zero("learning rate", points.iter().map(|point| point.1)),
        curves: vec![Curve { label: String::new(), color: COLORS[2], line: Line::Solid, points }],
        marks: Vec::new(),
    };
    Ok(Picture::new(drawn(SIZE.0, SIZE.1, |area| chart.draw(area))?))
}

fn check(history: &History) -> Result<()> {
    if history.epochs().is_empty() {
        return Err(
            Error::new(ErrorKind::Usage, "there is nothing to plot before the first epoch").help("Call fit first.")
        );
    }
    Ok(())
}

/// Returns the validation metric that corresponds to the loss `name`; the first of each is the total.
fn measure_of<'a>(history: &'a History, name: &str) -> Option<&'a str> {
    let first = history.names().first().is_some_and(|first| first == name);
    let is_same = |measure: &&String| {
        let rest = measure.strip_prefix(MEASURE);
        rest == Some(name) || (first && rest == Some("loss"))
    };
    history.metric_names().iter().find(is_same).map(String::as_str)
}

fn points(history: &History, name: &str) -> Vec<(f64, f64)> {
    let curve = history.curve(name).unwrap_or_default();
    curve.into_iter().map(|(epoch, value)| (epoch as f64, value)).collect()
}

/// Draws solid lines for training losses, and dashed ones in the same colors for validation.
fn loss_chart(title: &str, history: &History, names: &[&str], first_color: usize, ticks: usize) -> Chart {
    let color = |i: usize| COLORS[(first_color + i) % COLORS.len()];
    let curve = |label: &str, i, line, points| Curve { label: label.to_string(), color: color(i), line, points };
    let trained = names.iter().enumerate().map(|(i, name)| curve(name, i, Line::Solid, points(history, name)));
    let measured = names.iter().enumerate().filter_map(|(i, name)| {
        let points = points(history, measure_of(history, name)?);
        (!points.is_empty()).then(|| curve("", i, Line::Dashed, points))
    });
    let mut curves: Vec<Curve> = trained.chain(measured).collect();
    if curves.iter().any(|curve| curve.line == Line::Dashed) {
        let label = "validation".to_string();
        curves.push(Curve { label, color: GRAY, line: Line::Dashed, points: Vec::new() });
    }
    chart(title, "loss", history, curves, ticks)
}

/// Draws distances of round trips, which are only measured on validation pairs.
fn distance_chart(history: &History, names: &[&str]) -> Chart {
    let label = |name: &str| match name.strip_prefix(CYCLE_DISTANCE) {
        Some("a") => "A to B to A".to_string(),
        Some("b") => "B to A to B".to_string(),
        _ => name.to_string(),
    };
    let curves = dashed(history, names, label);
    chart("Cycle distance, validation", "mean L1 of scaled pixels", history, curves, TICKS.1)
}

/// Draws metrics of one kind on their own axis, because units and sizes differ between kinds.
fn metric_chart(history: &History, names: &[&str]) -> Chart {
    let label = |name: &str| name.strip_prefix(MEASURE).unwrap_or(name).to_string();
    let kind = names.first().map(|name| kind_of(name)).unwrap_or_default();
    chart(&format!("{kind}, validation"), kind, history, dashed(history, names, label), TICKS.1)
}

fn dashed(history: &History, names: &[&str], label: impl Fn(&str) -> String) -> Vec<Curve> {
    let curve = |(i, name): (usize, &&str)| Curve {
        label: label(name),
        color: COLORS[(DOMAIN_COLORS + i) % COLORS.len()],
        line: Line::Dashed,
        points: points(history, name),
    };
    names.iter().enumerate().map(curve).collect()
}

/// Returns the name of a metric without `valid_` and the letter of a domain.
fn kind_of(name: &str) -> &str {
    let name = name.strip_prefix(MEASURE).unwrap_or(name);
    name.strip_suffix("_a").or(name.strip_suffix("_b")).unwrap_or(name)
}

/// Groups metrics of one kind, in the order of the first of each.
fn grouped_by_kind<'a>(names: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut groups: Vec<Vec<&str>> = Vec::new();
    for &name in names {
        match groups.iter_mut().find(|group| kind_of(group[0]) == kind_of(name)) {
            Some(group) => group.push(name),
            None => groups.push(vec![name]),
        }
    }
    groups
}

fn chart(title: &str, unit: &str, history: &History, curves: Vec<Curve>, ticks: usize) -> Chart {
    let values = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1);
    let y = Axis::with_zero(unit, values);
    Chart { title: title.to_string(), x: Axis::epochs(history.epochs().len(), ticks), y, curves, marks: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Creates `epochs` epochs of losses `loss`, every `validated`-th with metrics.
    fn history(epochs: usize, validated: usize, loss: f64) -> History {
        let names = ["generator", "cycle", "discriminator_a", "discriminator_b"];
        let measures = ["valid_loss", "valid_cycle", "valid_discriminator_a", "valid_cycle_l1_a", "valid_cycle_l1_b"];
        let epochs = (1..=epochs).map(|n| {
            let metrics = if n % validated == 0 { vec![loss; measures.len()] } else { Vec::new() };
            let losses = vec![loss; names.len()];
            json!({"epoch": n, "lr": 2e-4, "losses": losses, "metrics": metrics, "steps": 3, "seconds": 1.0})
        });
        let epochs: Vec<_> = epochs.collect();
        serde_json::from_value(json!({"names": names, "metric_names": measures, "epochs": epochs})).unwrap()
    }

    #[test]
    fn measures_have_the_color_of_their_loss() {
        let history = history(4, 2, 1.0);
        assert_eq!(measure_of(&history, "generator"), Some("valid_loss"));
        assert_eq!(measure_of(&history, "cycle"), Some("valid_cycle"));
        assert_eq!(measure_of(&history, "discriminator_b"), None);
        let chart = loss_chart("", &history, &["generator", "cycle"], 0, 10);
        let lines: Vec<_> = chart.curves.iter().map(|c| (c.label.as_str(), c.color, c.points.len())).collect();
        let color = |i: usize| COLORS[i];
        let expected = [("generator", color(0), 4), ("cycle", color(1), 4), ("", color(0), 2), ("", color(1), 2)];
        assert_eq!(lines[..4], expected);
        assert_eq!(lines[4..], [("validation", GRAY, 0)]);
    }

    /// KID near 0.1, which may be slightly negative, and FID near 100 each have their own chart.
    #[test]
    fn metrics_of_different_size_have_axes_of_their_own() {
        let epoch = |n: usize, kid: f64| {
            let metrics = [100.0, kid, 200.0, -kid];
            json!({"epoch": n, "lr": 2e-4, "losses": [1.0], "metrics": metrics, "steps": 3, "seconds": 1.0})
        };
        let names = ["valid_fid_a", "valid_kid_a", "valid_fid_b", "valid_kid_b"];
        let history = json!({"names": ["generator"], "metric_names": names, "epochs": [epoch(1, 0.1), epoch(2, 0.2)]});
        let history: History = serde_json::from_value(history).unwrap();
        assert_eq!(grouped_by_kind(&names), [["valid_fid_a", "valid_fid_b"], ["valid_kid_a", "valid_kid_b"]]);
        let chart = metric_chart(&history, &["valid_kid_a", "valid_kid_b"]);
        assert!(chart.y.low < -0.2 && chart.y.high > 0.2 && chart.y.high < 1.0);
        assert_eq!(losses(&history).unwrap().as_rgb_image().dimensions(), (SIZE.0, SIZE.1 + ROW));
    }

    #[test]
    fn any_history_gives_pictures() {
        for (epochs, validated, loss) in [(1, 1, 1.0), (1, 2, 0.0), (300, 7, 1e300), (2, 1, f64::MIN_POSITIVE)] {
            let history = history(epochs, validated, loss);
            assert_eq!(losses(&history).unwrap().as_rgb_image().dimensions(), SIZE);
            assert_eq!(rates(&history).unwrap().as_rgb_image().dimensions(), SIZE);
        }
        assert_eq!(losses(&History::default()).unwrap_err().kind(), ErrorKind::Usage);
    }
}
