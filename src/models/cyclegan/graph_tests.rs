//! Training steps with CUDA graphs compared with the same steps without. On the CPU both are the same; without a CUDA
//! device the tests say so and pass.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::graphs::{Graphs, Half, StepKind};
use super::halves::HalfStep;
use super::{CycleGan, CycleGanBuilder, CycleGanConfig};
use crate::dataset::{Batch, DataBunch, DatasetType, Domain, PrepareData};
use crate::device::{self, Precision};
use crate::nn::{Parameters, copied};
use crate::optim::AdamOptions;
use crate::testing;
use crate::train::{Checkpoint, FitOptions, StepContext, TrainState, Translator};

/// The same kernels sum in the same order. Adam divides by gradients, so another order would show as 1e-4.
const SAME: f64 = 1e-6;

type Variant = fn(CycleGanBuilder) -> CycleGanBuilder;

/// Five chips of each domain, one in a batch.
fn data(folder: &Path) -> DataBunch {
    for domain in ["A", "B"] {
        let into = folder.join(domain);
        std::fs::create_dir_all(&into).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(format!("assets/bluemarble/{domain}/images")).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().file_name());
        for file in files.into_iter().take(5).flatten() {
            std::fs::copy(file.path(), into.join(file.file_name())).unwrap();
        }
    }
    let data = PrepareData::new(folder, DatasetType::CycleGan).resize_to(48).workers(0).batch_size(1);
    data.val_split_pct(0.0).prepare().unwrap()
}

/// A model whose graphs are turned on or off regardless of the environment.
struct Trained {
    model: CycleGan,
    losses: Vec<f64>,
    replayed: usize,
    step: u64,
    context: StepContext<'static>,
}

impl Trained {
    fn new(device: Device, graphs: bool, variant: Variant) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = if let Device::Cuda(index) = device { device::Device::Cuda(index) } else { device::Device::Cpu };
        // Channels in multiples of 8, as tensor cores require.
        let builder = CycleGan::builder(&data(folder.path())).gen_blocks(2).gen_features(8).disc_features(8);
        let mut model = variant(builder.pool_size(3).device(device)).build().unwrap();
        *model.model.optimizers().unwrap().graphs_mut() = Graphs::new(graphs);
        let context = StepContext::new(2e-4, AdamOptions::default(), 0);
        let context = StepContext { deterministic: true, precision: Precision::F32, ..context };
        Self { model, losses: Vec::new(), replayed: 0, step: 0, context }
    }

    /// Trains on `count` images of `side` pixels, which differ between steps.
    fn step(&mut self, count: i64, side: i64) {
        let number = count * 3 * side * side;
        let image = |phase: f64| {
            let values = (Tensor::arange(number, (Kind::Double, Device::Cpu)) * (0.37 + phase)).sin();
            values.to_kind(Kind::Float).view([count, 3, side, side])
        };
        let phase = self.step as f64 * 0.011;
        let batch = Batch { a: image(phase), b: image(phase + 0.2) };
        let context = StepContext { step: self.step, ..self.context };
        let losses = self.model.train_step(&batch, context).unwrap();
        self.losses.extend(Vec::<f64>::try_from(losses.to_kind(Kind::Double)).unwrap());
        self.replayed += usize::from(self.model.uses_cuda_graphs());
        assert_eq!(self.model.cuda_graphs_failure(), None);
        self.step += 1;
    }

    fn steps(&mut self, count: usize) {
        (0..count).for_each(|_| self.step(2, 32));
    }
}

/// Returns the values of everything that training changes.
fn state(model: &CycleGan) -> Parameters {
    let copy = |(name, tensor): (String, Tensor)| (name, copied(&tensor, Device::Cpu).unwrap());
    model.state().tensors.into_iter().map(copy).collect()
}

/// Returns the largest difference in losses and in everything that training changes.
fn apart(found: &Trained, expected: &Trained) -> f64 {
    assert_eq!(found.losses.len(), expected.losses.len());
    let losses = found.losses.iter().zip(&expected.losses).map(|(a, b)| (a - b).abs());
    let (of_found, of_expected) = (state(&found.model), state(&expected.model));
    let tensors = of_found.iter().zip(&of_expected).map(|((name, a), (other, b))| {
        assert_eq!(name, other);
        (a - b).abs().max().double_value(&[])
    });
    // Not `f64::max`, which ignores NaN.
    losses.chain(tensors).fold(0.0, |most, value| if value <= most { most } else { value })
}

