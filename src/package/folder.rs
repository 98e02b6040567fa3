//! The folder of a saved model, and the names of its files.

use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use tch::Tensor;

use super::emd::{Emd, Opening};
use super::generation;
pub(crate) use super::generation::Opened;
use super::listing::{entries, missing};
use super::{dlpk, pth};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{self, Lock, Ready, folder_of};

/// The folder below a root that holds models saved by name alone.
const MODELS: &str = "models";
/// The folder of a model's pictures, and the report that shows them: names that ArcGIS looks for.
const PICTURES: &str = "ModelCharacteristics";
const REPORT: &str = "model_metrics.html";
/// The item for STAC catalogs.
pub(crate) const ITEM: &str = "model.stac.json";
/// The card of the model, which people may take over.
pub(crate) const CARD: &str = "README.md";
/// The first line of a card that a save may overwrite.
pub(crate) const CARD_MARK: &str =
    "<!-- Written by geolearn, and again by each save. Remove this line, and the file is yours. -->";
/// Files that are not a model's folder, besides `.emd` and `.pth`.
const OTHER_FILES: [&str; 4] = ["dlpk", "safetensors", "pt", "onnx"];
/// File systems take names of 255 bytes; the longest extension is `.dlpk`.
const LONGEST_NAME: usize = 250;

/// A model's folder and the name of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub folder: PathBuf,
    pub name: String,
}

impl Place {
    /// Returns the place for saving: a path is the model's folder, and its last part the name of the files; a bare name
    /// stands for `<root>/models/<name>`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a path that does not name a folder, or that names a file of a model.
    pub(crate) fn to_save(root: &Path, name_or_path: &Path) -> Result<Self> {
        let wrong = |found: &str| {
            Error::new(ErrorKind::Usage, "this cannot be a model's name")
                .at(name_or_path)
                .expected("a name, or the path of a folder for the model")
                .found(found)
        };
        let name = name_or_path.file_name().ok_or_else(|| wrong("a path without a name"))?;
        let name = name.to_str().ok_or_else(|| wrong("a name that is not UTF-8"))?.to_owned();
        if name.len() > LONGEST_NAME {
            let found = format!("a name of {} bytes", name.len());
            return Err(wrong(&found).help(format!("Use at most {LONGEST_NAME} bytes.")));
        }
        if name.contains([':', '\\', '\0']) {
            return Err(wrong("a name with `:` or `\\`").help("Use letters, digits, `-`, `_` and spaces."));
        }
        if has_model_extension(name_or_path) || OTHER_FILES.contains(&store::extension(name_or_path).as_str()) {
            return Err(
                wrong("a file's extension").help("Leave the extension out: a model is a folder of several files.")
            );
        }
        let folder = if is_bare(name_or_path) { named(root, name_or_path) } else { name_or_path.to_path_buf() };
        Ok(Self { folder, name })
    }

    /// Returns the path of the model definition.
    pub(crate) fn emd(&self) -> PathBuf {
        self.folder.join(format!("{}.emd", self.name))
    }

    /// Returns the file name of the weights.
    pub(crate) fn pth_name(&self) -> String {
        format!("{}.pth", self.name)
    }

    pub(crate) fn pth(&self) -> PathBuf {
        self.folder.join(self.pth_name())
    }

    fn picture(&self, name: &str) -> PathBuf {
        self.folder.join(PICTURES).join(name)
    }

    /// Returns the path of the package.
    pub(crate) fn dlpk(&self) -> PathBuf {
        self.folder.join(format!("{}.dlpk", self.name))
    }
}

/// A model that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The definition, and the weights if the caller named them; otherwise the definition says where they are.
    Files { emd: PathBuf, pth: Option<PathBuf> },
    /// A `.dlpk`.
    Package(PathBuf),
}

impl Found {
    /// Reads the definition and the weights that belong to it.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] for weights that belong to another definition, besides errors of reading each.
    pub(crate) fn open(&self, opening: Opening) -> Result<Opened> {
        let started = Instant::now();
        let opened = self.read(opening)?;
        let (Self::Files { emd: path, .. } | Self::Package(path)) = self;
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(path = %path.display(), tensors = opened.tensors.len(), seconds, "saved model read");
        Ok(opened)
    }

