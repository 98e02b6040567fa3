//! Where a saved model lies, and what its files are called.

use std::fs;
use std::path::{Component, Path, PathBuf};

use tch::Tensor;
use tempfile::TempDir;

use super::emd::{Emd, Reach};
use super::{dlpk, pth};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{self, Ready};

/// The folder below a root that holds models saved by name alone.
const MODELS: &str = "models";
/// The folder of a model's pictures, and the report that shows them: names that ArcGIS looks for.
const PICTURES: &str = "ModelCharacteristics";
const REPORT: &str = "model_metrics.html";
/// Files that are no folder of a model, besides `.emd` and `.pth`.
const OTHER_FILES: [&str; 4] = ["dlpk", "safetensors", "pt", "onnx"];
/// At most so many names of a folder go into a message.
const MAX_LISTED: usize = 20;

/// A model's folder and the name that its files have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub folder: PathBuf,
    pub name: String,
}

impl Place {
    /// For saving: a path is the model's folder, and its last part the name of the files; a bare name
    /// stands for `<root>/models/<name>`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a path that names no folder, or that names a file of a model.
    pub(crate) fn to_save(root: &Path, name_or_path: &Path) -> Result<Self> {
        let wrong = |found: &str| {
            Error::new(ErrorKind::Usage, "this cannot be a model's name")
                .at(name_or_path)
                .expected("a name, or the path of a folder for the model")
                .found(found)
        };
        let name = name_or_path.file_name().ok_or_else(|| wrong("a path without a last part"))?;
        let name = name.to_str().ok_or_else(|| wrong("a name that is not UTF-8"))?.to_owned();
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

    /// The model definition.
    pub(crate) fn emd(&self) -> PathBuf {
        self.folder.join(format!("{}.emd", self.name))
    }

    /// The file of the weights, relative to the folder.
    pub(crate) fn pth_name(&self) -> String {
        format!("{}.pth", self.name)
    }

    pub(crate) fn pth(&self) -> PathBuf {
        self.folder.join(self.pth_name())
    }

    /// All of it in one file.
    pub(crate) fn dlpk(&self) -> PathBuf {
        self.folder.join(format!("{}.dlpk", self.name))
    }
}

/// A model that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The definition, and the weights when the caller named them; else the definition says where they are.
    Files { emd: PathBuf, pth: Option<PathBuf> },
    /// A `.dlpk`.
    Package(PathBuf),
}

/// A definition, and where its weights lie.
#[derive(Debug)]
pub(crate) struct Opened {
    pub emd: Emd,
    pub weights: PathBuf,
    /// The file by which its user knows the weights: these, or the package that they came out of.
    pub named: PathBuf,
    /// Goes with this value; holds the weights that came out of a package.
    _unpacked: Option<TempDir>,
}

impl Found {
    /// The definition and the path of the weights, which exist.
    pub(crate) fn open(&self, reach: Reach) -> Result<Opened> {
        let (path, pth) = match self {
            Self::Files { emd, pth } => (emd, pth),
            Self::Package(path) => {
                let dlpk::Unpacked { emd, weights, folder } = dlpk::unpack_model(path)?;
                return Ok(Opened { emd, weights, named: path.clone(), _unpacked: Some(folder) });
            }
        };
        let emd = Emd::read(path, reach)?;
        let folder = parent(path);
        let weights = pth.clone().unwrap_or_else(|| emd.weights_in(folder));
        if weights.is_file() {
            if pth.is_none() && reach == Reach::Folder {
                check_within(folder, &weights)?;
            }
            return Ok(Opened { emd, named: weights.clone(), weights, _unpacked: None });
        }
        Err(missing("the weights are missing", &weights, [folder]))
    }
}

/// A link must not lead where a path may not.
fn check_within(folder: &Path, weights: &Path) -> Result<()> {
    let whole = |path: &Path| path.canonicalize().map_err(|e| Error::io("file cannot be found", path, e));
    let (folder, real) = (whole(folder)?, whole(weights)?);
    if real.starts_with(&folder) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Format, "the weights are a link out of the folder of their definition")
        .at(weights)
        .expected(format!("a file in {}", folder.display()))
        .found(real.display())
        .help("Name the .pth itself; or, if you trust the definition, use LoadOptions::weights_anywhere."))
}

/// Finds a saved model by the path of its folder, of its `.emd`, `.pth` or `.dlpk`, or by its name alone
/// below `<root>/models`.
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
    let emd = name_or_path.with_extension("emd");
    if name_or_path.is_file() && has_model_extension(name_or_path) {
        return match emd.is_file() {
            true => Ok(Found::Files { pth: (emd != name_or_path).then(|| name_or_path.to_path_buf()), emd }),
            false => Err(missing("there is no model definition beside it", &emd, [parent(name_or_path)])),
        };
    }
    let wanted = if is_bare(name_or_path) { &by_name } else { name_or_path };
    Err(missing("no saved model is there", wanted, [wanted, parent(wanted)]))
}

