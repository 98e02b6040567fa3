//! Which files a call reads and writes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::options::RasterOptions;
use super::plan::Part;
use crate::dataset::images_in;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Source;
use crate::store;

/// A part of a scene, and the file that it becomes.
#[derive(Debug)]
pub(crate) struct Job {
    /// Index of the scene.
    pub scene: usize,
    pub part: Part,
    pub output: PathBuf,
}

/// The files that a call means: one file, or all images of a folder, sorted by name.
pub(crate) fn inputs(input: &Path) -> Result<Vec<PathBuf>> {
    if !input.is_dir() {
        return Ok(vec![input.to_path_buf()]);
    }
    let files = images_in(input)?;
    match files.is_empty() {
        false => Ok(files),
        true => Err(Error::new(ErrorKind::Layout, "folder has no images in it")
            .at(input)
            .expected("files that end in .tif, .tiff, .png, .jpg, .jpeg or .bmp")),
    }
}

/// What is to be made of `scenes`, and that it can be written.
///
/// A single part of a single file becomes `output`; others become files in the folder `output`, which is made.
pub(crate) fn jobs(input: &Path, scenes: &[Source], output: &Path, options: &RasterOptions) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for (index, scene) in scenes.iter().enumerate() {
        let path = scene.path().unwrap_or(input);
        let parts = options.parts(scene.size()).map_err(|error| error.at(path))?;
        parts.iter().try_for_each(|part| check_size(part).map_err(|error| error.at(path)))?;
        let several = parts.len() > 1;
        for part in parts {
            let output = output.join(name(path, several.then_some(&part)));
            jobs.push(Job { scene: index, part, output });
        }
    }
    match jobs.as_mut_slice() {
        [job] if !input.is_dir() => {
            check_ending(output)?;
            job.output = output.to_path_buf();
        }
        _ => store::create_dir(output)?,
    }
    check_names(&jobs, scenes)?;
    Ok(jobs)
}

/// The scene's own name, byte for byte, also where it is no text.
fn name(path: &Path, part: Option<&Part>) -> OsString {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    if let Some(part) = part {
        name.push(format!("_{}_{}", part.rows.start, part.columns.start));
    }
    name.push(".tif");
    name
}

/// GDAL counts pixels in 32 bits with a sign.
fn check_size(part: &Part) -> Result<()> {
    const LONGEST: usize = i32::MAX as usize;
    let (height, width) = part.size();
    if height.max(width) <= LONGEST {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Limits, "this scene is too large to be written as one GeoTIFF")
        .expected(format!("sides of at most {LONGEST} pixels"))
        .found(format!("{width} x {height}"))
        .help("Translate it by RasterOptions::window, part by part."))
}

fn check_ending(output: &Path) -> Result<()> {
    match store::extension(output).as_str() {
        "tif" | "tiff" => Ok(()),
        found => Err(Error::new(ErrorKind::Usage, "a translated scene is written as GeoTIFF")
            .at(output)
            .expected("a name that ends in .tif or .tiff")
            .found(if found.is_empty() { "no ending".to_string() } else { format!(".{found}") })
            .help("For PNG or JPEG of a small image use CycleGan::predict and Raster::save.")),
    }
}

/// That no two outputs are the same file, and none is an input or a folder.
fn check_names(jobs: &[Job], scenes: &[Source]) -> Result<()> {
    let mut known = BTreeMap::new();
    for job in jobs {
        let of = scenes[job.scene].path().unwrap_or(Path::new(""));
        store::path_of_file(&job.output)?;
        if let Some(other) = known.insert(&job.output, of) {
            return Err(Error::new(ErrorKind::Usage, "two outputs would have the same name")
                .at(&job.output)
                .found(format!("{} and {}", other.display(), of.display()))
                .help("Give the inputs different names, or translate them in calls of their own."));
        }
    }
    let inputs: BTreeSet<PathBuf> = scenes.iter().filter_map(|scene| scene.path()?.canonicalize().ok()).collect();
    let is_input = |job: &&Job| job.output.canonicalize().is_ok_and(|output| inputs.contains(&output));
    match jobs.iter().find(is_input) {
        None => Ok(()),
        Some(job) => Err(Error::new(ErrorKind::Usage, "the output would replace an input")
            .at(&job.output)
            .help("Choose another name or folder for the output.")),
    }
}
