//! Steps of several processes, played by threads, against those of one process that has all their pairs.

use tch::{Device, Kind, Tensor};

use super::config::Pix2PixConfig;
use super::networks::Networks;
use super::optimisers::Optimisers;
use super::step;
use crate::dataset::PerDomain;
use crate::optim::AdamOptions;
use crate::peers::{JointBatch, Peers};
use crate::testing::crew;
use crate::train::StepContext;

const PAIRS: i64 = 3;

/// Waves of so many channels, another one in each image.
fn images(channels: i64, pitch: f64) -> Tensor {
    let values = Tensor::arange(PAIRS * channels * 32 * 48, (Kind::Double, Device::Cpu)) * pitch;
    values.sin().view([PAIRS, channels, 32, 48])
}

/// The weights after two steps of this process's pairs. Biases before norms have no effect.
fn weights(peers: Option<&dyn Peers>) -> Vec<f64> {
    let config = Pix2PixConfig { gen_levels: 5, gen_features: 2, disc_features: 2, ..Pix2PixConfig::default() };
    let nets = Networks::new(&config, PerDomain { a: 2, b: 3 }, (Device::Cpu, Kind::Double), true).unwrap();
    let mut optimisers = Optimisers::new(&nets).unwrap();
    let batch = peers.map_or_else(|| JointBatch::alone(PAIRS as usize), |peers| JointBatch::new(peers, PAIRS as usize));
    let places: Vec<i64> = batch.portion().places(0..PAIRS as usize).map(|place| place as i64).collect();
    let own = |all: Tensor| all.index_select(0, &Tensor::from_slice(&places));
    let (a, b) = (own(images(2, 0.37)), own(images(3, 0.73)));
    for index in 0..2 {
        let context = StepContext::new(1e-3, AdamOptions::default(), index);
        let context = StepContext { share: batch.portion().weight(), joint: Some(batch), ..context };
        let _ = step::train_step(&nets, &mut optimisers, &config, (&a, &b), context).unwrap();
    }
    let flat = |(_, weight): (String, Tensor)| Vec::<f64>::try_from(weight.detach().flatten(0, -1)).unwrap();
    nets.parameters().into_iter().filter(|(name, _)| name.ends_with(".weight")).flat_map(flat).collect()
}

/// Of four processes one has no pair of its own. 1e-9: gradients are summed in another order, which the first steps of Adam enlarge.
#[test]
fn processes_learn_what_one_learns() {
    let alone = weights(None);
    for count in [1, 2, 4] {
        for found in crew(count, |peers| weights(Some(peers))) {
            let worst = found.iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(found.len() == alone.len() && worst < 1e-9, "{count} processes: {worst}");
        }
    }
}
