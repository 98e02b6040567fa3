//! Loads weights into an existing model.

use std::path::Path;

use tch::Tensor;

use super::learner::Learner;
use super::load_options::LoadOptions;
use super::load_report::{LoadReport, ShapeMismatch};
use super::model::Model;
use super::saved::{self, Saved};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::Parameters;
use crate::package::state_dict;

impl<M: Model> Learner<M> {
    /// Loads weights, scaling and history of a saved model with the same architecture. Optimizers and image pools start
    /// over; loss weights and the adversarial loss stay as this model was built.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let mut model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// model.load("assets/models/sat2relief")?;
    /// assert!(model.load("assets/models").is_err());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Layout` if there is no model, listing what is there; `Format` for damaged files; `Usage` if the architecture
    /// differs, naming the first tensor that differs. The model is then unchanged.
    pub fn load(&mut self, name_or_path: impl AsRef<Path>) -> Result<()> {
        self.load_with(name_or_path, LoadOptions::new()).map(drop)
    }

    /// Loads a saved model like [`load`](Self::load), with options, and returns what was loaded.
    ///
    /// With [`strict(false)`](LoadOptions::strict) the saved model may have another architecture, such as other bands
    /// or more residual blocks: tensors with the same name and shape are loaded, and the others stay as they are. If
    /// not all match, only weights are loaded: scaling and history stay those of this model.
    ///
    /// ```
    /// use geolearn::models::LoadOptions;
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::builder(&data).gen_blocks(5).gen_features(16).disc_features(16).build()?;
    /// assert!(model.load("assets/models/sat2relief").is_err(), "it has 4 blocks");
    /// let report = model.load_with("assets/models/sat2relief", LoadOptions::new().strict(false))?;
    /// println!("{report}");
    /// assert!(!report.taken.is_empty() && !report.missing.is_empty());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`load`](Self::load), and `Usage` if no tensor matches, or for options that do not apply here: the model
    /// has its data and its device. The model is then unchanged.
    pub fn load_with(&mut self, name_or_path: impl AsRef<Path>, options: LoadOptions) -> Result<LoadReport> {
        let path = name_or_path.as_ref();
        options.check_weights_only()?;
        let saved = saved::read::<M>(saved::root(self.data.as_ref()), path, options.reach())?;
        let report = report(&own(&self.model)?, &saved.weights);
        if options.is_strict() || report.is_complete() {
            return self.take_over(saved).map(|()| report).map_err(|e| e.at(path));
        }
        self.take_part(&saved.weights, report).map_err(|e| e.at(path))
    }

    /// Loads everything from a saved model, or nothing.
    fn take_over(&mut self, saved: Saved<M::Config>) -> Result<()> {
        M::check_domains(self.config(), &saved.domains)?;
        let data = self.data.as_ref().map(|data| data.scaled_as(saved.scalings())).transpose()?;
        // The last step that can fail; if it does, nothing has changed.
        self.model.load(&saved.weights)?;
        self.domains = saved.domains;
        self.history = saved.history;
        self.definition = Some(saved.definition);
        self.metrics = saved.metrics;
        self.untrained = saved.untrained;
        self.data = data;
        Ok(())
    }

    /// Loads the weights that match.
    fn take_part(&mut self, weights: &[(String, Tensor)], report: LoadReport) -> Result<LoadReport> {
        let own = own(&self.model)?;
        if report.taken.is_empty() {
            let first = |list: &[(String, Tensor)]| {
                list.first().map_or("none".to_string(), |(name, tensor)| format!("{name} of {:?}", tensor.size()))
            };
            return Err(Error::new(ErrorKind::Usage, "no tensor of the file matches this model")
                .expected(format!("names and shapes such as {}", first(&own)))
                .found(format!("{} tensors, the first {}", weights.len(), first(weights)))
                .help(
                    "Load a model with the same number of features, or build this one with the options of the file's.",
                ));
        }
        let source = |name: &str| if report.taken.iter().any(|taken| taken == name) { weights } else { &own };
        let merged = own.iter().filter_map(|(name, _)| source(name).iter().find(|(other, _)| other == name));
        let merged: Parameters = merged.map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect();
        self.model.load(&merged)?;
        // They belong to the previous weights.
        self.metrics = None;
        tracing::info!(%report, "matching weights loaded");
        Ok(report)
    }

