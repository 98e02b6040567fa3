//! How a definition is to be opened.

use super::json::Keys;
use crate::error::{Error, ErrorKind, Result, shown};

/// Where a definition may place its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// In its own folder or below.
    Folder,
    /// Anywhere: the caller trusts it.
    Anywhere,
}

/// A kind of model, in the terms of a definition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ModelKind {
    /// `ModelName` and `ModelType`.
    pub name: &'static str,
    /// `ModelConfiguration`: how arcgis.learn runs it.
    pub configuration: &'static str,
    /// Keys of `ModelParameters` in order, with the values that are the same in every file.
    pub parameters: &'static [(&'static str, Option<&'static str>)],
    /// `SupportsVariableTileSize`: whether its networks accept tiles of any size.
    pub takes_any_tile: bool,
    /// The type of this crate that opens it.
    pub opened_by: &'static str,
}

/// How a definition is to be opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub kind: &'static ModelKind,
    /// All kinds that can be opened, for advice.
    pub known: &'static [&'static ModelKind],
    pub reach: Reach,
}

impl Opening {
    /// Opens a definition of this kind, with weights in its own folder.
    pub(crate) fn own(kind: &'static ModelKind) -> Self {
        Self { kind, known: &[], reach: Reach::Folder }
    }

    /// Checks that the definition is of the requested kind.
    pub(super) fn check_kind(self, keys: Keys) -> Result<()> {
        let Some(name) = keys.optional("ModelName").or_else(|| keys.optional("ModelType")) else {
            return keys.text("ModelName").map(drop);
        };
        let name = name.as_str().unwrap_or_default();
        if name == self.kind.name {
            return Ok(());
        }
        let refused = |what: &str| Error::new(ErrorKind::Unsupported, what).expected(self.kind.name).found(shown(name));
        let known = self.known.iter().find(|kind| kind.name == name);
        Err(match known {
            Some(kind) => refused("the model is of another kind (`ModelName`)")
                .help(format!("Open it with {}::from_model.", kind.opened_by)),
            None => refused("the model is of an unknown kind (`ModelName`)")
                .help(format!("This release opens {}; a newer one may open others.", self.names())),
        })
    }

    fn names(self) -> String {
        self.known.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
    }
}
