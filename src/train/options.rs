//! Options of a fit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::callback::Callback;
use super::checkpoint::{Checkpoint, Checkpoints, Folder, NoteReported};
use super::early_stopping::EarlyStopping;
use super::guard::NanGuard;
use super::learning_rate::LearningRate;
use super::monitor::Monitor;
use super::plan::{Plan, TO_BE_FOUND};
use super::progress::Progress;
use crate::device::{Device, Precision};
use crate::distributed::Distributed;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::{Inception, InceptionDistances, Metric, MetricColumn};
use crate::optim::{AdamOptions, OneCycle, Schedule};
use crate::peers::{Alone, Peers};

/// Options of [`CycleGan::fit`](crate::CycleGan::fit).
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `epochs` | – | passes over the larger domain | ≥ 1 |
/// | `decay_epochs` | none | epochs added after these, in which the rate falls to zero | ≥ 0 |
/// | `lr` | 2e-4 | learning rate, or [`LearningRate::Find`] for what a sweep suggests | > 0 |
/// | `disc_lr_ratio` | 1 | the discriminators' rate as a multiple of the generators' | > 0 |
/// | `schedule` | constant for the first half, then linear to zero | course of the rate | |
/// | `adam` | betas (0.5, 0.999), no weight decay | options of the optimizer | |
/// | `precision` | [`Precision::Auto`] | precision of the networks | |
/// | `accumulate` | 1 | batches whose gradients make one update, instead of a batch that does not fit into memory | ≥ 1 |
/// | `deterministic` | off | on CUDA: the same losses and weights in every run, but slower | |
/// | `validate_every` | 1 | epochs between validations; 0 for none | ≥ 0 |
/// | `checkpoint` | [`Checkpoint::Off`] | which states are kept on disk | |
/// | `checkpoint_dir` | `checkpoints` in the data's working folder | where | |
/// | `checkpoint_every` | none | steps after which the state is also saved within an epoch | ≥ 1 |
/// | `monitor` | `valid_loss`, or `generator` without validation | determines the best epoch and early stopping | see [`available_metrics`](crate::CycleGan::available_metrics) |
/// | `metric` | none | an additional [`Metric`] over the validation chips | |
/// | `resume` | off | resumes from the newest checkpoint in the folder, if there is one | |
/// | `early_stopping` | none | ends the fit when the monitor no longer improves | |
/// | `check_memory` | on | refuses a fit that does not fit into memory | |
/// | `progress` | on | shows losses and time left on the terminal, or as plain lines without one | |
/// | `tensorboard` | none | folder of event files for TensorBoard (feature `tensorboard`) | |
/// | `distributed` | one process | the processes of the fit; see [`Distributed`] | |
/// | `callback` | none | a [callback](Callback): [`TensorBoard`](crate::train::TensorBoard), [`SamplePictures`](crate::train::SamplePictures), [`HistoryFile`](crate::train::HistoryFile), or yours | |
///
/// The defaults are the published recipe (Zhu et al. 2017, section 4): 100 epochs at 2e-4 and 100 in which the rate
/// falls to zero are `FitOptions::new(100).decay_epochs(100)`, and `FitOptions::new(200)` means the same.
///
/// ```
/// let options = geolearn::FitOptions::new(100).decay_epochs(100).lr(2e-4).progress(false);
/// assert_eq!(options.total_epochs(), 200);
/// ```
#[derive(Debug)]
#[must_use]
pub struct FitOptions {
    epochs: usize,
    decay_epochs: Option<usize>,
    schedule: Option<Schedule>,
    lr: LearningRate,
    disc_lr_ratio: f64,
    adam: AdamOptions,
    precision: Precision,
    accumulate: usize,
    checkpoint: Checkpoint,
    checkpoint_dir: Option<PathBuf>,
    checkpoint_every: Option<usize>,
    monitor: Option<String>,
    early_stopping: Option<EarlyStopping>,
    progress: bool,
    callbacks: Vec<Box<dyn Callback>>,
    pub(super) peers: Box<dyn Peers>,
    pub(super) metrics: Vec<Box<dyn Metric>>,
    pub(super) deterministic: bool,
    pub(super) validate_every: usize,
    pub(super) resume: bool,
    pub(super) check_memory: bool,
}

