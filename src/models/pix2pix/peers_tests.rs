//! Steps and fits in several simulated processes (threads), compared with those of one process that has all their
//! pairs.

use tch::{Device, Kind, Tensor};

use super::config::Pix2PixConfig;
use super::model::Pix2PixModel;
use super::networks::Networks;
use super::optimizers::Optimizers;
use super::step;
use crate::dataset::{Augment, DataBunch, DatasetType, PerDomain, PrepareData};
use crate::device::Precision;
use crate::models::core::{PeerFit, SAME_BITS, check};
use crate::optim::AdamOptions;
use crate::peers::{JointBatch, Peers};
use crate::testing::{Tolerance, crew};
use crate::train::{FitOptions, StepContext};

const PAIRS: i64 = 3;

/// Waves in this many channels, different in each image.
fn images(channels: i64, pitch: f64) -> Tensor {
    let values = Tensor::arange(PAIRS * channels * 32 * 48, (Kind::Double, Device::Cpu)) * pitch;
    values.sin().view([PAIRS, channels, 32, 48])
}

/// Returns the weights after two steps on this process's pairs. Biases before norms have no effect.
fn weights(peers: Option<&dyn Peers>) -> Vec<f64> {
    let config = Pix2PixConfig { gen_levels: 5, gen_features: 2, disc_features: 2, ..Pix2PixConfig::default() };
    let nets = Networks::new(&config, PerDomain { a: 2, b: 3 }, (Device::Cpu, Kind::Double), true).unwrap();
    let mut optimizers = Optimizers::new(&nets).unwrap();
    let batch = peers.map_or_else(|| JointBatch::alone(PAIRS as usize), |peers| JointBatch::new(peers, PAIRS as usize));
    let places: Vec<i64> = batch.portion().places(0..PAIRS as usize).map(|place| place as i64).collect();
    let own = |all: Tensor| all.index_select(0, &Tensor::from_slice(&places));
    let (a, b) = (own(images(2, 0.37)), own(images(3, 0.73)));
    for index in 0..2 {
        let context = StepContext::new(1e-3, AdamOptions::default(), index);
        let context = StepContext { share: batch.portion().weight(), joint: Some(batch), ..context };
        let _ = step::train_step(&nets, &mut optimizers, &config, (&a, &b), context).unwrap();
    }
    let flat = |(_, weight): (String, Tensor)| Vec::<f64>::try_from(weight.detach().flatten(0, -1)).unwrap();
    nets.parameters().into_iter().filter(|(name, _)| name.ends_with(".weight")).flat_map(flat).collect()
}

/// One of four processes has no pair. 1e-9: gradients are summed in another order, which the first steps of Adam
/// amplify.
#[test]
fn processes_learn_like_one() {
    let alone = weights(None);
    for count in [1, 2, 4] {
        for found in crew(count, |peers| weights(Some(peers))) {
            let worst = found.iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(found.len() == alone.len() && worst < 1e-9, "{count} processes: {worst}");
        }
    }
}

fn model() -> Pix2PixModel {
    let config = Pix2PixConfig { gen_levels: 4, gen_features: 2, disc_features: 2, ..Pix2PixConfig::default() };
    let nets = Networks::new(&config, PerDomain { a: 3, b: 3 }, (Device::Cpu, Kind::Double), true).unwrap();
    Pix2PixModel::new(config, nets, Device::Cpu)
}

/// 9 pairs for training and 4 for validation: three batches of four an epoch, the last with one pair.
fn data(batch_size: usize) -> DataBunch {
    let prepare = PrepareData::new("assets/bluemarble_test", DatasetType::Pix2Pix).cache(false).progress(false);
    let prepare = prepare.resize_to(48).workers(0).val_split_pct(0.3).augment(Augment::default().zoom(1.3).crop(40));
    let data = prepare.batch_size(batch_size).prepare().unwrap();
    assert_eq!(data.batches_per_epoch(), 9_usize.div_ceil(batch_size));
    data
}

/// Whole fits with dropout and augmentation. With two batches for an update, the second update of an epoch has only the
/// one pair that is left, so all processes but one have none. 1e-6: gradients are summed in another order.
#[test]
fn uneven_and_accumulated_batches_of_processes_equal_those_of_one() {
    let trial = PeerFit { model: &model, data: &data };
    for accumulate in [1, 2] {
        let options = |_| {
            let options = FitOptions::new(4).lr(1e-3).progress(false).precision(Precision::F32).validate_every(2);
            options.accumulate(accumulate)
        };
        let whole = trial.together((1, 4), options).remove(0);
        assert_eq!(whole.1.steps(), 12);
        for processes in [(2, 2), (4, 1)] {
            let what = format!("{processes:?}, {accumulate} batches an update");
            let left = trial.together(processes, options);
            check::<Pix2PixModel>(&what, Tolerance::abs(1e-6), &left[0], &whole);
            left[1..].iter().for_each(|other| check::<Pix2PixModel>(&what, SAME_BITS, other, &left[0]));
        }
        // The tolerance distinguishes fits: other batches give other weights.
        let other = trial.together((1, 5), options).remove(0);
        let distance = (&other.0[0].1 - &whole.0[0].1).abs().max().double_value(&[]);
        assert!(distance > 1e-4, "{distance}");
    }
}
