//! The beginning of a fit: what is checked and where it goes on from, before the trainer takes over.

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

/// Trains any [`Translator`] and adds to `history`, which tells how long it was trained before: order, augmentation and
/// random streams go on from there. Gives the record of this fit alone. [`CycleGan::fit`](crate::CycleGan::fit) calls
/// this; a model of your own needs it.
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
/// `Diverged` when a loss is no longer finite: the model is put back to the end of the last epoch whose losses
/// were, or to where the fit began. So it is after an error of the data or of libtorch; after one of a callback it
/// stays as it is.
/// `Limits` when memory is not enough: before the fit begins when the model's
/// [`memory_need`](Translator::memory_need) is more than is free, later when libtorch can get no more.
/// `Usage` or `Format` when a checkpoint cannot be gone on from, `Io` when one cannot be written; the model in memory
/// then stays as it is. So it does where a learning rate is to be [found](super::LearningRate::Find): `Usage` when the sweep
/// suggests none, `Stopped` when a callback wants to stop it.
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

/// Lets no other process wait for one that panics.
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

/// Finds the learning rate of a fit by a sweep.
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

/// Finds where a fit begins, and whether callbacks have yet to be told of the epoch before; the model goes there.
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

/// Finds what is monitored, and adds the metric that measures it where it is one of this crate's.
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

/// The newest checkpoint of the first process's folder, where there is one, for all processes: they need not share a disk.
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

/// Puts model and history where the checkpoint was written; nothing changes when it does not fit.
fn restore_checkpoint(
    model: &mut dyn Translator,
    data: &DataBunch,
    (plan, part): (&Plan, Part),
    contents: &Contents,
    history: &mut History,
) -> Result<Position> {
    let kept = contents.plan().precision;
    // Another device may compute in another precision by default; only a choice must be the same.
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
