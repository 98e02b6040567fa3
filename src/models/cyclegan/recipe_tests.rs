//! Options beyond the paper in fits of the whole model: resumed, rolled back, tried and saved.

use std::path::Path;

use tch::{Device, Tensor};

use super::{CycleGan, CycleGanBuilder, CycleGanConfig};
use crate::dataset::{Channels, DataBunch, DatasetType, Domain, PrepareData};
use crate::device::{self, Precision};
use crate::error::{ErrorKind, Result};
use crate::loss::DiffAugment;
use crate::models::LoadOptions;
use crate::nn::{Parameters, Upsampling, UpsamplingInit, copied};
use crate::optim::Schedule;
use crate::testing;
use crate::train::{Callback, Checkpoint, FitOptions, Flow, LrFindOptions, StepReport, Translator};

/// An option that is turned on, by name.
type Variant = (&'static str, fn(CycleGanBuilder) -> CycleGanBuilder, fn(FitOptions) -> FitOptions);

const VARIANTS: &[Variant] = &[
    ("average_half_life", |model| model.average_half_life(20.0), |fit| fit),
    ("upsampling_init", |model| model.upsampling_init(UpsamplingInit::Bilinear), |fit| fit),
    ("upsampling", |model| model.upsampling(Upsampling::Resize), |fit| fit),
    ("global_skip", |model| model.global_skip(true), |fit| fit),
    ("disc_scales", |model| model.disc_scales(2), |fit| fit),
    ("spectral_norm", |model| model.spectral_norm(true), |fit| fit),
    (
        "diff_augment",
        |model| model.diff_augment(DiffAugment::default().translation(true).cutout(true).color(true)),
        |fit| fit,
    ),
    ("cycle_weight_end", |model| model.cycle_weight_end(1.0), |fit| fit),
    ("disc_lr_ratio", |model| model, |fit| fit.disc_lr_ratio(0.5)),
];

/// Five chips of A and four of B, of 48 pixels.
fn data(folder: &Path) -> DataBunch {
    testing::few_chips(folder, [5, 4]);
    PrepareData::new(folder, DatasetType::CycleGan).resize_to(48).workers(0).val_split_pct(0.25).prepare().unwrap()
}

fn builder(data: &DataBunch) -> CycleGanBuilder {
    let builder = CycleGan::builder(data).gen_blocks(1).gen_features(4).disc_features(4).pool_size(2);
    builder.device(device::Device::Cpu)
}

fn quiet(epochs: usize) -> FitOptions {
    FitOptions::new(epochs).progress(false)
}

/// Returns the values of everything that training changes.
fn state(model: &CycleGan) -> Parameters {
    let copy = |(name, tensor): (String, Tensor)| (name, copied(&tensor, Device::Cpu).unwrap());
    model.state().tensors.into_iter().map(copy).collect()
}

/// Returns a generator's output for a fixed image.
fn answer(model: &CycleGan) -> Tensor {
    let image = (Tensor::arange(3 * 24 * 20, (tch::Kind::Float, Device::Cpu)) * 0.1).sin().view([1, 3, 24, 20]);
    model.translate(&image, Domain::B).unwrap()
}

/// Stops after this many steps of the fit.
struct After(usize);

impl Callback for After {
    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        Ok(if report.steps >= self.0 { Flow::Stop } else { Flow::Continue })
    }
}

/// Stopped within the second epoch and resumed by a new model; with single batches and with accumulated ones.
#[test]
fn a_resumed_fit_ends_as_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    for (name, model, fit) in VARIANTS {
        for accumulate in [1, 2] {
            let run = folder.path().join(format!("{name}{accumulate}"));
            let options = |part: &str| {
                fit(quiet(3).accumulate(accumulate))
                    .checkpoint(Checkpoint::Last)
                    .checkpoint_dir(run.join(part))
                    .resume(true)
            };
            let new = || model(builder(&data)).build().unwrap();
            let (mut whole, mut second) = (new(), new());
            whole.fit(options("unbroken")).unwrap();
            new().fit(options("broken").callback(After(6))).unwrap();
            second.fit(options("broken")).unwrap();
            assert!(state(&second) == state(&whole), "{name}, {accumulate} batches an update");
            assert_eq!(second.history().losses("valid_loss"), whole.history().losses("valid_loss"), "{name}");
            let kept = CycleGan::from_checkpoint_on(run.join("broken/last.safetensors"), &data, device::Device::Cpu);
            assert_eq!(answer(&kept.unwrap()), answer(&whole), "{name}");
        }
    }
}

