//! The training loop for any model.

use std::time::Instant;

use super::callback::{Callback, EndReport, EpochReport, FitReport, Flow, StepReport};
use super::guard::check_metrics;
use super::history::{EpochRecord, History};
use super::memory::MemoryEstimate;
use super::meter::{Meter, Reading};
use super::plan::Plan;
use super::snapshot::Snapshot;
use super::state::{Position, TrainState};
use super::translator::{StepContext, Translator};
use super::validation::{measure, validate};
use crate::dataset::DataBunch;
use crate::device::free_memory;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Metric;
use crate::peers::{self, JointBatch, Peers};

/// On CUDA, losses are read after this many steps, because reading waits for the device.
const STEPS_PER_READING_ON_CUDA: usize = 20;

/// A fit in progress.
pub(super) struct Fit<'a> {
    /// The processes of the fit.
    pub peers: &'a dyn Peers,
    pub model: &'a mut dyn Translator,
    pub data: &'a DataBunch,
    pub history: &'a mut History,
    pub metrics: Vec<Box<dyn Metric>>,
    pub callbacks: Vec<Box<dyn Callback>>,
    /// Index of the first callback that was added, after those of every fit.
    pub added: usize,
    pub plan: Plan,
    pub position: Position,
    pub memory: Option<MemoryEstimate>,
    pub validate_every: usize,
    pub deterministic: bool,
}

/// How an epoch, or the rest of it, ended.
enum EpochOutcome {
    /// At its end, or because a callback wanted to stop.
    With(Flow),
    /// A callback failed after a valid update: nothing needs to be lost.
    Failed(Error),
}

/// A state to roll back to.
struct GoodState {
    state: TrainState,
    epochs: usize,
}

/// Rolls the model back after an epoch that fails or panics.
struct EpochGuard<'a, 'f> {
    fit: &'a mut Fit<'f>,
    /// The state to roll back to; `None` once the epoch is over.
    good_state: Option<&'a GoodState>,
}

impl Drop for EpochGuard<'_, '_> {
    fn drop(&mut self) {
        if let Some(good_state) = self.good_state {
            self.fit.roll_back(good_state);
        }
    }
}

impl<'a> Fit<'a> {
    /// Runs all remaining epochs, between the events that report the start and the end; see [`train`](Self::train).
    pub fn run(&mut self, is_unreported: bool) -> Result<()> {
        let (started, all) = (Instant::now(), self.plan.epochs);
        tracing::info!(
            epochs = all,
            epochs_done = self.position.epochs,
            steps_per_epoch = self.steps_per_epoch(),
            batch_size = self.data.batch_size(),
            lr = self.plan.lr,
            precision = ?self.plan.precision,
            device = ?self.model.torch_device(),
            "fit begins"
        );
        let ended = self.train(is_unreported);
        let (epochs_done, steps, seconds) = (self.position.epochs, self.steps(), started.elapsed().as_secs_f64());
        match &ended {
            Ok(()) if epochs_done < all => tracing::info!(epochs = all, epochs_done, steps, seconds, "fit stopped"),
            Ok(()) => tracing::info!(epochs = all, epochs_done, steps, seconds, "fit ends"),
            Err(error) => tracing::info!(%error, epochs = all, epochs_done, steps, seconds, "fit failed"),
        }
        ended
    }

    /// Runs all remaining epochs. `is_unreported` says that the last epoch was not reported to all callbacks before the
    /// process ended.
    fn train(&mut self, is_unreported: bool) -> Result<()> {
        if let Some(name) = self.model.state().not_finite()? {
            return Err(Error::new(ErrorKind::Usage, format!("{name} holds values that are not finite"))
                .help("The model was already broken; load or build another one."));
        }
        let mut good_state = self.good_state()?;
        let mut flow = self.start()?;
        if peers::any(self.peers, is_unreported)? {
            flow = merged(flow, self.report_epoch(self.added)?);
        }
        while flow == Flow::Continue && self.position.epochs < self.plan.epochs {
            flow = match self.train_epoch_or_roll_back(&good_state)? {
                EpochOutcome::With(flow) => flow,
                EpochOutcome::Failed(error) => return Err(error),
            };
            if self.position.batches < self.steps_per_epoch() {
                break;
            }
            self.position = Position { batches: 0, sums: Vec::new(), seconds: 0.0, ..self.position.clone() };
            self.position.epochs += 1;
            let answer = self.end_epoch().inspect_err(|error| self.roll_back_if_diverged(error, &good_state))?;
            flow = merged(flow, answer);
            // The old copy is dropped before the new one is made: a default model has some 340 MB of state.
            drop(std::mem::take(&mut good_state.state));
            good_state = self.good_state()?;
        }
        self.end().inspect_err(|error| self.roll_back_if_diverged(error, &good_state))
    }

    fn good_state(&self) -> Result<GoodState> {
        let state = self.model.state();
        Ok(GoodState { state: state.copied_to(self.device_of_copy(&state))?, epochs: self.history.epochs().len() })
    }

