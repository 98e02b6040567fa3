//! The output files of a call.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};

use super::settings::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::inference::tiling::Part;
use crate::raster::Source;
use crate::store;

/// A part of a scene, and the file that it becomes.
#[derive(Debug)]
pub(super) struct Output {
    /// Index of the scene.
    pub scene: usize,
    pub part: Part,
    pub path: PathBuf,
}

/// Returns the outputs for `scenes`, scene by scene. Nothing is written yet.
///
/// A single part of a single file is written to `output`; otherwise files are written into the folder `output`.
///
/// # Errors
/// `Usage` for a window outside of a scene, or an output that is not a `.tif`, is an input or appears twice; `Limits`
/// for one that is too large for a GeoTIFF.
pub(super) fn planned(input: &Path, scenes: &[Source], output: &Path, settings: &Settings) -> Result<Vec<Output>> {
    let mut outputs = Vec::new();
    for (scene, source) in scenes.iter().enumerate() {
        let path = source.path().unwrap_or(input);
        let parts = settings.parts(source.size()).map_err(|error| error.at(path))?;
        parts.iter().try_for_each(|part| check_size(part).map_err(|error| error.at(path)))?;
        let are_several = parts.len() > 1;
        for part in parts {
            let path = output.join(name(path, are_several.then_some(&part)));
            outputs.push(Output { scene, part, path });
        }
    }
    if let [only] = outputs.as_mut_slice()
        && !input.is_dir()
    {
        check_ending(output)?;
        only.path = output.to_path_buf();
    }
    check_names_differ(&outputs, scenes)?;
    check_no_input(&outputs, scenes)?;
    Ok(outputs)
}

/// Creates missing folders of outputs, and checks that files with their names can exist there.
///
/// # Errors
/// `Usage` for an output that is a folder or has too long a name; `Io` for a folder that cannot be created or used.
pub(super) fn make_folders(outputs: &[Output]) -> Result<()> {
    outputs.iter().try_for_each(|output| check_name(store::path_of_file(&output.path)?))
}

/// Files are written under temporary names, so without this check a name would be refused only when its file is
/// complete.
fn check_name(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Err(e) if e.kind() == IoKind::InvalidFilename => {
            let length = path.file_name().map_or(0, |name| name.as_encoded_bytes().len());
            Err(Error::new(ErrorKind::Usage, "this name is too long for a file")
                .at(path)
                .found(format!("{length} bytes"))
                .help("Choose a shorter name for the output, or for the scene that it takes its name from."))
        }
        Err(e) if e.kind() != IoKind::NotFound => Err(Error::io("a file cannot have this name", path, e)),
        _ => Ok(()),
    }
}

/// Returns the scene's name byte for byte, even if it is not valid text.
fn name(path: &Path, part: Option<&Part>) -> OsString {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    if let Some(part) = part {
        name.push(format!("_{}_{}", part.rows.start, part.columns.start));
    }
    name.push(".tif");
    name
}

/// Checks that GDAL can open the output: it counts pixels in signed 32-bit integers.
fn check_size(part: &Part) -> Result<()> {
    const LONGEST: usize = i32::MAX as usize;
    let (height, width) = part.size();
    if height.max(width) <= LONGEST {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Limits, "this scene is too large for a single GeoTIFF")
        .expected(format!("sides of at most {LONGEST} pixels"))
        .found(format!("{width} x {height}"))
        .help("Translate it part by part with RasterOptions::window."))
}

fn check_ending(output: &Path) -> Result<()> {
    match store::extension(output).as_str() {
        "tif" | "tiff" => Ok(()),
        found => Err(Error::new(ErrorKind::Usage, "a translated scene is written as GeoTIFF")
            .at(output)
            .expected("a name that ends in .tif or .tiff")
            .found(if found.is_empty() { "no ending".to_string() } else { format!(".{found}") })
            .help("To write a small image as PNG or JPEG, use `predict` and Raster::save.")),
    }
}

fn check_names_differ(outputs: &[Output], scenes: &[Source]) -> Result<()> {
    let mut known = BTreeMap::new();
    for output in outputs {
        let scene = scenes[output.scene].path().unwrap_or(Path::new(""));
        if let Some(other) = known.insert(&output.path, scene) {
            return Err(Error::new(ErrorKind::Usage, "two outputs would have the same name")
                .at(&output.path)
                .found(format!("{} and {}", other.display(), scene.display()))
                .help("Give the inputs different names, or translate them in separate calls."));
        }
    }
    Ok(())
}

fn check_no_input(outputs: &[Output], scenes: &[Source]) -> Result<()> {
    let inputs: BTreeSet<PathBuf> = scenes.iter().filter_map(|scene| scene.path()?.canonicalize().ok()).collect();
    let is_input = |output: &&Output| output.path.canonicalize().is_ok_and(|path| inputs.contains(&path));
    match outputs.iter().find(is_input) {
        None => Ok(()),
        Some(output) => Err(Error::new(ErrorKind::Usage, "the output would replace an input")
            .at(&output.path)
            .help("Choose another name or folder for the output.")),
    }
}
