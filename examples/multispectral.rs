//! Translates 13-band 16-bit images to RGB and back, with chips that differ in bands, sample types and nodata.
//!
//! ```text
//! cargo run --release --example multispectral -- [--epochs N] [--chips FOLDER] [--out FOLDER] [--resume]
//! ```
//!
//! Trains a small model on simulated Sentinel-2 chips (A: 13 bands of uint16, with nodata at some edges) and shaded
//! relief (B: 8-bit RGB), both as GeoTIFF, then writes translations that keep the georeference, bands and nodata.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

#[path = "common/arguments.rs"]
mod arguments;
mod common;

use std::path::Path;

use arguments::Arguments;
use geolearn::dataset::{Augment, Normalization};
use geolearn::train::Checkpoint;
use geolearn::{CycleGan, DatasetType, Domain, FitOptions, PrepareData, Raster};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { epochs, chips, out, resume } = Arguments::read("multispectral", 40, "multispectral");
    std::fs::create_dir_all(&out)?;
    let data = PrepareData::new(chips, DatasetType::CycleGan)
        // Without clipping percentiles, a few bright pixels of snow would make everything else dark.
        .normalization(Normalization::Percentile { low: 2.0, high: 98.0 })
        // The usual false-color display of vegetation: near infrared as red.
        .rgb_bands(Domain::A, ["NIR", "Red", "Green"])
        .augment(Augment::none().zoom(1.2))
        .prepare()?;
    println!("{data}");
    for (band, name) in data.statistics(Domain::A).bands().iter().zip(data.band_names(Domain::A)) {
        let name = name.as_deref().unwrap_or("?");
        println!("  {name:>6}: {:.0} to {:.0}, mean {:.0}", band.min, band.max, band.mean);
    }
    data.show_batch(4)?.save(out.join("1_batch.png"))?;

    let mut model = CycleGan::builder(&data).gen_blocks(3).gen_features(16).disc_features(16).build()?;
    let signal = common::stop_on_ctrl_c()?;
    let fit = FitOptions::new(epochs).checkpoint(Checkpoint::Last).checkpoint_dir(out.join("checkpoints"));
    model.fit(fit.resume(resume).callback(signal.clone()))?;
    if signal.is_set() {
        println!("Stopped. Run the same command with --resume to continue.");
        return Ok(());
    }
    model.show_results(4)?.save(out.join("2_results.png"))?;

    let spectra = &data.files(Domain::A, geolearn::dataset::Split::Train)[0];
    let picture = model.predict_a2b(spectra)?;
    told("A to B", &picture, &out.join("a2b.tif"))?;
    let simulated = model.predict_b2a(&data.files(Domain::B, geolearn::dataset::Split::Train)[0])?;
    told("B to A", &simulated, &out.join("b2a.tif"))?;
    println!("The pictures and GeoTIFFs are in {}.", out.display());
    Ok(())
}

fn told(what: &str, image: &Raster, path: &Path) -> geolearn::Result<()> {
    image.save(path)?;
    let read = Raster::open(path)?;
    let [_, _, left, _, _, upper] = read.place().transform();
    println!("{what}: {read:?}, nodata {:?}, upper-left corner {left:.1}, {upper:.1}", read.nodata());
    Ok(())
}
