//! The loop over any model.

use std::time::Instant;

use tch::{Kind, Tensor};

use super::callback::{Callback, EpochReport, FitReport, Flow, StepReport};
use super::history::{EpochRecord, History};
use super::options::FitOptions;
use super::translator::{StepContext, TrainState, Translator};
use crate::dataset::DataBunch;
use crate::error::{Error, ErrorKind, Result};

/// On CUDA losses are read every so many steps: reading waits for the device.
const STEPS_PER_READING_ON_CUDA: usize = 20;

/// Trains any [`Translator`] and adds to `history`, which tells how long it was trained before: order, augmentation and
/// random streams go on from there. [`CycleGan::fit`](crate::CycleGan::fit) calls this; a model of your own needs it.
///
/// ```
/// use geolearn::{DataBunch, FitOptions, History, Result, Translator, fit};
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
/// were, or to where the fit began. So it is after an error of the data, of libtorch or of a callback's `on_step`.
pub fn fit(model: &mut dyn Translator, data: &DataBunch, mut options: FitOptions, history: &mut History) -> Result<()> {
    options.check()?;
    history.set_names(model.loss_names());
    let callbacks = options.take_callbacks();
    let mut fit = Fit { model, data, history, callbacks, options, steps: 0 };
    fit.run()
}

struct Fit<'a> {
    model: &'a mut dyn Translator,
    data: &'a DataBunch,
    history: &'a mut History,
    callbacks: Vec<Box<dyn Callback>>,
    options: FitOptions,
    /// Steps made in this fit.
    steps: usize,
}

