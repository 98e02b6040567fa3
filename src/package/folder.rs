//! Where a saved model lies, and what its files are called.

use std::fs;
use std::path::{Component, Path, PathBuf};

use tch::Tensor;

use super::emd::Emd;
use super::pth;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{self, Pending};

/// The folder below a root that holds models saved by name alone.
const MODELS: &str = "models";
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
        if has_model_extension(name_or_path) {
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
}

/// The two files of a model that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub emd: PathBuf,
    /// The weights, when the caller named them; else the definition says where they are.
    pub pth: Option<PathBuf>,
}

impl Found {
    /// The definition and the path of the weights, which exist.
    pub(crate) fn open(&self) -> Result<(Emd, PathBuf)> {
        let emd = Emd::read(&self.emd)?;
        let folder = parent(&self.emd);
        let pth = self.pth.clone().unwrap_or_else(|| emd.weights_in(folder));
        if pth.is_file() {
            return Ok((emd, pth));
        }
        Err(missing("the weights are missing", &pth, [folder]))
    }
}

/// Finds a saved model by the path of its folder, of its `.emd` or of its `.pth`, or by its name alone
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
    let emd = name_or_path.with_extension("emd");
    if name_or_path.is_file() && has_model_extension(name_or_path) {
        return match emd.is_file() {
            true => Ok(Found { pth: (emd != name_or_path).then(|| name_or_path.to_path_buf()), emd }),
            false => Err(missing("there is no model definition beside it", &emd, [parent(name_or_path)])),
        };
    }
    let wanted = if is_bare(name_or_path) { &by_name } else { name_or_path };
    Err(missing("no saved model is there", wanted, [wanted, parent(wanted)]))
}

/// `<folder>/<last part>.emd`, or the only other `.emd`.
fn in_folder(folder: &Path) -> Result<Found> {
    let found = |emd| Ok(Found { emd, pth: None });
    if let Some(name) =
        folder.canonicalize().ok().as_deref().unwrap_or(folder).file_name().and_then(|name| name.to_str())
    {
        let usual = folder.join(format!("{name}.emd"));
        if usual.is_file() {
            return found(usual);
        }
    }
    let mut definitions: Vec<PathBuf> =
        entries(folder).into_iter().filter(|path| extension(path) == "emd" && path.is_file()).collect();
    match definitions.len() {
        1 => found(definitions.remove(0)),
        0 => Err(missing("the folder holds no model definition (.emd)", folder, [folder, parent(folder)])),
        _ => {
            Err(missing("the folder holds several model definitions", folder, [folder])
                .help("Name the .emd file itself."))
        }
    }
}

/// Saves a model: both files are complete beside their places before either is published, and when the second
/// cannot take its place the first gives its own back. So a failure leaves the last model whole; only a kill just
/// between two renames can leave newer weights beside an older definition. Other files are left alone.
pub(crate) fn save(place: &Place, emd: &Emd, tensors: &[(String, &Tensor)], modules: &[(String, u32)]) -> Result<()> {
    store::create_dir(&place.folder)?;
    let weights = pth::write(&place.pth(), tensors, modules)?;
    let target = place.emd();
    let mut definition = Pending::create(&target)?;
    std::io::Write::write_all(&mut definition, emd.to_json()?.as_bytes())
        .map_err(|e| Error::io("file cannot be written", &target, e).help("Is the disk full?"))?;
    let definition = definition.finish()?;
    let older = weights.publish_keeping_older()?;
    match definition.publish() {
        Ok(()) => older.discard(),
        Err(error) => {
            older.put_back()?;
            Err(error)
        }
    }
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
    matches!(extension(path).as_str(), "emd" | "pth")
}

fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
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
        .expected("<name>.emd with <name>.pth in a folder")
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
