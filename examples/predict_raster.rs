//! Translates a scene of any size to a GeoTIFF, and draws a figure that compares the ways to combine tiles.
//!
//! ```text
//! cargo run --release --example predict_raster -- [--scene FILE] [--model FOLDER] [--out FOLDER]
//! ```
//!
//! Translates from domain A to B; by default, the bundled satellite scene to shaded relief. After Ctrl-C, the same
//! command resumes with the missing rows.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

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

/// Longest side of the part of the scene that the figure shows, in pixels.
const LONGEST_SIDE: usize = 512;
/// Small enough that even the bundled scene has more than one tile.
const SMALL_TILE: usize = 128;

fn main() -> std::result::Result<(), AnyError> {
    let Arguments { scene, model, out } = Arguments::parse();
    std::fs::create_dir_all(&out)?;
    let model = CycleGan::from_model(model, None)?;
    let signal = common::stop_on_ctrl_c()?;

    let output = out.join("translated.tif");
    let options = RasterOptions::new(Domain::B).resume(true).stop_signal(signal.clone());
    let Some(report) = unless_stopped(model.predict_raster(&scene, &output, options))? else {
        println!(
            "Stopped; the finished part is kept beside {}. Run the same command again to resume.",
            output.display()
        );
        return Ok(());
    };
    print_report(&report);

    let folder = out.join("methods");
    std::fs::create_dir_all(&folder)?;
    let Some([above, below]) = unless_stopped(methods(&model, &scene, (&output, &folder), &signal))? else {
        println!("Stopped before drawing the figure; the translation is complete.");
        return Ok(());
    };
    let picture = out.join("methods.jpg");
    let encoder = JpegEncoder::new_with_quality(File::create(&picture)?, 85);
    stacked(above.as_rgb_image(), below.as_rgb_image()).write_with_encoder(encoder)?;
    println!("The figure is in {}.", picture.display());
    Ok(())
}

/// Translates a scene from domain A to B, and compares the ways to combine tiles.
#[derive(Parser)]
#[command(name = "predict_raster")]
struct Arguments {
    /// The scene to translate
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/scenes/bluemarble_asia.tif"))]
    scene: PathBuf,
    /// A saved model
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/models/sat2relief"))]
    model: PathBuf,
    /// Folder for the GeoTIFF and the figure
    #[arg(long, value_name = "FOLDER", default_value = "out/predict_raster")]
    out: PathBuf,
}

/// Returns `None` if the work was interrupted, which is not an error.
fn unless_stopped<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::Stopped => Ok(None),
        other => other.map(Some),
    }
}

fn print_report(report: &RasterReport) {
    let seconds = report.time().as_secs_f64();
    // The three overlap in time, so they can add up to more than 100 %.
    let share = |part: std::time::Duration| 100.0 * part.as_secs_f64() / seconds.max(f64::MIN_POSITIVE);
    println!(
        "{}: {:.2} megapixels in {seconds:.1} s, {:.2} per second.",
        report.output().display(),
        report.pixels() as f64 / 1e6,
        report.megapixels_per_second()
    );
    println!(
        "Share of that time: reading {:.0} %, network {:.0} %, writing {:.0} %.",
        share(report.read_time()),
        share(report.network_time()),
        share(report.write_time())
    );
    println!("{:.2} pixels passed through the network per output pixel.", network_share(report));
}

fn network_share(report: &RasterReport) -> f64 {
    report.network_pixels() as f64 / report.pixels().max(1) as f64
}

/// Draws two rows of pictures of one place: the scene, `output` and arcgis.learn's method; then three methods on small
/// tiles. The rasters behind them are kept in `folder`.
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
        println!("{name}: {:.2} pixels through the network per output pixel.", network_share(&report));
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
    let columns = ["Scene", "Default options", "Tile: statistics per tile, as in arcgis.learn"];
    let above = Picture::grid("A scene and its translation", &columns, &[above])?;
    let columns = ["Tile: statistics per tile", "Scene: one set for all tiles", "Local: a grid of statistics"];
    let below = Picture::grid("The same in tiles of 128 pixels", &columns, &[below])?;
    Ok([above, below])
}

/// The part of a scene that the figure shows.
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