impl FitOptions {
    /// Creates options for `epochs` epochs of the published recipe.
    ///
    /// ```
    /// let options = geolearn::FitOptions::new(20);
    /// assert_eq!(options.total_epochs(), 20);
    /// ```
    pub fn new(epochs: usize) -> Self {
        Self {
            epochs,
            decay_epochs: None,
            schedule: None,
            lr: LearningRate::Fixed(2e-4),
            disc_lr_ratio: 1.0,
            adam: AdamOptions::default(),
            precision: Precision::Auto,
            accumulate: 1,
            checkpoint: Checkpoint::Off,
            checkpoint_dir: None,
            checkpoint_every: None,
            monitor: None,
            early_stopping: None,
            progress: true,
            callbacks: Vec::new(),
            peers: Box::new(Alone),
            metrics: Vec::new(),
            deterministic: false,
            validate_every: 1,
            resume: false,
            check_memory: true,
        }
    }

    /// Adds epochs in which the rate falls to zero; it then stays constant in all epochs before. Default: none are
    /// added, and the rate falls in the second half of the epochs.
    ///
    /// ```
    /// let options = geolearn::FitOptions::new(100).decay_epochs(50);
    /// assert_eq!(options.total_epochs(), 150);
    /// ```
    pub fn decay_epochs(mut self, epochs: usize) -> Self {
        self.decay_epochs = Some(epochs);
        self
    }

    /// Sets the learning rate, or requests a search for it with [`LearningRate::Find`]. Default: 2e-4.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::train::LearningRate;
    ///
    /// let given = FitOptions::new(20).lr(1e-4);
    /// let found = FitOptions::new(20).lr(LearningRate::Find).one_cycle(true);
    /// ```
    pub fn lr(mut self, lr: impl Into<LearningRate>) -> Self {
        self.lr = lr.into();
        self
    }

    /// Sets the discriminators' learning rate as a multiple of the generators', over the whole schedule (Heusel et al.
    /// 2017, arXiv:1706.08500, use separate rates). Default: 1.
    ///
    /// ```
    /// let options = geolearn::FitOptions::new(20).disc_lr_ratio(0.5);
    /// ```
    pub fn disc_lr_ratio(mut self, ratio: f64) -> Self {
        self.disc_lr_ratio = ratio;
        self
    }

    /// Sets the course of the rate over all epochs. Default: constant, then linear to zero.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::optim::Schedule;
    ///
    /// let options = FitOptions::new(20).schedule(Schedule::Constant);
    /// ```
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// Selects the one-cycle schedule like arcgis.learn's `one_cycle`. Default: off.
    ///
    /// ```
    /// let options = geolearn::FitOptions::new(20).one_cycle(true);
    /// ```
    pub fn one_cycle(mut self, on: bool) -> Self {
        self.schedule = on.then(|| Schedule::OneCycle(OneCycle::default()));
        self
    }

    /// Sets the options of Adam. Default: betas (0.5, 0.999), no weight decay.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::optim::AdamOptions;
    ///
    /// let options = FitOptions::new(20).adam(AdamOptions::default().beta2(0.99));
    /// ```
    pub fn adam(mut self, adam: AdamOptions) -> Self {
        self.adam = adam;
        self
    }

    /// Sets the precision of the networks; weights, moments and losses stay f32. Default: [`Precision::Auto`], which is
    /// TF32 on CUDA devices that support it, as in PyTorch. The [history](crate::train::EpochRecord::precision) records
    /// which one was used.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::device::Precision;
    ///
    /// let options = FitOptions::new(20).precision(Precision::F32);
    /// ```
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Makes one update of the weights from the mean gradient of this many batches, like one batch with all their
    /// chips, in the memory of one. Default: 1.
    ///
    /// ```
    /// // Learns like a batch four times as large.
    /// let options = geolearn::FitOptions::new(20).accumulate(4);
    /// ```
    pub fn accumulate(mut self, batches: usize) -> Self {
        self.accumulate = batches;
        self
    }

