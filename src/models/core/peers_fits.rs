//! Fits in several simulated processes (threads), compared with a fit in one, for tests of any kind of model.

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::model::Model;
use crate::dataset::{Batch, DataBunch, Domain};
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::{Parameters, copied};
use crate::peers::{Alone, Peers};
use crate::testing::{Tolerance, crew_with};
use crate::train::{FitOptions, History, StepContext, TrainState, Translator, fit};

pub(crate) const SAME_BITS: Tolerance = Tolerance::abs(0.0);

/// A model in f64, so that rounding cannot hide an error.
struct Exact<M>(M);

fn exact(batch: &Batch) -> [Tensor; 2] {
    [&batch.a, &batch.b].map(|chips| chips.to_kind(Kind::Double))
}

impl<M: Model> Translator for Exact<M> {
    fn loss_names(&self) -> &'static [&'static str] {
        M::LOSS_NAMES
    }

    fn train_step(&mut self, batch: &Batch, context: StepContext<'_>) -> Result<Tensor> {
        let [a, b] = exact(batch);
        self.0.train_step((&a, &b), context)
    }

    fn metric_names(&self) -> &'static [&'static str] {
        M::METRIC_NAMES
    }

    fn validate(&self, batch: &Batch, _: Precision) -> Result<Tensor> {
        let [a, b] = exact(batch);
        self.0.validate((&a, &b))
    }

    fn targets(&self) -> &'static [Domain] {
        M::TARGETS
    }

    fn translate(&self, images: &Tensor, to: Domain) -> Result<Tensor> {
        tch::no_grad(|| self.0.generator(to).forward(&images.to_kind(Kind::Double)))
    }

    fn torch_device(&self) -> Device {
        Device::Cpu
    }

    fn state(&self) -> TrainState {
        TrainState::new(self.0.state())
    }

    fn restore(&mut self, state: &TrainState) -> Result<()> {
        self.0.restore(&state.tensors)
    }

    fn configuration(&self) -> Result<Value> {
        serde_json::to_value(self.0.config()).map_err(|e| Error::new(ErrorKind::Format, "no JSON").because(e))
    }
}

/// The result of a fit: everything that training changes, and the history.
pub(crate) struct FitResult(pub Parameters, pub History);

/// A fit under test: how a process creates its model in f64 on the CPU, and its data with a given batch size.
pub(crate) struct PeerFit<'a, M> {
    pub model: &'a (dyn Fn() -> M + Sync),
    pub data: &'a (dyn Fn(usize) -> DataBunch + Sync),
}

impl<M: Model> PeerFit<'_, M> {
    /// Runs the fit of this process with `size` chips a step.
    pub fn fit(&self, size: usize, options: FitOptions) -> FitResult {
        let (mut model, mut history) = (Exact((self.model)()), History::default());
        model.0.begin_training().unwrap();
        fit(&mut model, &(self.data)(size), options, &mut history).unwrap();
        let copy = |(name, tensor): (String, Tensor)| (name, copied(&tensor, Device::Cpu).unwrap());
        FitResult(model.state().tensors.into_iter().map(copy).collect(), history)
    }

    /// Runs one fit in `count` processes with `size` chips each.
    pub fn together(
        &self,
        (count, size): (usize, usize),
        options: impl Fn(usize) -> FitOptions + Sync,
    ) -> Vec<FitResult> {
        match count {
            1 => vec![self.fit(size, options(0).peers(Alone))],
            _ => crew_with(count, |member| {
                let options = options(member.part().rank);
                self.fit(size, options.peers(member))
            }),
        }
    }
}

/// Compares each value of the state and of the history.
pub(crate) fn check<M: Model>(what: &str, tolerance: Tolerance, found: &FitResult, expected: &FitResult) {
    let names = |left: &FitResult| left.0.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{what}");
    for ((name, found), (_, expected)) in found.0.iter().zip(&expected.0) {
        tolerance.tensor(&format!("{what}: {name}"), found, expected);
    }
    for name in M::LOSS_NAMES.iter().chain(M::METRIC_NAMES) {
        let (found, expected) = (found.1.losses(name).unwrap(), expected.1.losses(name).unwrap());
        assert_eq!(found.len(), expected.len(), "{what}: {name}");
        found.iter().zip(expected).for_each(|(found, expected)| tolerance.number(name, *found, expected));
    }
}
