//! Runs an export.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::batch::ChipCutter;
use super::chip_record::ChipRecord;
use super::esri_files;
use super::inputs::{self, path_of};
use super::journal::{ExportBatch, Journal};
use super::left_out::LeftOutCounts;
use super::manifest::{self, Export, Manifest, SceneRecord};
use super::options::ExportTrainingData;
use super::plan::{self, Job};
use super::report::{ChipCounts, ExportReport};
use crate::dataset::domain::{Domain, PerDomain};
use crate::dataset::files::Listing;
use crate::dataset::scenes::Use;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Counter;
use crate::raster::{Raster, Samples, Source, files_beside};
use crate::stop::StopSignal;
use crate::store::{self, Identity, Lock};

/// Exports chips from scenes with the default options; see [`ExportTrainingData`] for the options.
///
/// ```no_run
/// // Needs scenes of several chips of 256 x 256 pixels.
/// let report = geolearn::dataset::export_training_data("sentinel1/", "sentinel2/", "chips")?;
/// println!("{report}");
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// # Errors
/// See [`ExportTrainingData::export`].
pub fn export_training_data(
    input_raster: impl AsRef<Path>,
    additional_input_raster: impl AsRef<Path>,
    output_location: impl AsRef<Path>,
) -> Result<ExportReport> {
    ExportTrainingData::new(input_raster, additional_input_raster, output_location).export()
}

impl ExportTrainingData {
    /// Exports the chips.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if an option is out of range, if scenes cannot form one domain, if polygons have another
    /// CRS, if the folder contains other chips, or if no window can be used; [`ErrorKind::Layout`] for a folder without
    /// scenes, and for scenes of pairs that are not on the same grid; [`ErrorKind::Unsupported`] if PNG or JPEG cannot
    /// store the bands; [`ErrorKind::Stopped`] after a stop signal; otherwise errors from reading scenes and writing
    /// chips.
    pub fn export(self) -> Result<ExportReport> {
        self.check()?;
        run(&self)
    }
}

fn run(options: &ExportTrainingData) -> Result<ExportReport> {
    let started = Instant::now();
    let scenes = inputs::open(options)?;
    check_format(options, &scenes)?;
    let made_of = made_of(options, &scenes);
    let output = options.output.as_path();
    store::create_dir(output)?;
    // Two processes with the same output take turns, and the second one finds the export complete.
    let _lock = Lock::of(&manifest::path_of(output))?;
    if let Some(report) = earlier_report(options, &made_of)? {
        return Ok(report);
    }
    let unfinished = Journal::open(output, &made_of)?;
    if unfinished.is_none() {
        check_empty(options)?;
    }
    let stop = || check_stop(options.control.stop.as_ref());
    let jobs = plan::jobs(options, scenes, &|_| stop())?;
    // If planning fails, no journal is left that would bind a later call to the same options.
    let (mut journal, done) = match unfinished {
        Some(unfinished) => unfinished,
        None => (Journal::begin(output, &made_of)?, Vec::new()),
    };
    for domain in Domain::BOTH {
        store::create_dir(&output.join(options.metadata_format.folder(domain)))?;
    }
    let earlier = done.iter().map(|batch| batch.chips.iter().map(|chip| chip.files.len()).sum::<usize>()).sum();
    let exports = make(options, &jobs, &mut journal, done)?;
    if let Some(error) = jobs.iter().zip(&exports).find_map(|(job, export)| none_made(options, job, export)) {
        // No journal is left that would bind a later call to the same options.
        journal.end()?;
        return Err(error);
    }
    for (job, export) in jobs.iter().zip(&exports) {
        stop()?;
        esri_files::write(options, job, &export.chips)?;
    }
    let manifest = Manifest::new(made_of, exports);
    manifest.write(output)?;
    journal.end()?;
    let report = ExportReport { earlier, time: started.elapsed(), ..report(options, &manifest) };
    tracing::info!(path = %output.display(), a = report.chips(Domain::A), b = report.chips(Domain::B), earlier, "chips exported");
    Ok(report)
}

/// Makes all chips that do not exist yet.
fn make(
    options: &ExportTrainingData,
    jobs: &[Job],
    journal: &mut Journal,
    done: Vec<ExportBatch>,
) -> Result<Vec<Export>> {
    let all = |job: &Job| job.scenes.iter().map(|scene| scene.windows.len()).sum::<usize>();
    let total: usize = jobs.iter().map(all).sum();
    let counter = Counter::new(options.control.progress, "Chips", "windows", total);
    let mut looked_at = 0;
    let mut count = |windows: usize| {
        (0..windows).for_each(|_| counter.one(()));
        looked_at += windows;
        options.control.tell(looked_at as u64, total as u64);
    };
    count(0);
    let mut exports = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        let cutter = ChipCutter { options, job };
        let mut chips: Vec<ChipRecord> = Vec::new();
        let mut left_out = LeftOutCounts::default();
        for (number, scene) in job.scenes.iter().enumerate() {
            left_out.and(&scene.left_out);
            let mut first = 0;
            for batch in done.iter().filter(|batch| (batch.job, batch.scene) == (index, number)) {
                first += batch.windows;
                count(batch.windows);
                chips.extend_from_slice(&batch.chips);
                left_out.and(&batch.left_out);
            }
            while first < scene.windows.len() {
                check_stop(options.control.stop.as_ref())?;
                let windows = cutter.next(scene, first);
                let batch = cutter.make(index, number, first, windows, options.start_index + chips.len())?;
                journal.add(&batch)?;
                first += windows;
                count(windows);
                left_out.and(&batch.left_out);
                chips.extend(batch.chips);
            }
            scene.images.iter().for_each(Source::release);
        }
        let scenes = job.scenes.iter().map(|scene| SceneRecord {
            files: scene.images.iter().map(|image| path_of(image).display().to_string()).collect(),
            validation_blocks: scene.validation_blocks.clone(),
        });
        exports.push(Export { scenes: scenes.collect(), left_out, chips });
    }
    Ok(exports)
}