/// Runs `work` with graphs and without, and compares. Returns the number of steps that were replayed.
fn compare(device: Device, name: &str, variant: Variant, work: impl Fn(&mut Trained)) -> usize {
    let [graphs, eager] = [true, false].map(|graphs| {
        let mut trained = Trained::new(device, graphs, variant);
        work(&mut trained);
        trained
    });
    let apart = apart(&graphs, &eager);
    let replayed = graphs.replayed;
    testing::tell(&format!("{name} on {device:?}: {replayed} of {} steps replayed, {apart:.1e} apart", graphs.step));
    assert_eq!(eager.replayed, 0);
    assert!(apart <= SAME, "{name}: {apart}");
    replayed
}

/// Returns the CPU, which shows that the comparison works, and CUDA.
fn devices() -> impl Iterator<Item = Device> {
    [Some(Device::Cpu), testing::cuda()].into_iter().flatten()
}

/// Returns how many of the steps that can be replayed on CUDA are replayed on `device`.
fn of(device: Device, steps: usize) -> usize {
    if device.is_cuda() { steps } else { 0 }
}

#[test]
fn on_cuda_twenty_recorded_steps_equal_twenty_called_ones() {
    let variants: [(&str, Variant); 3] = [
        ("plain", |model| model),
        ("no pool, no identity loss", |model| model.pool_size(0).identity_weight(0.0)),
        ("two scales, running mean", |model| model.disc_scales(2).average_half_life(20.0)),
    ];
    for device in devices() {
        for (name, variant) in variants {
            // As large as a second scale needs.
            let replayed = compare(device, name, variant, |trained| (0..20).for_each(|_| trained.step(2, 48)));
            assert_eq!(replayed, of(device, 17), "{name}");
        }
    }
}

#[test]
fn on_cuda_recorded_steps_equal_called_ones_in_each_precision() {
    let Some(device) = testing::cuda() else { return };
    for precision in [Precision::Tf32, Precision::Bf16] {
        let Ok(precision) = precision.on(device) else { continue };
        let replayed = compare(
            device,
            &precision.to_string(),
            |model| model,
            |trained| {
                trained.context.precision = precision;
                trained.steps(20);
            },
        );
        assert_eq!(replayed, 17);
    }
}

/// Not deterministic, as in most training, and in bfloat16: cuDNN then searches before the recording. The order of sums
/// differs from run to run, so only the first losses agree.
#[test]
fn on_cuda_kernels_that_were_searched_for_are_recorded() {
    let Some(device) = testing::cuda() else { return };
    if let Err(error) = Precision::Bf16.on(device) {
        return testing::tell(&error.to_string());
    }
    let [graphs, eager] = [true, false].map(|graphs| {
        let mut trained = Trained::new(device, graphs, |model| model);
        trained.context = StepContext { deterministic: false, precision: Precision::Bf16, ..trained.context };
        trained.steps(8);
        trained
    });
    assert_eq!((graphs.replayed, eager.replayed), (5, 0));
    for (found, expected) in graphs.losses.iter().zip(&eager.losses) {
        assert!((found - expected).abs() < 0.05 * expected.abs().max(0.1), "{found} {expected}");
    }
}

#[test]
fn on_cuda_accumulated_gradients_are_those_of_called_steps() {
    for device in devices() {
        let replayed = compare(
            device,
            "accumulated",
            |model| model.average_half_life(20.0),
            |trained| {
                for i in 0..20 {
                    trained.context = StepContext { share: 0.5, update: i % 2 == 1, ..trained.context };
                    trained.steps(1);
                }
            },
        );
        assert_eq!(replayed, of(device, 17));
    }
}