/// An option changes the training, and is part of what resuming compares.
#[test]
fn an_option_matters_and_is_compared_when_resuming() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let mut plain = builder(&data).build().unwrap();
    plain.fit(quiet(2)).unwrap();
    for (name, model, fit) in VARIANTS {
        let run = || quiet(2).checkpoint(Checkpoint::Last).checkpoint_dir(folder.path().join(name)).resume(true);
        let mut with = model(builder(&data)).build().unwrap();
        with.fit(fit(run())).unwrap();
        assert_ne!(answer(&with), answer(&plain), "{name}");
        let error = builder(&data).build().unwrap().fit(run()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{name}");
        assert!(error.to_string().contains("differs"), "{name}: {error}");
    }
}

/// A sweep restores everything, and a fit that diverges goes back to its last epoch.
#[test]
fn trials_and_divergence_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    for (name, model, fit) in VARIANTS {
        let new = || model(builder(&data)).build().unwrap();
        let mut tried = new();
        tried.fit(fit(quiet(1))).unwrap();
        let before = state(&tried);
        tried.lr_find_with(LrFindOptions::default().start(1e-5).end(10.0).steps(12)).unwrap();
        assert!(state(&tried) == before, "{name}");
        let error = tried.fit(fit(quiet(1).lr(1e30))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Diverged, "{name}: {error}");
        assert!(state(&tried) == before, "{name}");
        tried.fit(fit(quiet(1))).unwrap();
        let mut other = new();
        other.fit(fit(quiet(1))).unwrap();
        other.fit(fit(quiet(1))).unwrap();
        assert!(state(&tried) == state(&other), "{name}");
    }
}

/// A saved model opens with its options, and translates and measures like the model that was saved. The estimate of a
/// spectral norm starts over, which changes the discriminators' scores by some per cent.
#[test]
fn a_saved_model_translates_like_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    for (name, model, fit) in VARIANTS {
        let mut trained = model(builder(&data)).build().unwrap();
        trained.fit(fit(quiet(2))).unwrap();
        let saved = trained.save(folder.path().join("models").join(name)).unwrap();
        let bundle = folder.path().join(format!("{name}.safetensors"));
        trained.save_safetensors(&bundle).unwrap();
        for path in [saved, bundle] {
            let options = LoadOptions::new().device(device::Device::Cpu).data(&data);
            let opened = CycleGan::from_model_with(&path, options).unwrap();
            assert_eq!(opened.config(), trained.config());
            assert_eq!(answer(&opened), answer(&trained), "{name}");
            for ((metric, found), (_, expected)) in
                opened.validate().unwrap().into_iter().zip(trained.validate().unwrap())
            {
                let judged = *name == "spectral_norm" && !metric.contains("cycle") && metric != "valid_identity";
                let most = if judged { 0.05 * expected.abs() } else { 0.0 };
                assert!((found - expected).abs() <= most, "{name} {metric}: {found}, not {expected}");
            }
        }
    }
}

/// The weights themselves train as without a mean; the mean lies between their initial and current values.
#[test]
fn a_running_mean_changes_translations_but_not_training() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let mut plain = builder(&data).build().unwrap();
    let mut averaged = builder(&data).average_half_life(20.0).build().unwrap();
    assert_eq!(answer(&averaged), answer(&plain));
    for model in [&mut plain, &mut averaged] {
        model.fit(quiet(3)).unwrap();
    }
    for ((name, tensor), (_, same)) in plain.model.nets.parameters().iter().zip(averaged.model.nets.parameters()) {
        assert_eq!(tensor, &same, "{name}");
    }
    assert_ne!(answer(&averaged), answer(&plain));
    let means = averaged.model.nets.mean_parameters().unwrap();
    let apart = |list: &Parameters| -> f64 {
        let difference = |((_, a), (_, b)): (&(String, Tensor), &(String, Tensor))| {
            (a - b).square().sum(tch::Kind::Double).double_value(&[])
        };
        list.iter().zip(&averaged.model.nets.generator_parameters()).map(difference).sum()
    };
    let start = builder(&data).build().unwrap().model.nets.generator_parameters();
    assert!(apart(&means) > 0.0 && apart(&means) < apart(&start));
}

