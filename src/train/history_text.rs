//! The history as CSV or JSON.

use super::history::{EpochRecord, History};
use crate::error::{Error, ErrorKind, Result};

impl History {
    /// Returns the history as a CSV table with a line for each epoch: number, learning rate, steps, seconds, precision,
    /// losses and metrics. Cells of values that were not measured are empty.
    ///
    /// Cells are separated by commas and quoted if necessary, as in RFC 4180; lines end with a line feed. The decimal
    /// separator is always a point, and numbers that are read back are the same to the last bit.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let table = model.history().to_csv();
    /// assert!(table.starts_with("epoch,lr,steps,seconds,precision,generator,adversarial,cycle,identity,"));
    /// assert_eq!(table.lines().count(), 1 + model.history().epochs().len());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn to_csv(&self) -> String {
        let fixed = ["epoch", "lr", "steps", "seconds", "precision"].into_iter().map(String::from);
        let names = self.names().iter().chain(self.metric_names()).map(|name| quoted(name));
        let mut table = line(fixed.chain(names));
        for epoch in self.epochs() {
            table += &line(self.cells(epoch));
        }
        table
    }

    fn cells(&self, epoch: &EpochRecord) -> impl Iterator<Item = String> {
        // The rate that a sweep found is only in the JSON: a new column would shift those of older tables.
        let EpochRecord { epoch, lr, losses, metrics, steps, seconds, precision, lr_found: _ } = epoch;
        let cell = |value: Option<&f64>| value.map(number).unwrap_or_default();
        let losses = (0..self.names().len()).map(move |i| cell(losses.get(i)));
        let metrics = (0..self.metric_names().len()).map(move |i| cell(metrics.get(i).and_then(Option::as_ref)));
        let precision = precision.map(|precision| precision.to_string()).unwrap_or_default();
        let fixed = [epoch.to_string(), number(lr), steps.to_string(), number(seconds), precision];
        fixed.into_iter().chain(losses).chain(metrics)
    }

    /// Returns the history as JSON: `names`, `metric_names` and a list of `epochs`. `serde_json` can parse it into a
    /// `History` again.
    ///
    /// ```
    /// use geolearn::CycleGan;
    /// use geolearn::train::History;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let text = model.history().to_json()?;
    /// assert_eq!(&serde_json::from_str::<History>(&text).unwrap(), model.history());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever writing JSON reports.
    pub fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Format, "the history cannot be written as JSON").because(e))?;
        Ok(text + "\n")
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(",") + "\n"
}

/// Formats a number with the fewest digits that identify it, with an exponent if it is very large or very small.
fn number(value: &f64) -> String {
    format!("{value:?}")
}

fn quoted(name: &str) -> String {
    match name.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Precision;

    #[test]
    fn cells_are_quoted_where_needed_and_empty_where_there_is_nothing() {
        let mut history = History::default();
        history.set_names(&["plain", "L1, \"mean\""], ["valid"]);
        for (n, metrics, precision) in [(1, vec![], None), (2, vec![Some(1e-300)], Some(Precision::Tf32))] {
            let losses = vec![0.1 + 0.2, 5.0];
            history.push(EpochRecord { metrics, precision, ..EpochRecord::new(n, 2e-4, losses, 7, 1.5) });
        }
        let expected = "epoch,lr,steps,seconds,precision,plain,\"L1, \"\"mean\"\"\",valid\n\
            1,0.0002,7,1.5,,0.30000000000000004,5.0,\n\
            2,0.0002,7,1.5,tf32,0.30000000000000004,5.0,1e-300\n";
        assert_eq!(history.to_csv(), expected);
    }

    #[test]
    fn an_empty_history_has_a_header() {
        assert_eq!(History::default().to_csv(), "epoch,lr,steps,seconds,precision\n");
    }
}
