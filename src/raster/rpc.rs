//! Rational polynomial coefficients (RPCs), which locate satellite images before they are rectified.

/// The numbers in the tag (RPCs in GeoTIFF): errors, offsets, and scales, then four polynomials of 20 coefficients.
pub(super) const NUMBERS: usize = 92;
/// Offsets and scales of lines and samples among them.
const LINE_OFFSET: usize = 2;
const SAMPLE_OFFSET: usize = 3;
const LINE_SCALE: usize = 7;
const SAMPLE_SCALE: usize = 8;

const SINGLE: [&str; 12] = [
    "ERR_BIAS",
    "ERR_RAND",
    "LINE_OFF",
    "SAMP_OFF",
    "LAT_OFF",
    "LONG_OFF",
    "HEIGHT_OFF",
    "LINE_SCALE",
    "SAMP_SCALE",
    "LAT_SCALE",
    "LONG_SCALE",
    "HEIGHT_SCALE",
];
const POLYNOMIALS: [&str; 4] = ["LINE_NUM_COEFF", "LINE_DEN_COEFF", "SAMP_NUM_COEFF", "SAMP_DEN_COEFF"];

/// The coefficients of an image, in the order of the tag.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rpc(Box<[f64; NUMBERS]>);

impl Rpc {
    /// Creates the coefficients; `None` if the count is wrong.
    pub fn new(numbers: Vec<f64>) -> Option<Self> {
        numbers.into_boxed_slice().try_into().ok().map(Self)
    }

    pub fn numbers(&self) -> &[f64] {
        &self.0[..]
    }

    /// Returns the coefficients of a part that begins at (`row`, `column`).
    pub fn shifted(&self, row: usize, column: usize) -> Self {
        let mut part = self.clone();
        part.0[LINE_OFFSET] -= row as f64;
        part.0[SAMPLE_OFFSET] -= column as f64;
        part
    }

    /// Returns the coefficients for pixels that are larger by these factors. Integers are pixel centers.
    pub fn scaled(&self, across: f64, down: f64) -> Self {
        let mut scaled = self.clone();
        for (offset, scale, by) in [(LINE_OFFSET, LINE_SCALE, down), (SAMPLE_OFFSET, SAMPLE_SCALE, across)] {
            scaled.0[offset] = (scaled.0[offset] + 0.5) / by - 0.5;
            scaled.0[scale] /= by;
        }
        scaled
    }
}

/// Reads coefficients from metadata with GDAL's keys; errors may be missing.
pub(super) fn of_metadata<'a>(items: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Rpc> {
    let items: Vec<_> = items.collect();
    let numbers = |key: &str| {
        let text = items.iter().find(|(own, _)| *own == key).map(|(_, text)| *text)?;
        text.split_whitespace().map(|number| number.parse::<f64>().ok()).collect::<Option<Vec<_>>>()
    };
    let mut all = Vec::with_capacity(NUMBERS);
    for key in SINGLE {
        let missing = || key.starts_with("ERR").then(|| vec![0.0]);
        // Some software appends the unit.
        all.push(*numbers(key).or_else(missing)?.first()?);
    }
    for key in POLYNOMIALS {
        all.extend(numbers(key).filter(|numbers| numbers.len() == 20)?);
    }
    Rpc::new(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_and_a_smaller_image_show_the_same_ground() {
        let rpc = Rpc::new((0..NUMBERS).map(|number| number as f64).collect()).unwrap();
        assert_eq!(rpc.shifted(10, 100).numbers()[2..4], [-8.0, -97.0]);
        let half = rpc.scaled(2.0, 2.0);
        assert_eq!((half.numbers()[2], half.numbers()[7]), (0.75, 3.5));
        assert_eq!(half.scaled(0.5, 0.5), rpc);
        assert!(Rpc::new(vec![0.0; 91]).is_none());
    }
}
