//! The reader of Esri's statistics, with what it needs of its stage.

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

/// The statistics of so many bands, where `text` holds them.
pub fn statistics(text: &[u8], bands: usize) -> Option<statistics::Statistics> {
    let all: Vec<usize> = (0..bands).collect();
    esri::parse(text, "AllTilesStats", bands, &all).ok().flatten()
}