    /// On CUDA, uses only kernels that give the same result every time, so that losses and weights are reproducible bit
    /// for bit on the same device. On the CPU this is always the case. Default: off, because it slows down training.
    ///
    /// This concerns only training: validation and translation are reproducible bit for bit on a device anyway, as long
    /// as its memory is sufficient.
    ///
    /// ```
    /// let options = geolearn::FitOptions::new(20).deterministic(true);
    /// ```
    pub fn deterministic(mut self, on: bool) -> Self {
        self.deterministic = on;
        self
    }

    /// Sets the number of epochs between validations; 0 turns them off. Default: 1.
    ///
    /// ```
    /// let options = geolearn::FitOptions::new(20).validate_every(5);
    /// ```
    pub fn validate_every(mut self, epochs: usize) -> Self {
        self.validate_every = epochs;
        self
    }

    /// Sets which states are kept on disk. Default: none.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::train::Checkpoint;
    ///
    /// let options = FitOptions::new(20).checkpoint(Checkpoint::Best);
    /// ```
    pub fn checkpoint(mut self, which: Checkpoint) -> Self {
        self.checkpoint = which;
        self
    }

    /// Sets the folder of the checkpoints, which is created if it is missing. Default: `checkpoints` in the data's
    /// working folder.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::train::Checkpoint;
    ///
    /// let options = FitOptions::new(20).checkpoint(Checkpoint::Last).checkpoint_dir("run1/checkpoints");
    /// ```
    pub fn checkpoint_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.checkpoint_dir = Some(folder.into());
        self
    }

    /// Also saves the state within an epoch, every so many steps, for epochs that take hours. Default: only at the end
    /// of an epoch, and when the fit is stopped within one.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::train::Checkpoint;
    ///
    /// let options = FitOptions::new(20).checkpoint(Checkpoint::Last).checkpoint_every(10_000);
    /// ```
    pub fn checkpoint_every(mut self, steps: usize) -> Self {
        self.checkpoint_every = Some(steps);
        self
    }

    /// Sets the loss or metric that determines the best epoch and early stopping: one of the model's, or a column of an
    /// added [`metric`](Self::metric); KID and FID add themselves, see [`InceptionDistances`]. Default: the model's
    /// first metric on validation pairs, or its first loss without validation.
    ///
    /// ```
    /// let options = geolearn::FitOptions::new(20).monitor("valid_cycle");
    /// ```
    pub fn monitor(mut self, name: impl Into<String>) -> Self {
        self.monitor = Some(name.into());
        self
    }

    /// Resumes from the newest checkpoint in the folder, if there is one: weights, moments, image pools, history and
    /// the position within the epoch. All options on which the weights depend must be those of the fit that wrote it,
    /// and the model must be new or trained no further. Default: off; the fit starts over and moves older checkpoints
    /// of the folder into `earlier_1` and so on.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::train::Checkpoint;
    ///
    /// let options = FitOptions::new(20).checkpoint(Checkpoint::Last).resume(true);
    /// ```
    pub fn resume(mut self, on: bool) -> Self {
        self.resume = on;
        self
    }

    /// Ends the fit when the monitor no longer improves. Default: it runs to its end.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::train::EarlyStopping;
    ///
    /// let options = FitOptions::new(200).early_stopping(EarlyStopping::default().patience(20));
    /// ```
    pub fn early_stopping(mut self, rule: EarlyStopping) -> Self {
        self.early_stopping = Some(rule);
        self
    }

    /// Sets whether a fit is refused before it starts if it would need more memory than is free, according to the
    /// model's [estimate](crate::train::Translator::memory_need). Default: on.
    ///
    /// ```
    /// let options = geolearn::FitOptions::new(20).check_memory(false);
    /// ```
    pub fn check_memory(mut self, on: bool) -> Self {
        self.check_memory = on;
        self
    }

    /// Shows progress on the terminal, or not. Default: on.
    ///
    /// ```
    /// let options = geolearn::FitOptions::new(20).progress(false);
    /// ```
    pub fn progress(mut self, on: bool) -> Self {
        self.progress = on;
        self
    }

    /// Adds a metric over the validation chips, measured at each validation and recorded in the history. [`Metric`] has
    /// an example. Default: only the model's own metrics.
    ///
    /// ```no_run
    /// use geolearn::metrics::{Inception, InceptionDistances};
    /// use geolearn::{Device, FitOptions};
    ///
    /// let options = FitOptions::new(20).metric(InceptionDistances::new(Inception::find(Device::Auto)?));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn metric(mut self, metric: impl Metric + 'static) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// Adds a callback; callbacks are called in the order in which they were added.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::train::HistoryFile;
    ///
    /// let options = FitOptions::new(20).callback(HistoryFile::new("run1/history.csv"));
    /// ```
    pub fn callback(mut self, callback: impl Callback + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Runs the fit together with other processes, which all call it with the same options, data and weights. Default:
    /// alone.
    ///
    /// Each process uses the data's batch size; an update covers the batches of all processes, and the rate is what you
    /// set, whatever their number. The first process runs metrics and callbacks and writes checkpoints; of the other
    /// processes' callbacks, only [`Callback::wants_to_stop`] is called. After an error in one process all end, with an
    /// error that names it.
    ///
    /// ```
    /// use geolearn::FitOptions;
    /// use geolearn::distributed::Distributed;
    /// use geolearn::train::Checkpoint;
    ///
    /// let options = FitOptions::new(200).distributed(Distributed::from_env()?).checkpoint(Checkpoint::Last).resume(true);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn distributed(mut self, group: Distributed) -> Self {
        self.peers = Box::new(group);
        self
    }

    /// Runs the fit with processes that a test simulates.
    #[cfg(test)]
    pub(crate) fn peers(mut self, peers: impl Peers + 'static) -> Self {
        self.peers = Box::new(peers);
        self
    }

    /// Returns the number of epochs, including those of the decay.
    pub fn total_epochs(&self) -> usize {
        self.epochs.saturating_add(self.decay_epochs.unwrap_or(0))
    }

    /// Returns the options on which the weights depend. A rate that has to be found is still missing.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            epochs: self.total_epochs(),
            lr: self.lr.fixed().unwrap_or(TO_BE_FOUND),
            is_lr_found: self.lr == LearningRate::Find,
            schedule: self.course(),
            adam: self.adam,
            precision: self.precision,
            accumulate: self.accumulate,
            disc_lr_ratio: self.disc_lr_ratio,
        }
    }

    fn course(&self) -> Schedule {
        let share = |epochs| epochs as f64 / self.total_epochs().max(1) as f64;
        let constant = if self.decay_epochs.is_some() { share(self.epochs) } else { 0.5 };
        self.schedule.unwrap_or(Schedule::ConstantThenLinear { constant })
    }

    /// Returns the added callbacks.
    pub(super) fn added_callbacks(&self) -> &[Box<dyn Callback>] {
        &self.callbacks
    }

    pub(super) fn shows_progress(&self) -> bool {
        self.progress
    }

    /// Returns the name of the monitor, if one was set.
    pub(super) fn asked_monitor(&self) -> Option<&str> {
        self.monitor.as_deref()
    }

    /// Adds the metric that the monitor names, if it is one of this crate's that was not added.
    pub(super) fn add_monitored_metric(&mut self, device: tch::Device) -> Result<()> {
        let asked = self.monitor.as_deref().filter(|name| InceptionDistances::has(name));
        if let Some(asked) = asked.filter(|name| self.metric_columns().iter().all(|column| column.name != *name)) {
            let network = Inception::find(Device::of(device))
                .map_err(|error| Error::new(error.kind(), format!("{asked} cannot be measured")).because(error))?;
            self.metrics.push(Box::new(InceptionDistances::new(network)));
        }
        Ok(())
    }

    /// Returns whether anything uses the monitor.
    pub(super) fn is_monitored(&self) -> bool {
        self.checkpoint.watches() || self.early_stopping.is_some()
    }

    /// Returns the columns of all added metrics.
    pub(super) fn metric_columns(&self) -> Vec<MetricColumn> {
        self.metrics.iter().flat_map(|metric| metric.columns()).collect()
    }

    /// Opens the folder of the checkpoints for this fit, if any are kept.
    pub(super) fn open_checkpoints(&self, working_dir: &Path) -> Result<Option<Folder>> {
        if self.checkpoint == Checkpoint::Off {
            return Ok(None);
        }
        let path = self.checkpoint_dir.clone().unwrap_or_else(|| working_dir.join("checkpoints"));
        Folder::open(&path).map(Some)
    }

    /// Takes the callbacks, ours before those that were added, and the index of the first added one. The last one
    /// records in the checkpoint folder which epoch was reported to all.
    pub(super) fn take_callbacks(
        &mut self,
        checkpoints: Option<Arc<Folder>>,
        monitor: Monitor,
    ) -> (Vec<Box<dyn Callback>>, usize) {
        let mut list: Vec<Box<dyn Callback>> = vec![Box::new(NanGuard)];
        if self.progress {
            list.push(Box::new(Progress::new()));
        }
        if let Some(folder) = &checkpoints {
            let monitor = monitor.clone();
            list.push(Box::new(Checkpoints::new(folder.clone(), self.checkpoint, monitor, self.checkpoint_every)));
        }
        if let Some(rule) = self.early_stopping.take() {
            list.push(Box::new(rule.watching(monitor)));
        }
        let added = list.len();
        list.append(&mut self.callbacks);
        if let Some(folder) = checkpoints {
            list.push(Box::new(NoteReported(folder)));
        }
        (list, added)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |what: &str| Error::new(ErrorKind::Usage, what);
        self.plan().check()?;
        if self.checkpoint_every == Some(0) {
            return Err(wrong("number of steps between checkpoints is out of range").expected("1 or more").found(0));
        }
        if self.checkpoint == Checkpoint::Off && (self.checkpoint_every.is_some() || self.resume) {
            return Err(wrong("checkpoint_every and resume need checkpoints").help("Add checkpoint(Checkpoint::Last)."));
        }
        self.early_stopping.as_ref().map_or(Ok(()), EarlyStopping::check)
    }
}