#[test]
fn on_cuda_sizes_may_change() {
    for device in devices() {
        let replayed = compare(
            device,
            "sizes",
            |model| model,
            |trained| {
                // Smaller last batches, then another size permanently, and then the first again.
                for (times, count, side) in [(6, 2, 32), (1, 1, 32), (3, 2, 32), (1, 1, 32), (6, 1, 48), (2, 2, 32)] {
                    (0..times).for_each(|_| trained.step(count, side));
                }
            },
        );
        assert_eq!(replayed, of(device, 3 + 3 + 3));
    }
}

#[test]
fn on_cuda_freezing_restoring_and_predicting_come_between() {
    for device in devices() {
        let replayed = compare(
            device,
            "in between",
            |model| model.average_half_life(20.0),
            |trained| {
                trained.steps(6);
                trained.model.freeze();
                trained.steps(6);
                trained.model.unfreeze();
                let saved = TrainState { tensors: state(&trained.model) };
                for _ in 0..6 {
                    trained.steps(1);
                    let image = Tensor::ones([1, 3, 40, 24], (Kind::Float, device));
                    let mean = trained.model.translate(&image, Domain::B).unwrap().mean(Kind::Double);
                    trained.losses.push(mean.double_value(&[]));
                }
                trained.model.restore(&saved).unwrap();
                trained.steps(6);
            },
        );
        assert_eq!(replayed, of(device, 4 * 3));
    }
}

/// One fit after another, with a checkpoint of each epoch.
#[test]
fn on_cuda_fits_and_checkpoints_are_the_same() {
    for device in devices() {
        let replayed = compare(
            device,
            "fit",
            |model| model,
            |trained| {
                let folder = tempfile::tempdir().unwrap();
                trained.model.data = Some(data(folder.path()));
                for epochs in [4, 2] {
                    let options = FitOptions::new(epochs).progress(false).deterministic(true).precision(Precision::F32);
                    let options = options.checkpoint(Checkpoint::Last).checkpoint_dir(folder.path().join("run"));
                    let history = trained.model.fit(options).unwrap();
                    trained.losses.extend(history.losses("generator").unwrap());
                    trained.losses.extend(history.losses("discriminator_b").unwrap());
                    trained.replayed += usize::from(trained.model.uses_cuda_graphs());
                }
            },
        );
        assert_eq!(replayed, of(device, 2));
    }
}

/// Each on its own thread.
#[test]
fn on_cuda_two_models_train_at_once() {
    let Some(device) = testing::cuda() else { return };
    let train = |graphs| {
        let mut trained = Trained::new(device, graphs, |model| model);
        trained.steps(20);
        trained
    };
    let alone = train(false);
    let together =
        std::thread::scope(|scope| [(); 2].map(|()| scope.spawn(|| train(true))).map(|thread| thread.join().unwrap()));
    for found in together {
        let apart = apart(&found, &alone);
        testing::tell(&format!("two at once: {} of 20 steps replayed, {apart:.1e} apart", found.replayed));
        assert!(apart <= SAME, "{apart}");
    }
}

/// Work that waits for the device cannot be recorded. The step that tried is executed anyway, and memory is intact.
#[test]
fn on_cuda_training_goes_on_where_recording_fails() {
    let Some(device) = testing::cuda() else { return };
    let mut graphs = Graphs::new(true);
    let context = StepContext::new(2e-4, AdamOptions::default(), 0);
    let image = Tensor::ones([1, 3, 8, 8], (Kind::Float, device));
    for step in 1..8 {
        graphs.begin(device, StepKind::of(&CycleGanConfig::default(), [&image, &image], &context), false);
        let made = graphs.run(Half::Generators, [&image], |[image]| {
            let doubled = image * 2.0;
            // Reading a value waits.
            let sum = doubled.sum(Kind::Float).f_double_value(&[])?;
            Ok(HalfStep { losses: vec![&doubled * sum], images: vec![], gradients: vec![] })
        });
        assert_eq!(made.unwrap().losses[0].double_value(&[0, 0, 0, 0]), 2.0 * 2.0 * 192.0, "step {step}");
    }
    assert!(!graphs.are_used());
    testing::tell(&format!("a step that waits: {}", graphs.failure().unwrap()));
    let replayed = compare(device, "afterwards", |model| model, |trained| trained.steps(6));
    assert_eq!(replayed, 3);
}
