//! The reader of Esri's statistics, with its dependencies within its stage.

#[path = "../../src/dataset/esri.rs"]
mod esri;
#[path = "../../src/dataset/extremes.rs"]
mod extremes;
#[path = "../../src/dataset/histogram.rs"]
mod histogram;
#[path = "../../src/dataset/moments.rs"]
mod moments;
#[path = "../../src/dataset/statistics.rs"]
mod statistics;

/// Returns the statistics of this number of bands, if `text` contains them.
pub fn statistics(text: &[u8], bands: usize) -> Option<statistics::Statistics> {
    let all: Vec<usize> = (0..bands).collect();
    esri::parse(text, "AllTilesStats", bands, &all).ok().flatten()
}
