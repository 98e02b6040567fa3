//! The chart of a learning-rate range test.

use plotters::prelude::RGBColor;

use super::SIZE;
use crate::error::{Error, ErrorKind, Result};
use crate::plot::{Axis, Chart, Curve, Line, Mark, Picture, drawn};
use crate::train::lr_finder::LrCurve;

const RAW: RGBColor = RGBColor(160, 160, 160);
const SMOOTHED: RGBColor = RGBColor(0, 114, 178);
const SUGGESTION: RGBColor = RGBColor(213, 94, 0);

impl LrCurve {
    /// Draws the loss at each rate, raw and smoothed, on a logarithmic axis, and marks the suggested rate. Losses that
    /// rise far above the initial one or are not finite are outside the chart.
    ///
    /// # Errors
    /// `Usage` for a sweep without steps.
    #[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
    pub fn plot(&self) -> Result<Picture> {
        lr_curve(self.rates(), self.losses(), self.smoothed(), self.suggestion())
    }
}

fn lr_curve(rates: &[f64], losses: &[f64], smoothed: &[f64], suggestion: Option<f64>) -> Result<Picture> {
    if rates.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "there are no learning rates to plot"));
    }
    let suggestion = suggestion.filter(|rate| *rate > 0.0 && rate.is_finite());
    let points = |values: &[f64]| rates.iter().zip(values).map(|(rate, loss)| (rate.log10(), *loss)).collect();
    let (low, high) = span(losses, smoothed);
    let curve =
        |label: &str, color, line, values| Curve { label: label.to_string(), color, line, points: points(values) };
    let mark = |rate: f64| Mark { x: rate.log10(), label: format!("suggestion {rate:.2e}"), color: SUGGESTION };
    let chart = Chart {
        title: "Learning-rate range test".to_string(),
        x: Axis::logarithmic("learning rate", rates.iter().copied().chain(suggestion)),
        y: Axis::between("generator loss", low, high),
        curves: vec![curve("each step", RAW, Line::Faint, losses), curve("smoothed", SMOOTHED, Line::Solid, smoothed)],
        marks: suggestion.map(mark).into_iter().collect(),
    };
    Ok(Picture::new(drawn(SIZE.0, SIZE.1, |area| chart.draw(area))?))
}

/// Returns a range from below the lowest loss to half again as high as all losses before it, so that the rise is
/// visible.
fn span(losses: &[f64], smoothed: &[f64]) -> (f64, f64) {
    let usable = |value: &f64| value.abs() < 1e30;
    let known = smoothed.iter().copied().enumerate().filter(|(_, value)| usable(value));
    let Some((place, bottom)) = known.min_by(|x, y| x.1.total_cmp(&y.1)) else {
        return (0.0, 1.0);
    };
    let until_then = || smoothed.iter().take(place + 1).chain(losses.iter().take(place + 1)).copied().filter(usable);
    let (low, high) = (until_then().fold(bottom, f64::min), until_then().fold(bottom, f64::max));
    let room = (high - low).max(0.1 * bottom.abs()).max(1e-6);
    (low - 0.1 * room, high + 0.5 * room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rise_is_cut_above_the_beginning() {
        let (low, high) = span(&[10.0, 9.0, 5.0, 1e20, f64::NAN], &[10.0, 9.5, 6.0, 1e19, f64::INFINITY]);
        assert!((5.0..10.0).contains(&(low + 1.0)) && (10.0..20.0).contains(&high), "{low} {high}");
        assert_eq!(span(&[f64::NAN], &[f64::INFINITY]), (0.0, 1.0));
    }

    #[test]
    fn any_values_give_a_picture() {
        let rates = [1e-7, 1e-5, 1e-3];
        for (name, rates, losses, suggestion) in [
            ("not finite", &rates[..], &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY][..], Some(1e-4)),
            ("huge", &rates, &[1e-300, 1e300, f64::MAX], Some(f64::NAN)),
            ("single", &rates[..1], &[3.0], Some(1e-7)),
            ("odd rates", &[0.0, -1.0, f64::NAN], &[1.0, 2.0, 3.0], None),
            ("fewer losses", &rates, &[2.0], Some(1e300)),
        ] {
            let picture = lr_curve(rates, losses, losses, suggestion).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(picture.as_rgb_image().dimensions(), SIZE);
        }
        assert!(lr_curve(&[], &[], &[], None).is_err());
    }
}