/// If the encoders are frozen, their mean stays the same bit for bit.
#[test]
fn frozen_encoders_keep_their_mean() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let mut model = builder(&data).average_half_life(20.0).build().unwrap();
    let mean = |model: &CycleGan, layer: &str| {
        let list = model.model.nets.mean_parameters().unwrap();
        list.into_iter().find(|(name, _)| name == layer).unwrap().1.copy()
    };
    model.freeze();
    let (encoder, tail) = (mean(&model, "G_A.4.weight"), mean(&model, "G_A.18.weight"));
    model.fit(quiet(2)).unwrap();
    assert_eq!(mean(&model, "G_A.4.weight"), encoder);
    assert_ne!(mean(&model, "G_A.18.weight"), tail);
}

/// The first step of Adam is the rate times the gradient's sign: that of the discriminators becomes a quarter, that of
/// the generators stays. 1e-9 is rounding of weights near 0.02.
#[test]
fn discriminators_have_their_own_rate() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let moved = |ratio: f64| {
        let mut model = builder(&data).build().unwrap();
        let before: Parameters = state(&model);
        model.fit(quiet(1).lr(1e-4).schedule(Schedule::Constant).disc_lr_ratio(ratio).callback(After(1))).unwrap();
        let of = |name: &str| {
            let value = |list: &Parameters| list.iter().find(|(other, _)| other == name).unwrap().1.copy();
            (value(&state(&model)) - value(&before)).abs().median().double_value(&[])
        };
        (of("D_A.2.weight"), of("G_A.4.weight"))
    };
    let ((disc, gen_), (slow, same)) = (moved(1.0), moved(0.25));
    assert!((disc - 1e-4).abs() < 1e-8 && (slow - 0.25e-4).abs() < 1e-8, "{disc} {slow}");
    assert_eq!(gen_, same);
}

/// A saved model opens without spectral norms, and its discriminators give the same scores as the trained ones.
#[test]
fn spectral_norms_are_folded_when_saved() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let mut trained = builder(&data).spectral_norm(true).build().unwrap();
    trained.fit(quiet(2)).unwrap();
    let mut plain = builder(&data).build().unwrap();
    plain.load_weights(trained.save(folder.path().join("model")).unwrap().join("model.pth")).unwrap();
    let image = (Tensor::arange(3 * 32 * 32, (tch::Kind::Float, Device::Cpu)) * 0.1).sin().view([1, 3, 32, 32]);
    for (normed, folded) in
        [(&trained.model.nets.disc_a, &plain.model.nets.disc_a), (&trained.model.nets.disc_b, &plain.model.nets.disc_b)]
    {
        assert_eq!(folded.full().forward(&image).unwrap().detach(), normed.full().forward(&image).unwrap().detach());
        for (name, weight) in folded.parameters().into_iter().filter(|(name, _)| name.ends_with(".weight")) {
            let matrix = weight.detach().view([weight.size()[0], -1]);
            let largest = matrix.svd(true, false).1.max().double_value(&[]);
            // The estimate never exceeds the norm, and is close to it after so many steps of the power iteration.
            assert!((0.999..1.3).contains(&largest), "{name}: {largest}");
        }
    }
}

/// In bfloat16, if this CPU supports it, and with accumulated batches, losses stay finite and near those in f32.
#[test]
fn spectral_norms_work_in_bfloat16() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let last = |precision| {
        let mut model = builder(&data).spectral_norm(true).build().unwrap();
        let options = quiet(1).precision(precision).accumulate(2);
        model.fit(options).unwrap().last("discriminator_a").unwrap()
    };
    let (half, whole) = (last(Precision::Bf16), last(Precision::F32));
    assert!((half - whole).abs() < 0.05 * whole, "{half} {whole}");
}