    /// On CUDA the copy stays on the device if there is plenty of memory: main memory is a hundred times slower.
    fn device_of_copy(&self, state: &TrainState) -> tch::Device {
        const ROOM: u64 = 5;
        let device = self.model.torch_device();
        let fits = || free_memory(device).is_some_and(|free| free / ROOM > state.bytes());
        if device.is_cuda() && fits() { device } else { tch::Device::Cpu }
    }

    /// Restores model and history to the end of the last good epoch.
    fn roll_back(&mut self, good_state: &GoodState) {
        self.history.truncate(good_state.epochs);
        if let Err(error) = self.model.restore(&good_state.state) {
            tracing::warn!(%error, "the model could not be restored to its last good state");
        }
    }

    fn roll_back_if_diverged(&mut self, error: &Error, good_state: &GoodState) {
        if error.kind() == ErrorKind::Diverged {
            self.roll_back(good_state);
        }
    }

    /// Trains an epoch; after an error or a panic, model and history are rolled back.
    fn train_epoch_or_roll_back(&mut self, good_state: &GoodState) -> Result<EpochOutcome> {
        let mut attempt = EpochGuard { fit: self, good_state: Some(good_state) };
        let ended = attempt.fit.train_epoch()?;
        attempt.good_state = None;
        Ok(ended)
    }

    /// Makes one pass over the data, or finishes an interrupted one, and adds its record to the history. If it is
    /// stopped, the position says how far it came.
    fn train_epoch(&mut self) -> Result<EpochOutcome> {
        let started = Instant::now();
        let seconds_before = self.position.seconds;
        let (life, before) = (self.history.epochs().len(), self.history.steps());
        let batches = self.steps_per_epoch();
        let mut meter = Meter::new(self.model.loss_names().len(), self.reading_interval());
        meter.resume(&self.position.sums, self.position.batches);
        let mut lr = 0.0;
        let mut ended = EpochOutcome::With(Flow::Continue);
        for batch in self.data.epoch_of_part(self.peers.part(), life as u64, self.position.batches)? {
            let context = self.context(before);
            lr = context.lr;
            let weight = context.joint.map_or(1.0, |batch| batch.portion().weight());
            meter.add(&self.model.train_step(&batch?, context)?, weight)?;
            self.position.batches += 1;
            if !context.update {
                continue;
            }
            let last = self.position.batches == batches;
            let asked = is_asked_to_stop(&self.callbacks);
            if let Some(Reading { losses, asked }) = meter.read_if_due(last, asked, self.peers)? {
                self.position.sums = meter.sums().to_vec();
                self.position.seconds = seconds_before + started.elapsed().as_secs_f64();
                ended = match self.report_step(lr, last, before, &losses) {
                    Ok(flow) => EpochOutcome::With(if asked { Flow::Stop } else { flow }),
                    Err(error) if error.kind() == ErrorKind::Diverged => return Err(error),
                    Err(error) => EpochOutcome::Failed(error),
                };
            }
            if !matches!(ended, EpochOutcome::With(Flow::Continue)) {
                break;
            }
        }
        let (steps, seconds) = (self.position.batches as u64, self.position.seconds);
        let (precision, lr_found) = (Some(self.plan.precision), self.plan.lr_found());
        let record = EpochRecord::new(life + 1, lr, meter.mean(), steps, seconds);
        self.history.push(EpochRecord { precision, lr_found, ..record });
        Ok(ended)
    }