    /// Loads the weights of all networks from a state dict of the same architecture: a PyTorch `.pth` or `.pt` of
    /// either format, or a `.safetensors`. A checkpoint may hold the state dict under `model`, `state_dict`,
    /// `model_state_dict`, `net`, `network` or `params`; the first of these that exists is used. Keys may start with
    /// `module.` and contain the `_orig_mod.` of `torch.compile`; 16-bit and 64-bit floats are converted.
    ///
    /// Scaling and history stay as they are; optimizers and image pools start over. [`load`](Self::load) loads a saved
    /// model with its scaling, and [`import_generators`](Self::import_generators) the research code's files.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let mut model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// model.load_weights("assets/models/sat2relief/sat2relief.pth")?;
    /// assert!(model.load_weights("assets/models/sat2relief/sat2relief.emd").is_err());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Io`, `Format`, `Unsupported` or `Limits` for a file that cannot be read; `Usage` if the architecture differs,
    /// naming the first tensor that differs, with both shapes. The model is then unchanged.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_weights_with(path, LoadOptions::new()).map(drop)
    }

    /// Loads weights like [`load_weights`](Self::load_weights), with options, and returns what was loaded. With
    /// [`strict(false)`](LoadOptions::strict), tensors with the same name and shape are loaded, and the others stay as
    /// they are.
    ///
    /// ```
    /// use geolearn::models::LoadOptions;
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::builder(&data).gen_blocks(5).gen_features(16).disc_features(16).build()?;
    /// let weights = "assets/models/sat2relief/sat2relief.pth";
    /// let report = model.load_weights_with(weights, LoadOptions::new().strict(false))?;
    /// assert!(report.taken.iter().any(|name| name == "D_A.0.weight"));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`load_weights`](Self::load_weights), and `Usage` if no tensor matches, or for options that do not apply
    /// here.
    pub fn load_weights_with(&mut self, path: impl AsRef<Path>, options: LoadOptions) -> Result<LoadReport> {
        let path = path.as_ref();
        options.check_weights_only()?;
        let weights = state_dict::read(path)?;
        self.take_weights(&weights, &options).map_err(|e| e.at(path))
    }

    /// Loads weights only: all of them, or those that match.
    fn take_weights(&mut self, weights: &[(String, Tensor)], options: &LoadOptions) -> Result<LoadReport> {
        let report = report(&own(&self.model)?, weights);
        if !options.is_strict() {
            return self.take_part(weights, report);
        }
        // The last step that can fail; if it does, nothing has changed.
        self.model.load(weights)?;
        self.metrics = None;
        Ok(report)
    }

    /// Starts from the weights of a saved model, without its scaling and history.
    pub(in crate::models) fn begin_with(&mut self, path: &Path, options: &LoadOptions) -> Result<()> {
        options.check_weights_only()?;
        let saved = saved::read::<M>(saved::root(self.data.as_ref()), path, options.reach())?;
        let report = self.take_weights(&saved.weights, options).map_err(|e| {
            e.at(path).help(
                "A model begins with the weights of another only when the bands and the options of the networks (gen_blocks, \
                 gen_features and the like) agree; with LoadOptions::strict(false), with those that fit.",
            )
        })?;
        self.pretrained = Some(report);
        Ok(())
    }

    /// Returns which weights were loaded from the file that the builder's [`pretrained_path`] or [`pretrained_with`]
    /// named; `None` if there was none.
    ///
    /// ```
    /// let model = geolearn::CycleGan::from_model("assets/models/sat2relief", None)?;
    /// assert!(model.pretrained_report().is_none());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// [`pretrained_path`]: crate::models::cyclegan::CycleGanBuilder::pretrained_path
    /// [`pretrained_with`]: crate::models::cyclegan::CycleGanBuilder::pretrained_with
    pub fn pretrained_report(&self) -> Option<&LoadReport> {
        self.pretrained.as_ref()
    }
}

/// Lists the parameters that [`Model::load`] sets, with their current values; they share memory with the model.
fn own<M: Model>(model: &M) -> Result<Parameters> {
    let state = model.state();
    let held = |name: &str| state.iter().find(|(other, _)| other == name);
    let names = model.saved_parameters()?;
    Ok(names.iter().filter_map(|(name, _)| held(name)).map(|(name, t)| (name.clone(), t.shallow_clone())).collect())
}

/// Compares names and shapes.
fn report(own: &[(String, Tensor)], weights: &[(String, Tensor)]) -> LoadReport {
    let mut report = LoadReport::default();
    for (name, tensor) in own {
        let name = name.clone();
        match weights.iter().find(|(other, _)| *other == name).map(|(_, found)| found.size()) {
            None => report.missing.push(name),
            Some(found) if found == tensor.size() => report.taken.push(name),
            Some(found) => report.mismatched.push(ShapeMismatch { name, expected: tensor.size(), found }),
        }
    }
    let is_unknown = |name: &&String| !own.iter().any(|(other, _)| other == *name);
    report.unexpected = weights.iter().map(|(name, _)| name).filter(is_unknown).cloned().collect();
    report
}