/// The image can only be added if the shapes agree.
#[test]
fn a_global_skip_needs_as_many_channels_in_both_domains() {
    let folder = tempfile::tempdir().unwrap();
    let chips = data(folder.path());
    let build = |channels| {
        let prepare = PrepareData::new(chips.path(), DatasetType::CycleGan).resize_to(32).workers(0);
        let data = prepare.bands(Domain::A, vec![1, 2]).channels(channels).prepare().unwrap();
        builder(&data).global_skip(true).build()
    };
    build(Channels::Shared).unwrap().fit(quiet(1)).unwrap();
    let error = build(Channels::Own).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("2 in A and 3 in B"), "{error}");
}

/// Colors exist only in photographs; everything else works for all images.
#[test]
fn colors_of_other_images_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let chips = data(folder.path());
    let data = |bands: &[usize]| {
        let prepare = PrepareData::new(chips.path(), DatasetType::CycleGan).resize_to(32).workers(0);
        prepare.bands(Domain::A, bands.to_vec()).bands(Domain::B, bands.to_vec()).prepare().unwrap()
    };
    let build = |augment, bands: &[usize]| builder(&data(bands)).diff_augment(augment).build();
    let (color, rest) = (DiffAugment::default().color(true), DiffAugment::default().translation(true).cutout(true));
    build(color, &[1, 2, 3]).unwrap();
    build(rest, &[1, 2]).unwrap().fit(quiet(1)).unwrap();
    let error = build(color, &[1, 2]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("2 bands"), "{error}");
}

/// At a rate at which nothing moves, the cycle loss of each epoch reveals its weight: over four epochs, the mean shares
/// of the way are 1/8 and so on, minus half a step.
#[test]
fn the_cycle_weight_changes_linearly() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let losses = |end: Option<f64>| {
        let config = CycleGanConfig { cycle_weight_end: end, ..builder(&data).build().unwrap().config().clone() };
        let mut model = builder(&data).config(config).build().unwrap();
        let history = model.fit(quiet(4).lr(1e-30).schedule(Schedule::Constant)).unwrap();
        let steps = history.epochs()[0].steps as f64;
        (history.losses("cycle").unwrap(), history.losses("identity").unwrap(), steps)
    };
    let ((plain, plain_identity, _), (falling, identity, steps)) = (losses(None), losses(Some(2.0)));
    for epoch in 0..4 {
        let share = epoch as f64 / 4.0 + (steps - 1.0) / 2.0 / (4.0 * steps);
        let weight = 10.0 + (2.0 - 10.0) * share;
        // Losses differ between an epoch's steps, so the mean of products is not quite the product of means.
        assert!((falling[epoch] / plain[epoch] - weight / 10.0).abs() < 0.01, "{epoch}: {falling:?} {plain:?}");
        assert!((identity[epoch] / plain_identity[epoch] - weight / 10.0).abs() < 0.01, "{epoch}");
    }
}

/// The second network takes part in both losses, is trained, and has its own names in what is saved.
#[test]
fn a_second_scale_trains_and_needs_larger_chips() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let mut model = builder(&data).disc_scales(2).build().unwrap();
    let weights = |model: &CycleGan| {
        let list = state(model).into_iter();
        list.filter(|(name, _)| name.starts_with("D_A_half") && name.ends_with(".weight")).collect::<Parameters>()
    };
    let before = weights(&model);
    model.fit(quiet(1)).unwrap();
    assert_eq!(before.len(), 5);
    for ((name, found), (_, before)) in weights(&model).iter().zip(&before) {
        assert_ne!(found, before, "{name}");
    }
    let plain = builder(&data).build().unwrap();
    let count = |model: &CycleGan| model.model.nets.parameters().iter().map(|(_, t)| t.numel() as u128).sum::<u128>();
    for model in [&model, &plain] {
        assert_eq!(model.config().parameter_count(model.channels()), count(model));
    }
    let small = PrepareData::new(data.path(), DatasetType::CycleGan).resize_to(47).workers(0).prepare().unwrap();
    let error = builder(&small).disc_scales(2).build().unwrap_err();
    assert!(error.to_string().contains("48 pixels"), "{error}");
    builder(&small).build().unwrap();
}
