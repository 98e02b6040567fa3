//! A scene of any size, translated to a GeoTIFF; and a picture of what ways to put tiles together look like.
//!
//! ```text
//! cargo run --release --example predict_raster -- [--scene FILE] [--model FOLDER] [--out FOLDER]
//! ```
//!
//! Translates from domain A to B: without arguments, the bundled satellite scene to shaded relief. Press Ctrl-C, then
//! run the same command again: it goes on with the rows that are missing.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that speaks to a terminal")]

mod common;

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Parser;
use geolearn::inference::{NormStatistics, RasterReport};
use geolearn::raster::RasterFile;
use geolearn::train::StopSignal;
use geolearn::{CycleGan, Domain, ErrorKind, Picture, Raster, RasterOptions, Result};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage, imageops};

type AnyError = Box<dyn std::error::Error>;

/// Of the part that is shown.
const LONGEST_SIDE: usize = 512;
/// Small, so that also the bundled scene is more than one tile.
const SMALL_TILE: usize = 128;

fn main() -> std::result::Result<(), AnyError> {
    let Arguments { scene, model, out } = Arguments::parse();
    std::fs::create_dir_all(&out)?;
    let model = CycleGan::from_model(model, None)?;
    let signal = common::stop_on_ctrl_c()?;

    let output = out.join("translated.tif");
    let options = RasterOptions::new(Domain::B).resume(true).stop_signal(signal.clone());
    let Some(report) = unless_stopped(model.predict_raster(&scene, &output, options))? else {
        println!("Stopped; what is done lies beside {}. Run the same command again to go on.", output.display());
        return Ok(());
    };
    print_report(&report);

    let folder = out.join("methods");
    std::fs::create_dir_all(&folder)?;
    let Some([above, below]) = unless_stopped(methods(&model, &scene, (&output, &folder), &signal))? else {
        println!("Stopped before the picture; the translation is complete.");
        return Ok(());
    };
    let picture = out.join("methods.jpg");
    let encoder = JpegEncoder::new_with_quality(File::create(&picture)?, 85);
    stacked(above.as_rgb_image(), below.as_rgb_image()).write_with_encoder(encoder)?;
    println!("Look at {}.", picture.display());
    Ok(())
}

/// Translates a scene from domain A to B, and draws what ways to put tiles together look like.
#[derive(Parser)]
#[command(name = "predict_raster")]
struct Arguments {
    /// The scene to translate
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/scenes/bluemarble_asia.tif"))]
    scene: PathBuf,
    /// A saved model
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/models/sat2relief"))]
    model: PathBuf,
    /// Where the GeoTIFF and the picture go
    #[arg(long, value_name = "FOLDER", default_value = "out/predict_raster")]
    out: PathBuf,
}

/// `None` where the work was stopped from outside, which is no failure.
fn unless_stopped<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::Stopped => Ok(None),
        other => other.map(Some),
    }
}

fn print_report(report: &RasterReport) {
    let seconds = report.time().as_secs_f64();
    // The three run beside each other, so they may add up to more than all.
    let share = |part: std::time::Duration| 100.0 * part.as_secs_f64() / seconds.max(f64::MIN_POSITIVE);
    println!(
        "{}: {:.2} megapixels in {seconds:.1} s, {:.2} a second.",
        report.output().display(),
        report.pixels() as f64 / 1e6,
        report.megapixels_per_second()
    );
    println!(
        "Of that time, {:.0} % were spent in reading, {:.0} % in the network, {:.0} % in writing.",
        share(report.read_time()),
        share(report.network_time()),
        share(report.write_time())
    );
    println!("{:.2} pixels went through the network for each of the output.", network_share(report));
}

fn network_share(report: &RasterReport) -> f64 {
    report.network_pixels() as f64 / report.pixels().max(1) as f64
}

/// Two rows of pictures of one place: the scene, `output` and the way of arcgis.learn; and three ways in small tiles.
/// What they show is kept in `folder`.
fn methods(
    model: &CycleGan,
    scene: &Path,
    (output, folder): (&Path, &Path),
    signal: &StopSignal,
) -> Result<[Picture; 2]> {
    let file = RasterFile::open(scene)?;
    let part = Part::middle(&file);
    let made = |name: &str, statistics: NormStatistics, tile: Option<usize>| {
        let options = RasterOptions::new(Domain::B).statistics(statistics).stop_signal(signal.clone());
        let options = part.window_of(options).progress(false);
        let options = tile.into_iter().fold(options, RasterOptions::tile_size);
        let report = model.predict_raster(scene, folder.join(name), options)?;
        println!("{name}: {:.2} pixels through the network for each of the output.", network_share(&report));
        Ok::<_, geolearn::Error>(Raster::open(report.output())?.to_rgb_image())
    };
    let (own, small) = (NormStatistics::Tile { padding: None }, Some(SMALL_TILE));
    let local = NormStatistics::Local { spacing: None };
    let above = vec![part.read(&file)?, part.read(&RasterFile::open(output)?)?, made("tile.tif", own, None)?];
    let below = vec![
        made("tile_128.tif", own, small)?,
        made("scene_128.tif", NormStatistics::Scene, small)?,
        made("local_128.tif", local, small)?,
    ];
    let columns = ["Scene", "Default options", "Tile: each its own statistics, as in arcgis.learn"];
    let above = Picture::grid("A scene and its translation", &columns, &[above])?;
    let columns = ["Tile: each its own statistics", "Scene: one set for all", "Local: a grid of them"];
    let below = Picture::grid("The same in tiles of 128 pixels", &columns, &[below])?;
    Ok([above, below])
}

/// What is shown of a scene.
struct Part {
    row: usize,
    column: usize,
    height: usize,
    width: usize,
}

impl Part {
    fn middle(file: &RasterFile) -> Self {
        let (height, width) = (file.info().height(), file.info().width());
        let (shown_height, shown_width) = (height.min(LONGEST_SIDE), width.min(LONGEST_SIDE));
        let (row, column) = ((height - shown_height) / 2, (width - shown_width) / 2);
        Self { row, column, height: shown_height, width: shown_width }
    }

    fn window_of(&self, options: RasterOptions) -> RasterOptions {
        options.window(self.row, self.column, self.height, self.width)
    }

    fn read(&self, file: &RasterFile) -> Result<RgbImage> {
        let samples = file.read_window(self.row, self.column, self.height, self.width)?;
        Ok(Raster::new(samples)?.to_rgb_image())
    }
}

fn stacked(above: &RgbImage, below: &RgbImage) -> RgbImage {
    let width = above.width().max(below.width());
    let mut both = RgbImage::from_pixel(width, above.height() + below.height(), Rgb([255; 3]));
    imageops::replace(&mut both, above, 0, 0);
    imageops::replace(&mut both, below, 0, i64::from(above.height()));
    both
}
