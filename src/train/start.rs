//! The start of a fit: checks, and the checkpoint to resume from, before the trainer takes over.

use std::sync::Arc;
use std::thread;

use super::agreement::check_agreement;
use super::checkpoint::{self, Contents, Folder};
use super::found_rate::{self, RateSearch};
use super::history::History;
use super::memory::{IF_THE_ESTIMATE_IS_WRONG, advise};
use super::monitor::{Monitor, NO_VALIDATION};
use super::options::FitOptions;
use super::plan::Plan;
use super::state::Position;
use super::trainer::Fit;
use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::check_columns;
use crate::peers::{Alone, Part, Peers};

/// Trains any [`Translator`] and appends to `history`, which says how long it was trained before: order, augmentation
/// and random streams continue from there. Returns the record of this fit alone.
/// [`CycleGan::fit`](crate::CycleGan::fit) calls this function, and models of your own can, too.
///
/// ```
/// use geolearn::train::{History, Translator, fit};
/// use geolearn::{DataBunch, FitOptions, Result};
///
/// fn train(model: &mut dyn Translator, data: &DataBunch) -> Result<History> {
///     let mut history = History::default();
///     fit(model, data, FitOptions::new(20), &mut history)?;
///     Ok(history)
/// }
/// ```
///
/// # Errors
/// `Diverged` if a loss is no longer finite: the model is restored to the end of the last epoch with finite losses, or
/// to the start of the fit. The same happens after an error of the data or of libtorch; after an error of a callback
/// the model stays as it is. `Limits` if memory is not sufficient: before the fit starts if the model's
/// [`memory_need`](Translator::memory_need) exceeds the free memory, later if libtorch cannot allocate more. `Usage` or
/// `Format` if the fit cannot be resumed from a checkpoint, `Io` if one cannot be written; the model in memory then
/// stays as it is. The same is true if a learning rate is to be [found](super::LearningRate::Find): `Usage` if the
/// sweep suggests none, `Stopped` if a callback wants to stop it.
pub fn fit(
    model: &mut dyn Translator,
    data: &DataBunch,
    mut options: FitOptions,
    history: &mut History,
) -> Result<History> {
    let peers = std::mem::replace(&mut options.peers, Box::new(Alone));
    let _panic = PanicNotice(&*peers);
    fit_with_peers(&*peers, model, data, options, history).inspect_err(|error| peers.leave(error))
}

/// Tells the other processes if this one panics, so that they do not wait for it.
struct PanicNotice<'a>(&'a dyn Peers);

impl Drop for PanicNotice<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.leave(&Error::new(ErrorKind::Callback, "the process panicked"));
        }
    }
}

/// Trains together with other processes, which all call this.
fn fit_with_peers(
    peers: &dyn Peers,
    model: &mut dyn Translator,
    data: &DataBunch,
    mut options: FitOptions,
    history: &mut History,
) -> Result<History> {
    options.check()?;
    let device = model.torch_device();
    let asked = options.plan();
    let plan = Plan { precision: asked.precision.on(device)?, ..asked.clone() };
    plan.precision.log_fallback(device);
    let memory = model.memory_need(data, plan.precision, plan.accumulate);
    if let Some(estimate) = memory.filter(|_| options.check_memory) {
        estimate.check(device, data.batch_size(), IF_THE_ESTIMATE_IS_WRONG)?;
    }
    let monitor = monitor(model, data, &mut options)?;
    let (columns, part) = (options.metric_columns(), peers.part());
    check_agreement(peers, model, data, (&options, &plan), history)?;
    // Before files are moved or the model changes.
    let mut metrics = std::mem::take(&mut options.metrics);
    let folder = match part.leads() {
        true => {
            metrics.iter_mut().try_for_each(|metric| metric.start(data))?;
            options.open_checkpoints(data.working_dir())?.map(Arc::new)
        }
        false => None,
    };
    let resumed = if options.resume { newest(peers, folder.as_deref())? } else { None };
    let plan = match &resumed {
        Some(contents) => found_rate::with_rate_of_checkpoint(plan, contents)?,
        None if plan.is_to_be_found() => Plan { lr: search(peers, model, data, (&options, &plan), history)?, ..plan },
        None => plan,
    };
    let asked = Plan { lr: plan.lr, is_lr_found: plan.is_lr_found, ..asked };
    let (position, is_unreported) = starting_point(model, data, (&asked, part), (resumed, folder.as_deref()), history)?;
    let metric_names = model.metric_names().iter().copied().chain(columns.iter().map(|column| column.name.as_str()));
    history.set_names(model.loss_names(), metric_names);
    let (callbacks, added) = options.take_callbacks(folder, monitor);
    let first_epoch = position.first_epoch;
    let (validate_every, deterministic) = (options.validate_every, options.deterministic);
    let data = &data.for_device(device);
    let mut fit = Fit {
        peers,
        model,
        data,
        history,
        metrics,
        callbacks,
        added,
        plan,
        position,
        memory,
        validate_every,
        deterministic,
    };
    fit.run(is_unreported).map_err(|error| advise(error, device, data.batch_size()))?;
    Ok(history.since(first_epoch))
}

