//! A whole model in one file with its weights.

use std::path::Path;
use std::time::Instant;

use tch::Tensor;

use super::learner::Learner;
use super::model::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::package::emd::{Emd, Opening};
use crate::package::safetensors;
use crate::store;

impl<M: Model> Learner<M> {
    /// Saves the model as one `.safetensors` file: the weights of all networks as float32, under their names in the
    /// `.pth`, and in the header the complete model definition. Any reader of safetensors can use the weights;
    /// [`from_model`](Self::from_model) opens the model again.
    ///
    /// The file is written under a temporary name and renamed, so a save that fails leaves an older file intact.
    /// Missing folders are created.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("sat2relief.safetensors");
    /// model.save_safetensors(&path)?;
    /// let same = CycleGan::from_model(&path, None)?;
    /// assert_eq!(same.config(), model.config());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` for a path that does not end in `.safetensors`, `Io` if it cannot be written.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if !safetensors::is_named(path) {
            return Err(Error::new(ErrorKind::Usage, "this is not a valid file name")
                .at(path)
                .expected("<name>.safetensors"));
        }
        let started = Instant::now();
        let path = store::path_of_file(path)?;
        store::remove_abandoned_of([path]);
        // Weights and definition are in one file; the name in the definition is not a path.
        let mut definition = self.definition("weights.safetensors")?;
        definition.set_mark(None);
        let definition = definition.to_json().map_err(|e| e.at(path))?;
        let weights = self.model.saved_parameters()?;
        safetensors::write(path, &weights, &definition)?.publish()?;
        let (tensors, epochs, seconds) = (weights.len(), self.history.epochs().len(), started.elapsed().as_secs_f64());
        tracing::info!(path = %path.display(), tensors, epochs, seconds, "model saved");
        Ok(())
    }
}

/// Reads definition and weights of a file that [`Learner::save_safetensors`] wrote.
pub(super) fn bundle(path: &Path, opening: Opening) -> Result<(Emd, Vec<(String, Tensor)>)> {
    of_contents(safetensors::read(path)?, opening).map_err(|e| e.at(path))
}

/// Reads definition and weights of such a file in memory.
pub(super) fn bundle_of_bytes(bytes: &[u8], opening: Opening) -> Result<(Emd, Vec<(String, Tensor)>)> {
    of_contents(safetensors::parse(bytes)?, opening)
}

fn of_contents(contents: safetensors::Contents, opening: Opening) -> Result<(Emd, Vec<(String, Tensor)>)> {
    let definition = contents.definition.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "the file holds weights, but no model definition")
            .expected("a file written by save_safetensors")
            .help("Build the model and use load_weights, or from_checkpoint for a checkpoint.")
    })?;
    Ok((Emd::parse(definition.as_bytes(), opening)?, contents.tensors))
}