    /// Returns the context of the next step; `before` steps were made before this epoch.
    fn context(&self, before: u64) -> StepContext<'a> {
        let steps = self.plan.epochs.saturating_mul(self.steps_per_epoch());
        let (lr, adam) = self.plan.rate(self.steps(), steps);
        let (part, batch) = (self.peers.part(), self.position.batches);
        let accumulation_step = self.plan.accumulation_step(batch, self.data, part);
        let joint =
            (!self.peers.is_alone()).then(|| JointBatch::new(self.peers, self.data.portion(part, batch).images));
        StepContext {
            progress: self.steps() as f64 / steps.max(1) as f64,
            disc_lr_ratio: self.plan.disc_lr_ratio,
            precision: self.plan.precision,
            deterministic: self.deterministic,
            share: accumulation_step.share,
            update: accumulation_step.update,
            joint,
            ..StepContext::new(lr, adam, before + self.position.batches as u64)
        }
    }

    /// Returns the steps made in this fit.
    fn steps(&self) -> usize {
        self.position.epochs * self.steps_per_epoch() + self.position.batches
    }

    /// Returns the steps of an epoch, which all processes make together.
    fn steps_per_epoch(&self) -> usize {
        self.data.steps_per_epoch(self.peers.part())
    }

    fn reading_interval(&self) -> usize {
        if self.model.torch_device().is_cuda() { STEPS_PER_READING_ON_CUDA } else { 1 }
    }

    fn start(&mut self) -> Result<Flow> {
        let report = FitReport {
            epochs: self.plan.epochs,
            steps_per_epoch: self.steps_per_epoch(),
            epochs_done: self.position.epochs,
            steps_done: self.steps(),
            lr: self.plan.lr,
            lr_found: self.plan.lr_found(),
            memory: self.memory,
            history: self.history,
            model: &*self.model,
            data: self.data,
        };
        tell(self.peers, &mut self.callbacks, |c| c.on_fit_start(&report))
    }

    fn report_step(&mut self, lr: f64, last: bool, before: u64, losses: &[f64]) -> Result<Flow> {
        let steps = self.steps();
        let Self { peers, model, data, history, callbacks, plan, position, .. } = self;
        let snapshot = Snapshot { model: &**model, data, history, plan, position, part: peers.part() };
        let report = StepReport {
            epoch: position.epochs + 1,
            steps,
            steps_in_life: before + position.batches as u64,
            last_of_epoch: last,
            lr,
            names: history.names(),
            losses,
            snapshot,
        };
        tell(*peers, callbacks, |c| c.on_step(&report))
    }

    /// Validates, and reports the epoch to all callbacks.
    fn end_epoch(&mut self) -> Result<Flow> {
        let epoch = self.position.epochs;
        let due = self.validate_every > 0 && (epoch.is_multiple_of(self.validate_every) || epoch == self.plan.epochs);
        if due && self.data.valid_batches() > 0 {
            self.validate()?;
        }
        self.report_epoch(0)
    }

    /// Records the model's own metrics and those that were added.
    fn validate(&mut self) -> Result<()> {
        if let Some(means) = validate(&*self.model, self.data, self.plan.precision, self.peers)? {
            check_metrics(self.model.metric_names(), &means, self.position.epochs)?;
            for (name, mean) in self.model.metric_names().iter().zip(means) {
                self.history.set_last_metric(name, Some(mean));
            }
        }
        for (name, value) in self.measure()? {
            self.history.set_last_metric(&name, value);
        }
        Ok(())
    }

    /// Measures the added metrics in the first process; all processes record the results.
    fn measure(&mut self) -> Result<Vec<(String, Option<f64>)>> {
        let leads = self.peers.part().leads();
        if self.peers.part().is_whole() || self.metrics.is_empty() {
            return measure(&*self.model, self.data, &mut self.metrics);
        }
        let own = if leads { measure(&*self.model, self.data, &mut self.metrics) } else { Ok(Vec::new()) };
        let unsound = |e| Error::new(ErrorKind::Format, "metrics of the first process cannot be sent").because(e);
        let said = peers::in_turn(self.peers, own.and_then(|own| serde_json::to_vec(&own).map_err(unsound)))?;
        serde_json::from_slice(&said[0]).map_err(unsound)
    }

    /// Reports the last epoch to all callbacks from this one on.
    fn report_epoch(&mut self, first: usize) -> Result<Flow> {
        let Self { peers, model, data, history, callbacks, plan, position, .. } = self;
        let epoch = position.epochs;
        let Some(record) = history.epochs().last() else {
            return Ok(Flow::Continue);
        };
        let snapshot = Snapshot { model: &**model, data, history, plan, position, part: peers.part() };
        let report = EpochReport { epoch, record, history, model: &**model, data, snapshot };
        tell(*peers, &mut callbacks[first..], |c| c.on_epoch_end(&report))
    }

    fn end(&mut self) -> Result<()> {
        let Self { peers, model, data, history, callbacks, plan, position, .. } = self;
        let snapshot = Snapshot { model: &**model, data, history, plan, position, part: peers.part() };
        let report = EndReport { history, model: &**model, data, snapshot };
        tell(*peers, callbacks, |c| c.on_fit_end(&report).map(|()| Flow::Continue)).map(drop)
    }
}

fn merged(first: Flow, second: Flow) -> Flow {
    if first == Flow::Stop { first } else { second }
}

fn is_asked_to_stop(callbacks: &[Box<dyn Callback>]) -> bool {
    callbacks.iter().any(|callback| callback.wants_to_stop())
}

/// Calls the callbacks of the first process, and does what they say in all processes. Callbacks of other processes are
/// not called, because they would write the same files, but any of them may have been asked to stop.
fn tell(
    peers: &dyn Peers,
    callbacks: &mut [Box<dyn Callback>],
    ask: impl FnMut(&mut dyn Callback) -> Result<Flow>,
) -> Result<Flow> {
    if peers.part().is_whole() {
        return ask_all(callbacks, ask);
    }
    let own = match peers.part().leads() {
        true => ask_all(callbacks, ask),
        false if is_asked_to_stop(callbacks) => Ok(Flow::Stop),
        false => Ok(Flow::Continue),
    };
    let said = peers::in_turn(peers, own.map(|flow| vec![u8::from(flow == Flow::Stop)]))?;
    Ok(if said.iter().any(|said| said.as_slice() == [1]) { Flow::Stop } else { Flow::Continue })
}

/// Asks every callback, even after one has said stop.
fn ask_all(
    callbacks: &mut [Box<dyn Callback>],
    mut ask: impl FnMut(&mut dyn Callback) -> Result<Flow>,
) -> Result<Flow> {
    callbacks.iter_mut().try_fold(Flow::Continue, |flow, callback| Ok(merged(flow, ask(callback.as_mut())?)))
}