impl From<usize> for FitOptions {
    fn from(epochs: usize) -> Self {
        Self::new(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_is_the_same_in_both_notations() {
        let halves = FitOptions::new(200).course();
        assert_eq!(halves, FitOptions::new(100).decay_epochs(100).course());
        assert_eq!(halves, Schedule::ConstantThenLinear { constant: 0.5 });
        let tail = FitOptions::new(30).decay_epochs(10).course();
        assert_eq!(tail, Schedule::ConstantThenLinear { constant: 0.75 });
    }

    /// Created on one thread, used on another.
    #[test]
    fn options_go_to_another_thread() {
        fn sent<T: Send>(value: T) -> T {
            value
        }
        let options = sent(FitOptions::new(7).callback(NanGuard).tensorboard("runs"));
        let epochs = std::thread::spawn(move || options.total_epochs()).join();
        assert_eq!(epochs.ok(), Some(7));
    }

    #[test]
    fn options_show_themselves() {
        let options = FitOptions::new(7).lr(1e-3).callback(NanGuard).callback(NanGuard);
        let shown = format!("{options:?}");
        for part in ["epochs: 7", "lr: Fixed(0.001)", "callbacks: [Callback, Callback]"] {
            assert!(shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        for (options, part) in [
            (FitOptions::new(0), "epochs"),
            (FitOptions::new(1).lr(-1.0), "learning rate"),
            (FitOptions::new(1).lr(f64::NAN), "learning rate"),
            (FitOptions::new(1).schedule(Schedule::ConstantThenLinear { constant: 2.0 }), "share"),
            (FitOptions::new(1).adam(AdamOptions { eps: 0.0, ..Default::default() }), "eps"),
            (FitOptions::new(1).accumulate(0), "batches in an update"),
            (FitOptions::new(1).disc_lr_ratio(0.0), "disc_lr_ratio"),
            (FitOptions::new(1).disc_lr_ratio(f64::INFINITY), "disc_lr_ratio"),
            (FitOptions::new(1).checkpoint_every(5), "Checkpoint::Last"),
            (FitOptions::new(1).checkpoint(Checkpoint::Last).checkpoint_every(0), "between checkpoints"),
            (FitOptions::new(1).early_stopping(EarlyStopping::default().patience(0)), "patience"),
        ] {
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
