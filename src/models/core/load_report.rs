//! The report of which weights were loaded.

use std::fmt;

use crate::error::shown;

/// The tensors that a [load that is not strict](super::Learner::load_with) took from a file, by name.
///
/// ```
/// use geolearn::models::LoadOptions;
/// use geolearn::{CycleGan, DatasetType, prepare_data};
///
/// let pretrained = "assets/models/sat2relief";
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let builder = CycleGan::builder(&data).gen_blocks(5).gen_features(16).disc_features(16);
/// let model = builder.pretrained_with(pretrained, LoadOptions::new().strict(false)).build()?;
/// let report = model.pretrained_report().unwrap();
/// println!("{report}"); // 64 tensors taken; 20 missing (G_A.14.conv_block.1.weight, …); 12 unexpected (…)
/// assert!(!report.is_complete() && report.taken.iter().any(|name| name == "G_A.1.weight"));
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// Tensors that were loaded: the same name and shape in the file and in the model.
    pub taken: Vec<String>,
    /// Tensors of the model that are missing in the file; they are unchanged.
    pub missing: Vec<String>,
    /// Tensors of the file that the model does not have; they are ignored.
    pub unexpected: Vec<String>,
    /// Tensors whose shapes differ; those of the model are unchanged.
    pub mismatched: Vec<ShapeMismatch>,
}

/// A tensor with different shapes in the model and in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShapeMismatch {
    /// Name of the tensor.
    pub name: String,
    /// Its shape in the model.
    pub expected: Vec<i64>,
    /// Its shape in the file.
    pub found: Vec<i64>,
}

impl LoadReport {
    /// Returns whether model and file have the same tensors.
    ///
    /// ```
    /// use geolearn::CycleGan;
    /// use geolearn::models::LoadOptions;
    ///
    /// let mut model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let report = model.load_with("assets/models/sat2relief", LoadOptions::new().strict(false))?;
    /// assert!(report.is_complete());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mismatched.is_empty()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { taken, missing, unexpected, mismatched } = self;
        let plural = if taken.len() == 1 { "" } else { "s" };
        write!(f, "{} tensor{plural} taken", taken.len())?;
        let named = |names: &[String]| names.iter().map(|name| shown(name)).collect();
        let shapes = |mismatch: &ShapeMismatch| {
            let ShapeMismatch { name, expected, found } = mismatch;
            format!("{}: {expected:?} in the model, {found:?} in the file", shown(name))
        };
        write_list(f, "missing", named(missing))?;
        write_list(f, "unexpected", named(unexpected))?;
        write_list(f, "of another shape", mismatched.iter().map(shapes).collect())
    }
}

/// Writes the number of entries and the first of them.
fn write_list(f: &mut fmt::Formatter<'_>, what: &str, list: Vec<String>) -> fmt::Result {
    const MOST: usize = 4;
    if list.is_empty() {
        return Ok(());
    }
    let more = if list.len() > MOST { ", …" } else { "" };
    write!(f, "; {} {what} ({}{more})", list.len(), list[..list.len().min(MOST)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_a_line() {
        let names = |range: std::ops::Range<usize>| range.map(|i| format!("w{i}")).collect();
        let mismatch = ShapeMismatch { name: "G\n".into(), expected: vec![2, 3], found: vec![4] };
        let report = LoadReport {
            taken: names(0..1),
            missing: names(1..7),
            unexpected: names(7..9),
            mismatched: vec![mismatch],
        };
        assert_eq!(
            report.to_string(),
            "1 tensor taken; 6 missing (w1, w2, w3, w4, …); 2 unexpected (w7, w8); 1 of another shape (G\\n: [2, 3] in the \
             model, [4] in the file)"
        );
        let complete = LoadReport { taken: names(0..2), ..LoadReport::default() };
        assert!(complete.is_complete() && !report.is_complete());
        assert_eq!(complete.to_string(), "2 tensors taken");
    }
}