    fn read(&self, opening: Opening) -> Result<Opened> {
        match self {
            Self::Files { emd, pth } => generation::open(emd, pth.as_deref(), opening),
            Self::Package(path) => {
                let dlpk::Unpacked { emd, weights, folder: _folder } = dlpk::unpack_model(path, opening)?;
                let tensors = generation::weights_of(&emd, &weights).map_err(|e| e.at(path))?;
                Ok(Opened { emd, tensors })
            }
        }
    }
}

/// Opens a `.dlpk` in memory, without a temporary file.
///
/// # Errors
/// As for a file, with "in memory" as its name.
pub(crate) fn open_package(bytes: &[u8], opening: Opening) -> Result<Opened> {
    let opened = || {
        let (emd, weights) = dlpk::unpack_bytes(bytes, opening)?;
        let tensors = generation::weights_in(&emd, &weights)?;
        Ok(Opened { emd, tensors })
    };
    opened().map_err(Error::in_memory)
}

/// Finds a saved model by the path of its folder, of its `.emd`, `.pth` or `.dlpk`, or by its name alone below
/// `<root>/models`.
///
/// # Errors
/// [`ErrorKind::Layout`] listing what was found instead.
pub(crate) fn find(root: &Path, name_or_path: &Path) -> Result<Found> {
    let by_name = named(root, name_or_path);
    if is_bare(name_or_path) && by_name.is_dir() {
        return in_folder(&by_name);
    }
    if name_or_path.is_dir() {
        return in_folder(name_or_path);
    }
    if dlpk::is_package(name_or_path) {
        return Ok(Found::Package(name_or_path.to_path_buf()));
    }
    if name_or_path.is_file() && has_extension(name_or_path, "emd") {
        return Ok(Found::Files { emd: name_or_path.to_path_buf(), pth: None });
    }
    if name_or_path.is_file() && has_extension(name_or_path, "pth") {
        return Ok(Found::Files { emd: definition_beside(name_or_path)?, pth: Some(name_or_path.to_path_buf()) });
    }
    let wanted = if is_bare(name_or_path) { &by_name } else { name_or_path };
    Err(missing("there is no saved model", wanted, [wanted, folder_of(wanted)]))
}

/// Returns the definition with the same name, whatever the case of its extension.
fn definition_beside(pth: &Path) -> Result<PathBuf> {
    let emd = pth.with_extension("emd");
    if emd.is_file() {
        return Ok(emd);
    }
    let same = |path: &PathBuf| path.file_stem() == pth.file_stem() && has_extension(path, "emd");
    let beside = entries(folder_of(pth)).into_iter().find(same);
    beside.ok_or_else(|| missing("there is no model definition beside it", &emd, [folder_of(pth)]))
}

/// Finds `<folder>/<last part>.emd`, or the only other `.emd`, or the only `.dlpk` if there is none.
fn in_folder(folder: &Path) -> Result<Found> {
    let found = |emd| Ok(Found::Files { emd, pth: None });
    if let Some(name) =
        folder.canonicalize().ok().as_deref().unwrap_or(folder).file_name().and_then(|name| name.to_str())
    {
        let usual = folder.join(format!("{name}.emd"));
        if usual.is_file() {
            return found(usual);
        }
    }
    let mut packages = entries(folder).into_iter().filter(|path| dlpk::is_package(path) && !dlpk::is_of_macos(path));
    let is_definition = |path: &PathBuf| has_extension(path, "emd") && !dlpk::is_of_macos(path) && path.is_file();
    let mut definitions: Vec<PathBuf> = entries(folder).into_iter().filter(is_definition).collect();
    match definitions.len() {
        1 => found(definitions.remove(0)),
        0 => match (packages.next(), packages.next()) {
            (Some(package), None) => Ok(Found::Package(package)),
            _ => Err(missing("the folder contains no model definition (.emd)", folder, [folder, folder_of(folder)])),
        },
        _ => Err(missing("the folder contains several model definitions", folder, [folder])
            .help("Name the .emd file itself.")),
    }
}

/// The contents of a model's folder.
pub(crate) struct Contents<'a> {
    pub emd: &'a Emd,
    pub tensors: &'a [(String, &'a Tensor)],
    /// See [`crate::package::keys`].
    pub modules: &'a [(String, u32)],
    /// `model_metrics.html`.
    pub report: &'a str,
    /// Names and texts of further files beside the definition: [`ITEM`] and [`CARD`].
    pub texts: &'a [(&'a str, String)],
    /// Names and PNGs of the pictures in `ModelCharacteristics`; if there is none, an older one of the same name is
    /// removed.
    pub pictures: &'a [(&'a str, Option<Vec<u8>>)],
}