/// Finds the learning rate of a fit with a sweep.
fn search(
    peers: &dyn Peers,
    model: &mut dyn Translator,
    data: &DataBunch,
    (options, plan): (&FitOptions, &Plan),
    history: &History,
) -> Result<f64> {
    let search = RateSearch {
        peers,
        plan,
        deterministic: options.deterministic,
        progress: options.shows_progress(),
        steps_in_life: history.steps(),
        callbacks: options.added_callbacks(),
    };
    search.run(model, data)
}

/// Returns where a fit starts, and whether callbacks have yet to be called for the epoch before; the model is set to
/// that state.
fn starting_point(
    model: &mut dyn Translator,
    data: &DataBunch,
    asked: (&Plan, Part),
    (resumed, folder): (Option<Contents>, Option<&Folder>),
    history: &mut History,
) -> Result<(Position, bool)> {
    let Some(contents) = resumed else {
        folder.map_or(Ok(()), Folder::set_aside)?;
        return Ok((Position { first_epoch: history.epochs().len(), ..Position::default() }, false));
    };
    let position = restore_checkpoint(model, data, asked, &contents, history)?;
    let was_reported = |folder: &Folder| folder.reported() == Some(position.epochs_in_life());
    let is_unreported = position.batches == 0 && folder.is_some_and(|folder| !was_reported(folder));
    Ok((position, is_unreported))
}

/// Finds the monitor, and adds its metric if it is one of this crate's.
fn monitor(model: &dyn Translator, data: &DataBunch, options: &mut FitOptions) -> Result<Monitor> {
    let is_validated = data.valid_batches() > 0 && options.validate_every > 0;
    if is_validated {
        options.add_monitored_metric(model.torch_device())?;
    }
    options.metrics.iter_mut().for_each(|metric| metric.aim(model.targets()));
    let columns = options.metric_columns();
    if !is_validated && !columns.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "metrics were added, but nothing is validated").help(NO_VALIDATION));
    }
    check_columns(model.loss_names().iter().chain(model.metric_names()).copied(), &columns)?;
    let monitor = Monitor::find(options.asked_monitor(), model, &columns, is_validated)?;
    if options.is_monitored() && monitor.name.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "the model has no loss and no metric to monitor"));
    }
    Ok(monitor)
}

/// Returns the newest checkpoint in the first process's folder, if there is one, to all processes: they need not share
/// a disk.
fn newest(peers: &dyn Peers, folder: Option<&Folder>) -> Result<Option<Contents>> {
    let found = folder.map_or(Ok(None), Folder::newest)?;
    if peers.part().leads() {
        let (bytes, contents) = found.unzip();
        if !peers.part().is_whole() {
            peers.broadcast(bytes.unwrap_or_default())?;
        }
        return Ok(contents);
    }
    let bytes = peers.broadcast(Vec::new())?;
    if bytes.is_empty() { Ok(None) } else { checkpoint::parse(&bytes).map(Some) }
}

/// Restores model and history from the checkpoint; nothing changes if it does not match.
fn restore_checkpoint(
    model: &mut dyn Translator,
    data: &DataBunch,
    (plan, part): (&Plan, Part),
    contents: &Contents,
    history: &mut History,
) -> Result<Position> {
    let kept = contents.plan().precision;
    // Another device may use another precision by default; only an explicit choice must be the same.
    let precision = match plan.precision {
        Precision::Auto if kept != Precision::Bf16 => kept,
        asked => asked.on(model.torch_device())?,
    };
    contents.check(&model.configuration()?, data, &Plan { precision, ..plan.clone() }, part)?;
    contents.check_position(model.loss_names(), data.steps_per_epoch(part))?;
    contents.check_history(history)?;
    model.restore(contents.state())?;
    *history = contents.history().clone();
    Ok(contents.position().clone())
}