impl Fit<'_> {
    fn run(&mut self) -> Result<()> {
        let report = FitReport { epochs: self.options.total_epochs(), steps_per_epoch: self.data.batches_per_epoch() };
        if let Some(name) = self.model.state().not_finite()? {
            return Err(Error::new(ErrorKind::Usage, format!("{name} holds values that are not finite"))
                .help("The model was spoilt before; load or build a sound one."));
        }
        let mut good = self.model.state().copied()?;
        self.callbacks.iter_mut().try_for_each(|c| c.on_fit_start(&report))?;
        for epoch in 1..=report.epochs {
            let before = self.history.epochs().len();
            let flow = self.epoch(epoch).and_then(|flow| self.check_weights(epoch).map(|()| flow));
            let flow = flow.inspect_err(|_| self.put_back(&good, before))?;
            // The old copy goes before the new one is made: a default model has some 340 MB of state.
            drop(std::mem::take(&mut good));
            good = self.model.state().copied()?;
            if self.end_epoch(epoch)? == Flow::Stop || flow == Flow::Stop {
                break;
            }
        }
        self.callbacks.iter_mut().try_for_each(|c| c.on_fit_end(self.history))
    }

    /// The last step may have spoilt weights of which no loss has told yet.
    fn check_weights(&self, epoch: usize) -> Result<()> {
        match self.model.state().not_finite()? {
            Some(name) => Err(diverged(epoch, "at its end").expected(format!("finite values in {name}"))),
            None => Ok(()),
        }
    }

    /// After an error within an epoch: model and history as they were at the end of the one before.
    fn put_back(&mut self, good: &TrainState, epochs: usize) {
        self.history.truncate(epochs);
        if let Err(error) = self.model.restore(good) {
            tracing::warn!(%error, "the model could not be put back to its last good state");
        }
    }

    /// One pass over the data; adds its record to the history.
    fn epoch(&mut self, epoch: usize) -> Result<Flow> {
        let started = Instant::now();
        let life = self.history.epochs().len();
        let before = self.history.steps();
        let mut meter = Meter::new(self.model.loss_names().len(), self.reading_interval());
        let mut flow = Flow::Continue;
        let mut context = self.context(before);
        let steps_per_epoch = self.data.batches_per_epoch();
        for (index, batch) in self.data.epoch(life as u64)?.enumerate() {
            context = self.context(before + index as u64);
            meter.add(&self.model.train_step(&batch?, context)?)?;
            self.steps += 1;
            if let Some(losses) = meter.read_if_due(index + 1 == steps_per_epoch)? {
                self.guard(&losses, epoch, index + 1)?;
                flow = self.report_step(epoch, context.lr, &losses)?;
            }
            if flow == Flow::Stop {
                break;
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        let (losses, steps) = meter.mean();
        self.history.push(EpochRecord { epoch: life + 1, lr: context.lr, losses, steps, seconds });
        Ok(flow)
    }

    fn context(&self, step: u64) -> StepContext {
        let total = self.options.total_epochs().saturating_mul(self.data.batches_per_epoch()).max(1);
        let factor = self.options.course().factor(self.steps as f64 / total as f64);
        StepContext { lr: self.options.lr * factor, adam: self.options.adam, step }
    }

    fn reading_interval(&self) -> usize {
        if self.model.torch_device().is_cuda() { STEPS_PER_READING_ON_CUDA } else { 1 }
    }

    /// Stops at the first loss that is not finite.
    fn guard(&self, losses: &[f64], epoch: usize, step: usize) -> Result<()> {
        let Some((i, loss)) = losses.iter().enumerate().find(|(_, loss)| !loss.is_finite()) else {
            return Ok(());
        };
        let name = self.history.names().get(i).map_or("?", String::as_str);
        Err(diverged(epoch, &format!("step {step}")).expected(format!("a finite {name} loss")).found(loss))
    }

    fn report_step(&mut self, epoch: usize, lr: f64, losses: &[f64]) -> Result<Flow> {
        let names = self.history.names();
        let report = StepReport { epoch, steps: self.steps, lr, names, losses };
        ask_all(&mut self.callbacks, |c| c.on_step(&report))
    }

    fn end_epoch(&mut self, epoch: usize) -> Result<Flow> {
        let Some(record) = self.history.epochs().last() else {
            return Ok(Flow::Continue);
        };
        let report = EpochReport { epoch, record, history: self.history, model: &*self.model, data: self.data };
        ask_all(&mut self.callbacks, |c| c.on_epoch_end(&report))
    }
}

fn diverged(epoch: usize, place: &str) -> Error {
    let back = if epoch == 1 { "where this fit began".into() } else { format!("the end of epoch {}", epoch - 1) };
    Error::new(ErrorKind::Diverged, format!("training diverged in epoch {epoch}, {place}")).help(format!(
        "The model was put back to {back}. Lower the learning rate, or look for chips with extreme values."
    ))
}

/// Asks every callback, also after one has said stop.
fn ask_all(
    callbacks: &mut [Box<dyn Callback>],
    mut ask: impl FnMut(&mut dyn Callback) -> Result<Flow>,
) -> Result<Flow> {
    callbacks.iter_mut().try_fold(Flow::Continue, |flow, callback| {
        let answer = ask(callback.as_mut())?;
        Ok(if flow == Flow::Stop { flow } else { answer })
    })
}

/// Sums losses on their device and reads the sums now and then.
struct Meter {
    window: Option<Tensor>,
    pending: usize,
    interval: usize,
    total: Vec<f64>,
    steps: u64,
}

impl Meter {
    fn new(losses: usize, interval: usize) -> Self {
        Self { window: None, pending: 0, interval, total: vec![0.0; losses], steps: 0 }
    }

    fn add(&mut self, losses: &Tensor) -> Result<()> {
        let losses = losses.f_detach()?.f_to_kind(Kind::Double)?;
        self.window = Some(match self.window.take() {
            Some(sum) => sum.f_add(&losses)?,
            None => losses,
        });
        self.pending += 1;
        Ok(())
    }

    /// The means since the last reading, when the interval is over or `last` says that nothing will follow.
    fn read_if_due(&mut self, last: bool) -> Result<Option<Vec<f64>>> {
        if self.pending == 0 || (self.pending < self.interval && !last) {
            return Ok(None);
        }
        let Some(window) = self.window.take() else {
            return Ok(None);
        };
        let sums = Vec::<f64>::try_from(window)?;
        let n = std::mem::take(&mut self.pending);
        self.total.iter_mut().zip(&sums).for_each(|(total, sum)| *total += sum);
        self.steps += n as u64;
        Ok(Some(sums.iter().map(|sum| sum / n as f64).collect()))
    }

    fn mean(&self) -> (Vec<f64>, u64) {
        (self.total.iter().map(|sum| sum / self.steps.max(1) as f64).collect(), self.steps)
    }
}