/// Saves a model: all files are complete under temporary names, and known to open, before the first is renamed; if one
/// cannot be renamed, all others are restored. So a failure leaves the previous model intact, and so does a kill: see
/// [`generation`](super::generation). Other files are not touched.
pub(crate) fn save(place: &Place, contents: &Contents) -> Result<()> {
    store::create_dir(&place.folder)?;
    let _lock = Lock::of(&place.pth())?;
    generation::settle(&place.emd(), &place.pth())?;
    clear(place, contents);
    let (weights, mark) = pth::write(&place.pth(), contents.tensors, contents.modules)?;
    let mut emd = contents.emd.clone();
    emd.set_mark(Some(&mark));
    let mut files = vec![
        (place.pth_name(), weights),
        (format!("{}.emd", place.name), store::ready(&place.emd(), emd.to_json()?.as_bytes())?),
        (REPORT.to_owned(), store::ready(&place.folder.join(REPORT), contents.report.as_bytes())?),
    ];
    for (name, text) in contents.texts.iter().filter(|(name, _)| *name != CARD || !is_kept(&place.folder.join(CARD))) {
        files.push((name.to_string(), store::ready(&place.folder.join(name), text.as_bytes())?));
    }
    for (name, png) in contents.pictures.iter().filter_map(|(name, png)| Some((name, png.as_ref()?))) {
        store::create_dir(&place.folder.join(PICTURES))?;
        files.push((format!("{PICTURES}/{name}"), store::ready(&place.picture(name), png)?));
    }
    let named: Vec<(String, &Ready)> = files.iter().map(|(name, file)| (name.clone(), file)).collect();
    let package = dlpk::write(&place.dlpk(), &named)?;
    check(&named, &package, Opening::own(emd.kind)).map_err(|e| e.at(&place.folder))?;
    let older = generation::of(&place.emd());
    store::publish_all(files.into_iter().map(|(_, file)| file).chain([package]), older)?;
    let gone = contents.pictures.iter().filter(|(_, png)| png.is_none());
    gone.map(|(name, _)| place.picture(name)).try_for_each(|path| remove(&path))
}

/// Returns whether there is a card that was not written by a save, or that people made theirs.
fn is_kept(card: &Path) -> bool {
    let mut beginning = vec![0; CARD_MARK.len()];
    match fs::File::open(card).and_then(|mut file| file.read_exact(&mut beginning)) {
        Ok(()) => beginning != CARD_MARK.as_bytes(),
        Err(e) => e.kind() != std::io::ErrorKind::NotFound,
    }
}

/// Removes files that killed saves left behind.
fn clear(place: &Place, contents: &Contents) {
    let pictures = contents.pictures.iter().map(|(name, _)| place.picture(name));
    let texts = contents.texts.iter().map(|(name, _)| place.folder.join(name));
    let others = [place.pth(), place.emd(), place.dlpk(), place.folder.join(REPORT)];
    others.into_iter().chain(texts).chain(pictures).for_each(|path| store::clear(&path));
}

/// Checks that files that were just written can be opened again.
fn check(files: &[(String, &Ready)], package: &Ready, opening: Opening) -> Result<()> {
    if let [(_, weights), (_, emd), ..] = files {
        pth::check(weights.path(), &pth::PthLimits::default())?;
        generation::definition(emd.path(), opening)?;
    }
    dlpk::check(package.path())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound && e.kind() != std::io::ErrorKind::NotADirectory => {
            Err(Error::io("picture of an older model cannot be removed", path, e))
        }
        _ => Ok(()),
    }
}

fn named(root: &Path, name: &Path) -> PathBuf {
    root.join(MODELS).join(name)
}

/// Returns whether a path is a single name; `./name` is a path.
fn is_bare(path: &Path) -> bool {
    let mut parts = path.components();
    let first = parts.next().filter(|part| matches!(part, Component::Normal(_)));
    first.is_some_and(|part| parts.next().is_none() && part.as_os_str() == path.as_os_str())
}

fn has_model_extension(path: &Path) -> bool {
    has_extension(path, "emd") || has_extension(path, "pth")
}

fn has_extension(path: &Path, extension: &str) -> bool {
    store::extension(path) == extension
}
