//! Training steps as CUDA graphs: each half of a step is recorded once and then replayed with one call, which saves
//! thousands of kernel launches.
//!
//! A step can be recorded if its work is fixed: the same image sizes, precision and loss weights as before, and no
//! random numbers of the CPU. Any other step runs as usual, and so do all steps once a recording has failed.

use std::sync::OnceLock;
use std::thread::{self, ThreadId};

use tch::{Device, Kind, Tensor};

use super::config::CycleGanConfig;
use super::halves::HalfStep;
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, CudaGraph, SideStream};
use crate::loss::DiffAugment;
use crate::nn::copied;
use crate::train::StepContext;

/// Number of steps of one kind before recording: cuDNN chooses its kernels in the first. The last of them runs on the
/// stream that is recorded, with inputs laid out as in the recording.
const WARM_UP: u32 = 3;
/// The environment variable that turns graphs off or on.
const SWITCH: &str = "GEOLEARN_CUDA_GRAPHS";

/// What is fixed in a recording, besides what never changes in a model. Weights, moments and images are read where they
/// are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StepKind {
    images: [(Vec<i64>, Kind); 2],
    precision: Precision,
    deterministic: bool,
    share: f64,
}

impl StepKind {
    /// Returns `None` for a step that differs from all others.
    pub fn of(config: &CycleGanConfig, real: [&Tensor; 2], context: &StepContext<'_>) -> Option<Self> {
        let weights_change = config.cycle_weight_end.is_some();
        let is_random = config.diff_augment != DiffAugment::default();
        // The vectors of spectral norms change outside of the halves; steps with them have never been recorded.
        if weights_change || is_random || config.spectral_norm {
            return None;
        }
        let images = real.map(|images| (images.size(), images.kind()));
        let StepContext { precision, share, .. } = *context;
        Some(Self { images, precision, deterministic: ffi::is_deterministic(), share })
    }
}

/// How a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunMode {
    /// Kernel by kernel.
    Eager,
    /// Kernel by kernel, on the stream that will be recorded.
    WarmUp,
    /// Recorded now, then replayed.
    Record,
    Replay,
}

/// Decides how each step runs.
#[derive(Debug, Default)]
struct Plan {
    recorded: Option<StepKind>,
    /// The last kind of step that is not recorded, its thread (cuDNN's choices belong to a thread), and its number of
    /// repetitions.
    waiting: Option<(StepKind, ThreadId, u32)>,
}

impl Plan {
    fn next(&mut self, kind: Option<StepKind>, thread: ThreadId) -> RunMode {
        let Some(kind) = kind else { return RunMode::Eager };
        if self.recorded.as_ref() == Some(&kind) {
            self.waiting = None;
            return RunMode::Replay;
        }
        let before = self.waiting.take().filter(|(other, on, _)| (other, *on) == (&kind, thread));
        let count = before.map_or(0, |(_, _, count)| count) + 1;
        if count > WARM_UP {
            self.recorded = Some(kind);
            return RunMode::Record;
        }
        self.waiting = Some((kind, thread, count));
        if count == WARM_UP { RunMode::WarmUp } else { RunMode::Eager }
    }
}

/// Which half of a step.
#[derive(Debug, Clone, Copy)]
pub(super) enum Half {
    Generators = 0,
    Discriminators = 1,
}

/// A recorded half of a step.
#[derive(Debug)]
struct Recorded {
    graph: CudaGraph,
    inputs: Vec<Tensor>,
    outputs: HalfStep,
}

/// The recordings of a model's training steps.
#[derive(Debug)]
pub(super) struct Graphs {
    on: bool,
    plan: Plan,
    mode: RunMode,
    /// Whether gradients are needed after the step.
    keeps: bool,
    /// Whether the last step was replayed.
    used: bool,
    /// Why nothing is recorded any more.
    failure: Option<String>,
    stream: Option<SideStream>,
    halves: [Option<Recorded>; 2],
}

impl Graphs {
    pub fn new(on: bool) -> Self {
        let (plan, mode) = (Plan::default(), RunMode::Eager);
        Self { on, plan, mode, keeps: false, used: false, failure: None, stream: None, halves: [None, None] }
    }

    /// Reads the environment variable `GEOLEARN_CUDA_GRAPHS`: 1 is on, 0 is off. On by default.
    pub fn by_environment() -> Self {
        static ON: OnceLock<bool> = OnceLock::new();
        Self::new(*ON.get_or_init(|| ffi::is_switched_on(SWITCH, true)))
    }

    /// Returns whether the last step was replayed.
    pub fn are_used(&self) -> bool {
        self.used
    }

    /// Returns why steps are no longer recorded, if recording has failed.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Drops the recordings, because memory or the set of trained parameters may have changed.
    pub fn clear(&mut self) {
        // Another stream would have its own workspaces, which libtorch never frees.
        let stream = self.stream.take();
        *self = Self { used: self.used, failure: self.failure.take(), stream, ..Self::new(self.on) };
    }