fn check_stop(stop: Option<&StopSignal>) -> Result<()> {
    if !stop.is_some_and(StopSignal::is_set) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Stopped, "the export was stopped before its end")
        .help("The same call goes on from there; chips that are written stay."))
}

/// Returns everything that determines the chips.
fn made_of(options: &ExportTrainingData, scenes: &PerDomain<Vec<Source>>) -> Value {
    // A name that is not valid UTF-8 must not be mistaken for another one.
    let file = |path: &Path| json!([format!("{path:?}"), Identity::of(path)]);
    let scene = |scene: &Source| {
        let beside = files_beside(path_of(scene)).into_iter().filter(|file| file.exists());
        json!([file(path_of(scene)), beside.map(|beside| file(&beside)).collect::<Vec<_>>()])
    };
    let scenes = |domain| scenes.get(domain).iter().map(scene).collect::<Vec<_>>();
    let polygons = |domain| options.mask_polygons.get(domain).as_deref().map(file);
    json!({
        "geolearn": env!("CARGO_PKG_VERSION"),
        "scenes": Domain::BOTH.map(scenes),
        "metadata_format": options.metadata_format.to_string(),
        "chip_format": options.chip_format.to_string(),
        "tile_size": options.tile,
        "stride_size": options.stride(),
        "rotation_angle": options.rotation_angle,
        "start_index": options.start_index,
        "input_mask_polygons": Domain::BOTH.map(polygons),
        "min_valid_share": options.min_valid_share,
        "min_std": options.min_std,
        "val_split_pct": options.val_split_pct,
        "validation_margin": options.validation_margin,
        "alpha_bands": options.alpha_bands,
        "seed": options.seed,
    })
}

/// Returns the report of an export that is already complete; `None` if there is work to do.
fn earlier_report(options: &ExportTrainingData, made_of: &Value) -> Result<Option<ExportReport>> {
    let Some(manifest) = Manifest::read(&options.output)? else { return Ok(None) };
    if manifest.made_of != *made_of {
        return Err(Error::new(ErrorKind::Usage, "the folder holds an export of other scenes or options")
            .at(manifest::path_of(&options.output))
            .help("Choose another folder, or remove this one."));
    }
    let files = manifest.exports.iter().flat_map(|export| &export.chips).flat_map(|chip| &chip.files);
    let (there, missing): (Vec<&String>, Vec<&String>) =
        files.partition(|file| options.output.join(file.as_str()).is_file());
    match missing.first() {
        None => Ok(Some(ExportReport { earlier: there.len(), ..report(options, &manifest) })),
        Some(file) => Err(Error::new(ErrorKind::Usage, "chips of a complete export are missing")
            .at(options.output.join(file.as_str()))
            .found(format!("{} missing, {} there", missing.len(), there.len()))
            .help("To make them anew, remove the folder; to train with the others, call prepare_data.")),
    }
}

fn report(options: &ExportTrainingData, manifest: &Manifest) -> ExportReport {
    let chips = |export: &Export| {
        let validation = export.chips.iter().filter(|chip| chip.which == Use::Validation).count();
        ChipCounts { training: export.chips.len() - validation, validation }
    };
    // For pairs, one export covers both domains.
    let export = |domain| match domain {
        Domain::A => manifest.exports.first(),
        Domain::B => manifest.exports.last(),
    };
    ExportReport {
        output: options.output.clone(),
        chips: PerDomain::from_fn(|domain| export(domain).map(chips).unwrap_or_default()),
        left_out: PerDomain::from_fn(|domain| export(domain).map(|export| export.left_out.clone()).unwrap_or_default()),
        earlier: 0,
        time: Default::default(),
    }
}

/// Checks that the format of chips can store the bands of the scenes.
fn check_format(options: &ExportTrainingData, scenes: &PerDomain<Vec<Source>>) -> Result<()> {
    for scene in Domain::BOTH.into_iter().filter_map(|domain| scenes.get(domain).first()) {
        let pixel = Raster::new(Samples::zeros(scene.dtype(), (scene.bands(), 1, 1)))?;
        pixel
            .check_format(&path_of(scene).with_extension(options.chip_format.ending()))
            .map_err(|error| error.at(path_of(scene)))?;
    }
    Ok(())
}

/// Checks that the folder contains no chips from elsewhere.
fn check_empty(options: &ExportTrainingData) -> Result<()> {
    for domain in Domain::BOTH {
        let folder = options.output.join(options.metadata_format.folder(domain));
        let listing = Listing::glance(&folder);
        if folder.is_dir() && !listing.images.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "the folder for the chips holds others already")
                .at(folder)
                .found(listing.describe())
                .help("Choose another output_location."));
        }
    }
    Ok(())
}

/// Returns an error that explains why a job made no chips, if it made none.
fn none_made(options: &ExportTrainingData, job: &Job, export: &Export) -> Option<Error> {
    if !export.chips.is_empty() {
        return None;
    }
    let domains: Vec<String> = job.domains.iter().map(Domain::to_string).collect();
    let error = Error::new(ErrorKind::Usage, format!("no window of domain {} becomes a chip", domains.join(" and ")))
        .at(job.domains.first().map_or(&options.output, |domain| options.rasters.get(*domain)))
        .found(format!("windows left out: {}", export.left_out))
        .help("Smaller chips (tile_size), a lower min_valid_share or min_std, or other polygons leave more.");
    Some(error)
}