/// `<folder>/<last part>.emd`, or the only other `.emd`, or the only `.dlpk` where there is none.
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
    let mut packages = entries(folder).into_iter().filter(|path| dlpk::is_package(path));
    let mut definitions: Vec<PathBuf> =
        entries(folder).into_iter().filter(|path| store::extension(path) == "emd" && path.is_file()).collect();
    match definitions.len() {
        1 => found(definitions.remove(0)),
        0 => match (packages.next(), packages.next()) {
            (Some(package), None) => Ok(Found::Package(package)),
            _ => Err(missing("the folder holds no model definition (.emd)", folder, [folder, parent(folder)])),
        },
        _ => {
            Err(missing("the folder holds several model definitions", folder, [folder])
                .help("Name the .emd file itself."))
        }
    }
}

/// What goes into the folder of a model.
pub(crate) struct Contents<'a> {
    pub emd: &'a Emd,
    pub tensors: &'a [(String, &'a Tensor)],
    /// See [`crate::package::keys`].
    pub modules: &'a [(String, u32)],
    /// `model_metrics.html`.
    pub report: &'a str,
    /// Names and PNGs of the pictures in `ModelCharacteristics`; an older one of the same name goes where there is none.
    pub pictures: &'a [(&'a str, Option<Vec<u8>>)],
}

/// Saves a model: all files are complete beside their places before the first is published, and when one cannot take
/// its place all give theirs back. So a failure leaves the last model whole; only a kill just between two renames can
/// leave newer weights beside an older definition. Other files are left alone.
pub(crate) fn save(place: &Place, contents: &Contents) -> Result<()> {
    store::create_dir(&place.folder)?;
    let mut files = vec![
        (place.pth_name(), pth::write(&place.pth(), contents.tensors, contents.modules)?),
        (format!("{}.emd", place.name), store::ready(&place.emd(), contents.emd.to_json()?.as_bytes())?),
        (REPORT.to_owned(), store::ready(&place.folder.join(REPORT), contents.report.as_bytes())?),
    ];
    let drawn = contents.pictures.iter().filter_map(|(name, png)| Some((name, png.as_ref()?)));
    for (name, png) in drawn {
        let folder = place.folder.join(PICTURES);
        store::create_dir(&folder)?;
        files.push((format!("{PICTURES}/{name}"), store::ready(&folder.join(name), png)?));
    }
    let named: Vec<(String, &Ready)> = files.iter().map(|(name, file)| (name.clone(), file)).collect();
    let package = dlpk::write(&place.dlpk(), &named)?;
    publish(files.into_iter().map(|(_, file)| file).chain([package]))?;
    let gone = contents.pictures.iter().filter(|(_, png)| png.is_none());
    gone.map(|(name, _)| place.folder.join(PICTURES).join(name)).try_for_each(|path| remove(&path))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound && e.kind() != std::io::ErrorKind::NotADirectory => {
            Err(Error::io("picture of an older model cannot be removed", path, e))
        }
        _ => Ok(()),
    }
}

/// All, or none.
fn publish(files: impl Iterator<Item = Ready>) -> Result<()> {
    let mut replaced = Vec::new();
    for file in files {
        match file.publish_keeping_older() {
            Ok(older) => replaced.push(older),
            Err(error) => {
                // Each gets its chance, whatever becomes of the others.
                let undone: Vec<Result<()>> = replaced.into_iter().rev().map(store::Older::put_back).collect();
                return undone.into_iter().collect::<Result<()>>().and(Err(error));
            }
        }
    }
    replaced.into_iter().try_for_each(store::Older::discard)
}

fn named(root: &Path, name: &Path) -> PathBuf {
    root.join(MODELS).join(name)
}

/// One part and nothing else; `./name` is a path.
fn is_bare(path: &Path) -> bool {
    let mut parts = path.components();
    let first = parts.next().filter(|part| matches!(part, Component::Normal(_)));
    first.is_some_and(|part| parts.next().is_none() && part.as_os_str() == path.as_os_str())
}

fn has_model_extension(path: &Path) -> bool {
    matches!(store::extension(path).as_str(), "emd" | "pth")
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn missing<'a>(what: &str, wanted: &Path, folders: impl IntoIterator<Item = &'a Path>) -> Error {
    let found: Vec<String> = folders.into_iter().map(listing).collect();
    Error::new(ErrorKind::Layout, what)
        .at(wanted)
        .expected("<name>.emd with <name>.pth in a folder, or <name>.dlpk")
        .found(found.join("; "))
}

/// What is in a folder, for messages.
fn listing(folder: &Path) -> String {
    let shown = folder.display();
    if !folder.is_dir() {
        return format!("no folder {shown}");
    }
    let names: Vec<String> =
        entries(folder).iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    let more = names.len().saturating_sub(MAX_LISTED);
    let mut listed = names.into_iter().take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        listed += &format!(" and {more} more");
    }
    if listed.is_empty() {
        return format!("nothing in {shown}");
    }
    format!("in {shown}: {listed}")
}
