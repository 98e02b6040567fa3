//! Chart axes: their range, and ticks at round numbers.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

/// Approximate number of ticks.
const TICKS: f64 = 6.0;
/// Values are clamped to this magnitude, so that no sum or difference overflows.
const LARGEST: f64 = 1e300;

/// An axis with values from `low` to `high` and labels at some of them.
#[derive(Clone)]
pub(crate) struct Axis {
    pub title: String,
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Creates an axis of epochs from 1 to `last`, with labels at 1 and about `count` round numbers. A single epoch has
    /// space on both sides.
    pub fn epochs(last: usize, count: usize) -> Self {
        let last = last.max(1) as f64;
        let (low, high) = if last > 1.0 { (1.0, last) } else { (0.5, 1.5) };
        let mut ticks = ticks(low, high, count as f64, 1.0);
        if let [(first, _), (second, _), ..] = ticks[..]
            && first - 1.0 >= 0.5 * (second - first)
        {
            ticks.insert(0, (1.0, "1".to_string()));
        }
        Self { title: "epoch".to_string(), low, high, ticks }
    }

    /// Creates an axis of steps from 0 to `last`.
    pub fn steps(last: usize) -> Self {
        let high = last.max(1) as f64;
        Self { title: "step".to_string(), low: 0.0, high, ticks: ticks(0.0, high, 8.0, 1.0) }
    }

    /// Creates an axis from slightly below the smallest of `values` to slightly above the largest, including zero.
    pub fn with_zero(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) =
            values.filter(|v| v.is_finite()).fold((0.0, 0.0), |(l, h), v| (f64::min(l, v), f64::max(h, v)));
        Self::between(title, low * 1.05, high * 1.05)
    }

    pub fn between(title: &str, low: f64, high: f64) -> Self {
        let low = low.clamp(-LARGEST, LARGEST);
        // A chart needs some height even if all values are equal.
        let least = (low.abs() * 1e-3).max(1e-9);
        let high = high.clamp(low + least, 2.0 * LARGEST);
        Self { title: title.to_string(), low, high, ticks: ticks(low, high, TICKS, 0.0) }
    }

    /// Creates a logarithmic axis of powers of ten; the chart's values are decimal logarithms of positive numbers.
    pub fn logarithmic(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let exponents = values.filter(|v| *v > 0.0 && v.is_finite()).map(f64::log10);
        let (low, high) = exponents.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), e| (l.min(e), h.max(e)));
        let (low, high) = match low <= high {
            true if high - low >= 0.2 => (low, high),
            true => (low - 0.5, high + 0.5),
            false => (-1.0, 0.0),
        };
        Self { title: title.to_string(), low, high, ticks: powers_of_ten(low, high) }
    }

    /// Returns the label of a tick.
    pub fn label(&self, at: f64) -> String {
        let near = |tick: &&(f64, String)| (tick.0 - at).abs() <= (self.high - self.low) * 1e-6;
        self.ticks.iter().find(near).map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        // Far outside is outside; clamping keeps pixel coordinates from overflowing.
        let share = ((value - self.low) / (self.high - self.low)).clamp(-2.0, 3.0);
        first + (share * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // There are no ticks between the labeled ones.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.iter().map(|(at, _)| *at).collect() }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// Returns about `count` ticks at multiples of 1, 2 or 5 times a power of ten, at least `least` apart.
fn ticks(low: f64, high: f64, count: f64, least: f64) -> Vec<(f64, String)> {
    let step = round_step((high - low) / count).max(least);
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    let many = (last - first).clamp(0.0, 100.0) as usize;
    (0..=many).map(|i| (first + i as f64) * step).map(|at| (at, number(at, step))).collect()
}

/// Rounds up to 1, 2 or 5 times a power of ten.
fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let lead = [1.0, 2.0, 5.0].into_iter().find(|lead| lead * power >= rough * (1.0 - 1e-9));
    lead.unwrap_or(10.0) * power
}

/// Formats `at` with enough digits to distinguish it from its neighbors.
fn number(at: f64, step: f64) -> String {
    let exponent = |x: f64| x.abs().log10().floor();
    if at.abs() < step / 2.0 {
        "0".to_string()
    } else if step < 1e-3 || at.abs() >= 1e7 {
        let digits = (exponent(at * (1.0 + 1e-9)) - exponent(step * (1.0 + 1e-9))).clamp(0.0, 15.0);
        format!("{at:.*e}", digits as usize)
    } else {
        let digits = (-exponent(step * (1.0 + 1e-9))).max(0.0);
        format!("{at:.*}", digits as usize)
    }
}

/// Over few powers of ten, adds ticks at two and five times each; over many, skips some.
fn powers_of_ten(low: f64, high: f64) -> Vec<(f64, String)> {
    let leads: &[f64] = if high - low < 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = ((high - low) / 10.0).ceil().max(1.0) as usize;
    let powers = (low.floor() as i64..=high.ceil() as i64).step_by(every);
    powers
        .flat_map(|power| leads.iter().map(move |lead| (power as f64 + lead.log10(), format!("{lead}e{power}"))))
        .filter(|(at, _)| (low - 1e-9..=high + 1e-9).contains(at))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn epochs_have_whole_numbers() {
        assert_eq!(labels(&Axis::epochs(1, 10)), ["1"]);
        assert_eq!(labels(&Axis::epochs(3, 10)), ["1", "2", "3"]);
        assert_eq!(labels(&Axis::epochs(20, 5)), ["1", "5", "10", "15", "20"]);
        assert_eq!(labels(&Axis::epochs(120, 10)), ["1", "20", "40", "60", "80", "100", "120"]);
    }

    #[test]
    fn numbers_have_the_digits_that_tell_them_apart() {
        assert_eq!(labels(&Axis::between("", 0.0, 2.2)), ["0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(labels(&Axis::between("", 0.0, 2.1e-4)), ["0", "5e-5", "1.0e-4", "1.5e-4", "2.0e-4"]);
        assert_eq!(labels(&Axis::between("", 0.0, 1e30)), ["0", "2e29", "4e29", "6e29", "8e29", "1.0e30"]);
        assert_eq!(labels(&Axis::between("", -20.0, 5.0)), ["-20", "-15", "-10", "-5", "0", "5"]);
    }

    #[test]
    fn any_values_have_an_axis() {
        let infinite = [f64::NAN, f64::INFINITY, 0.0];
        for axis in [
            Axis::with_zero("", infinite.into_iter()),
            Axis::with_zero("", [f64::MAX].into_iter()),
            Axis::between("", f64::MAX, f64::INFINITY),
            Axis::between("", 7.0, 7.0),
            Axis::logarithmic("", infinite.into_iter()),
            Axis::logarithmic("", [f64::MIN_POSITIVE, f64::MAX].into_iter()),
            Axis::logarithmic("", [2e-4].into_iter()),
            Axis::steps(0),
        ] {
            assert!(axis.low < axis.high && axis.high.is_finite(), "{} {}", axis.low, axis.high);
            assert!(axis.ticks.len() <= 70, "{}", axis.ticks.len());
        }
    }

    #[test]
    fn rates_have_powers_of_ten() {
        let axis = Axis::logarithmic("", [1e-7, 1e-3].into_iter());
        assert_eq!(labels(&axis), ["1e-7", "1e-6", "1e-5", "1e-4", "1e-3"]);
        assert_eq!(labels(&Axis::logarithmic("", [9e-5, 1e-3].into_iter())), ["1e-4", "2e-4", "5e-4", "1e-3"]);
    }
}