    /// Starts a step of this kind. `keeps` says whether its gradients are needed after it.
    pub fn begin(&mut self, device: Device, kind: Option<StepKind>, keeps: bool) {
        self.mode =
            if self.on && device.is_cuda() { self.plan.next(kind, thread::current().id()) } else { RunMode::Eager };
        self.keeps = keeps;
        self.used = matches!(self.mode, RunMode::Record | RunMode::Replay);
        if self.mode == RunMode::Record {
            self.halves = [None, None];
        }
    }

    /// Runs a half of the current step. Its results are valid until the step ends, and gradients for longer if they are
    /// kept.
    pub fn run<const N: usize>(
        &mut self,
        half: Half,
        inputs: [&Tensor; N],
        work: impl Fn([&Tensor; N]) -> Result<HalfStep>,
    ) -> Result<HalfStep> {
        match self.attempt(half, inputs, &work) {
            Ok(made) => Ok(made),
            Err(error) if self.may_be_the_cause(&error) => {
                self.clear();
                // If it fails again, the recordings were not the cause.
                let made = work(inputs)?;
                tracing::warn!(%error, "training goes on without CUDA graphs");
                self.failure = Some(error.to_string());
                self.on = false;
                Ok(made)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns whether the half may succeed without recordings: nothing has changed yet.
    fn may_be_the_cause(&self, error: &Error) -> bool {
        match self.mode {
            RunMode::Eager => error.kind() == ErrorKind::Limits && self.halves.iter().any(Option::is_some),
            RunMode::WarmUp | RunMode::Record | RunMode::Replay => true,
        }
    }

    fn attempt<const N: usize>(
        &mut self,
        half: Half,
        inputs: [&Tensor; N],
        work: &impl Fn([&Tensor; N]) -> Result<HalfStep>,
    ) -> Result<HalfStep> {
        match self.mode {
            RunMode::Eager => work(inputs),
            RunMode::WarmUp => {
                let own = copies(&inputs)?;
                self.stream(inputs[0].device())?.run(|| work(std::array::from_fn(|i| &own[i])))
            }
            RunMode::Record | RunMode::Replay => {
                if self.halves[half as usize].is_none() {
                    self.halves[half as usize] = Some(self.record(&inputs, work)?);
                }
                let keeps = self.keeps;
                let recorded = self.halves[half as usize].as_mut();
                recorded.ok_or_else(|| Error::new(ErrorKind::Torch, "nothing was recorded"))?.replay(&inputs, keeps)
            }
        }
    }

    fn stream(&mut self, device: Device) -> Result<&SideStream> {
        let stream = self.stream.take().map_or_else(|| SideStream::new(device), Ok)?;
        Ok(self.stream.insert(stream))
    }

    fn record<const N: usize>(
        &mut self,
        inputs: &[&Tensor; N],
        work: &impl Fn([&Tensor; N]) -> Result<HalfStep>,
    ) -> Result<Recorded> {
        let own = copies(inputs)?;
        self.stream(inputs[0].device())?;
        let stream = self.stream.as_ref().ok_or_else(|| Error::new(ErrorKind::Torch, "there is no stream"))?;
        // The halves share memory: they always run in turn, and the results of one are used before the other runs
        // again.
        let beside = self.halves.iter().flatten().next().map(|other| &other.graph);
        let (graph, outputs) = CudaGraph::record(stream, beside, || work(std::array::from_fn(|i| &own[i])))?;
        check_room(inputs[0].device())?;
        Ok(Recorded { graph, inputs: own, outputs })
    }
}

impl Recorded {
    fn replay(&mut self, inputs: &[&Tensor], keeps: bool) -> Result<HalfStep> {
        for (own, input) in self.inputs.iter_mut().zip(inputs) {
            own.f_copy_(input)?;
        }
        self.graph.replay()?;
        let HalfStep { losses, images, gradients } = &self.outputs;
        let shared = |list: &[Tensor]| list.iter().map(Tensor::shallow_clone).collect::<Vec<_>>();
        let gradients = gradients.iter().map(|list| if keeps { kept(list) } else { Ok(shared(list)) });
        Ok(HalfStep { losses: shared(losses), images: shared(images), gradients: gradients.collect::<Result<_>>()? })
    }
}

/// A recording keeps its memory from all other work, but smaller batches, validation and callbacks need room, too: at
/// most as much again.
fn check_room(device: Device) -> Result<()> {
    let Device::Cuda(index) = device else { return Ok(()) };
    let [_, _, reserved, _] = ffi::cuda_memory(index)?;
    let free = ffi::free_cuda_memory(index)?;
    if free >= reserved {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Limits, "a recorded step would leave too little device memory for other work")
        .expected(format!("{} MiB free", reserved >> 20))
        .found(format!("{} MiB", free >> 20)))
}

fn copies(tensors: &[&Tensor]) -> Result<Vec<Tensor>> {
    tensors.iter().map(|tensor| copied(tensor, tensor.device())).collect()
}

/// Copies gradients, some of which may be undefined.
fn kept(gradients: &[Tensor]) -> Result<Vec<Tensor>> {
    let copy = |tensor: &Tensor| match tensor.defined() {
        true => copied(tensor, tensor.device()),
        false => Ok(tensor.shallow_clone()),
    };
    gradients.iter().map(copy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::AdamOptions;

    fn kind(side: i64) -> Option<StepKind> {
        of(&CycleGanConfig::default(), side, &StepContext::new(2e-4, AdamOptions::default(), 0))
    }

    fn of(config: &CycleGanConfig, side: i64, context: &StepContext<'_>) -> Option<StepKind> {
        let images = Tensor::zeros([2, 3, side, side], (Kind::Float, Device::Cpu));
        StepKind::of(config, [&images, &images], context)
    }

    fn modes(sides: &[i64]) -> Vec<RunMode> {
        let (mut plan, thread) = (Plan::default(), thread::current().id());
        sides.iter().map(|&side| plan.next(kind(side), thread)).collect()
    }

    #[test]
    fn steps_are_recorded_after_some_of_the_same_kind() {
        use RunMode::{Eager, Record, Replay, WarmUp};
        assert_eq!(modes(&[32; 6]), [Eager, Eager, WarmUp, Record, Replay, Replay]);
        // The last batch of an epoch is smaller, and its steps never come in a row.
        let epochs = [32, 32, 32, 32, 16, 32, 32, 16, 32];
        assert_eq!(modes(&epochs), [Eager, Eager, WarmUp, Record, Eager, Replay, Replay, Eager, Replay]);
        let then_another = [32, 32, 32, 32, 16, 16, 16, 16, 16, 32];
        assert_eq!(modes(&then_another)[4..], [Eager, Eager, WarmUp, Record, Replay, Eager]);
        assert_eq!(modes(&[32, 16, 32, 16, 32, 16, 32, 16]), [Eager; 8]);
    }

    /// cuDNN's choices belong to one thread.
    #[test]
    fn another_thread_warms_up_again_but_replays_at_once() {
        let other = thread::spawn(|| thread::current().id()).join().unwrap();
        let (mut plan, here) = (Plan::default(), thread::current().id());
        let order = [here, here, here, other, other, other, other, here];
        let found = order.map(|thread| plan.next(kind(32), thread));
        use RunMode::{Eager, Record, Replay, WarmUp};
        assert_eq!(found, [Eager, Eager, WarmUp, Eager, Eager, WarmUp, Record, Replay]);
    }

    #[test]
    fn what_is_fixed_in_a_recording_is_part_of_the_kind() {
        let context = StepContext::new(2e-4, AdamOptions::default(), 0);
        let config = CycleGanConfig::default();
        let plain = of(&config, 32, &context);
        assert_eq!(of(&config, 32, &StepContext { lr: 1.0, step: 7, update: false, progress: 0.5, ..context }), plain);
        assert_ne!(of(&config, 64, &context), plain);
        assert_ne!(of(&config, 32, &StepContext { share: 0.5, ..context }), plain);
        assert_ne!(of(&config, 32, &StepContext { precision: Precision::Bf16, ..context }), plain);
        let moving = DiffAugment::default().translation(true);
        for config in [
            CycleGanConfig { cycle_weight_end: Some(1.0), ..config.clone() },
            CycleGanConfig { spectral_norm: true, ..config.clone() },
            CycleGanConfig { diff_augment: moving, ..config.clone() },
        ] {
            assert_eq!(of(&config, 32, &context), None);
        }
        let mut plan = Plan::default();
        assert_eq!([(); 8].map(|()| plan.next(None, thread::current().id())), [RunMode::Eager; 8]);
    }

    /// A failure that recordings did not cause leaves them turned on.
    #[test]
    fn recordings_are_turned_off_only_if_they_cause_the_failure() {
        let image = Tensor::zeros([1], (Kind::Float, Device::Cpu));
        let limits = || Error::new(ErrorKind::Limits, "out of memory");
        let none = || HalfStep { losses: vec![], images: vec![], gradients: vec![] };
        let mut graphs = Graphs { mode: RunMode::WarmUp, ..Graphs::new(true) };
        assert!(graphs.run(Half::Generators, [&image], |_| Err(limits())).is_err());
        assert!(graphs.on && graphs.failure().is_none());
        // The CPU has no streams to record on.
        graphs.mode = RunMode::WarmUp;
        graphs.run(Half::Generators, [&image], |_| Ok(none())).unwrap();
        assert!(!graphs.on && graphs.failure().is_some());
    }

    /// On a CPU the switch changes nothing.
    #[test]
    fn nothing_is_recorded_on_a_processor() {
        let mut graphs = Graphs::new(true);
        let image = Tensor::zeros([1], (Kind::Float, Device::Cpu));
        for _ in 0..6 {
            graphs.begin(Device::Cpu, kind(32), false);
            let none = || HalfStep { losses: vec![], images: vec![], gradients: vec![] };
            graphs.run(Half::Generators, [&image], |_| Ok(none())).unwrap();
            assert!(!graphs.are_used());
        }
    }
}
