//! Detection of values far from all others, such as an undeclared nodata value.

use super::histogram::{Run, quantile};

/// Values that software commonly writes as nodata.
const USUAL: [f64; 17] = [
    -9999.0,
    -99999.0,
    -999.0,
    9999.0,
    99999.0,
    -32768.0,
    -32767.0,
    32767.0,
    65535.0,
    -2147483648.0,
    2147483647.0,
    4294967295.0,
    f32::MIN as f64,
    f32::MAX as f64,
    f64::MIN,
    f64::MAX,
    // The default of netCDF, in single precision.
    9.969_209_968_386_869e36,
];
/// An unusual value is far away if its distance is this many times the spread of the others.
const FAR: f64 = 1000.0;
/// Percentiles that bound the bulk of the other values, so that a few of them may be extreme as well.
const MOST: (f64, f64) = (2.0, 98.0);

/// An isolated extreme value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extreme {
    pub value: f64,
    /// The interval that contains nearly all other values.
    pub others: (f64, f64),
}

/// Finds an extreme that is far from all other values. `runs` may contain only a sample of the values.
pub(super) fn isolated(runs: &[Run], (min, max): (f64, f64)) -> Option<Extreme> {
    [min, max].into_iter().find_map(|value| {
        let rest: Vec<Run> = runs.iter().copied().filter(|run| run.low != value && run.high != value).collect();
        let (first, last) = (rest.first()?.low, rest.last()?.high);
        let others = (quantile(&rest, MOST.0), quantile(&rest, MOST.1));
        let spread = others.1 - others.0;
        let (gap, distance) = match value == min {
            true => (first - value, others.0 - value),
            false => (value - last, value - others.1),
        };
        let known = USUAL.contains(&value) && gap > spread && gap > 1.0;
        let far = spread > 0.0 && distance > FAR * spread;
        (known || far).then_some(Extreme { value, others })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: impl IntoIterator<Item = f64>) -> Option<f64> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let runs: Vec<Run> = values.iter().map(|&value| Run::of(value, 1)).collect();
        isolated(&runs, (values[0], values[values.len() - 1])).map(|extreme| extreme.value)
    }

    fn ramp(low: f64, high: f64) -> impl Iterator<Item = f64> {
        (0..1024).map(move |i| low + (high - low) * f64::from(i) / 1023.0)
    }

    #[test]
    fn one_undeclared_value_among_many_is_found() {
        for (low, high, value) in [
            (0.0, 1.0, f64::from(f32::MIN)),
            (0.0, 1.0, -9999.0),
            (100.0, 900.0, -9999.0),
            (0.0, 3000.0, 65535.0),
            (-40.0, 5.0, f64::from(f32::MAX)),
            (0.0, 1.0, 1e6),
            (0.0, 1.0, -5000.0),
            (7.0, 7.0, -9999.0),
        ] {
            assert_eq!(found(ramp(low, high).chain([value])), Some(value), "{low} to {high}");
            let many = std::iter::repeat_n(value, 300);
            assert_eq!(found(ramp(low, high).chain(many)), Some(value), "{low} to {high}, many");
        }
    }

    #[test]
    fn bright_roofs_and_full_ranges_are_no_such_values() {
        assert_eq!(found(ramp(0.0, 3000.0).chain([20_000.0, 16_000.0])), None);
        assert_eq!(found(ramp(0.0, 65535.0)), None);
        assert_eq!(found(ramp(-32768.0, 32767.0)), None);
        assert_eq!(found(ramp(0.0, 10_000.0).chain([9999.0])), None);
        assert_eq!(found([0.0; 1000].into_iter().chain([1.0])), None, "a rare class");
        assert_eq!(found([5.0; 10]), None);
    }
}
