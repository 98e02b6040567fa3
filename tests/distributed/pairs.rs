//! Tests a Pix2Pix that several processes train on pairs, with gradients of two batches per update and a last batch
//! that is too small for all processes.

use std::path::Path;

use geolearn::distributed::Distributed;
use geolearn::{DatasetType, Device, Domain, FitOptions, Pix2Pix, PrepareData, Result};
use ndarray::Array3;

use super::processes::Group;

const EPOCHS: usize = 3;
/// Pairs per step, over all processes. With 9 pairs the last step of an epoch has one, so all processes but one have
/// none.
const TOGETHER: usize = 4;
const LOSSES: [&str; 3] = ["generator", "discriminator", "valid_l1"];

/// Trains in one process. Reports the steps, a checksum of the model's output, and the losses of the last epoch.
pub fn train(group: Distributed, accumulate: usize) -> Result<String> {
    let prepare = PrepareData::new("assets/bluemarble_test", DatasetType::Pix2Pix).cache(false).progress(false);
    let prepare = prepare.resize_to(32).val_split_pct(0.3).batch_size(TOGETHER / group.world_size());
    let data = prepare.prepare()?;
    assert_eq!(data.len(Domain::A), 9);
    let builder = Pix2Pix::builder(&data).gen_levels(5).gen_features(4).disc_features(4).device(Device::Cpu);
    let mut model = builder.build()?;
    let options = FitOptions::new(EPOCHS).lr(1e-3).accumulate(accumulate).progress(false).distributed(group);
    let history = model.fit(options)?;
    let losses = LOSSES.map(|name| history.last(name).unwrap().to_string());
    Ok(format!("{} steps, {}, {}", history.steps(), checksum(&model)?, losses.join(" ")))
}

fn checksum(model: &Pix2Pix) -> Result<String> {
    let image = Array3::from_shape_fn((3, 32, 32), |(c, y, x)| ((37 * c + 11 * y + 5 * x) % 256) as f32);
    let made = model.predict_array(&image, Domain::B)?;
    let bytes: Vec<u8> = made.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok(format!("{:08x}", crc32c::crc32c(&bytes)))
}

/// Returns the reports of one fit by `count` processes.
fn by(count: usize, work: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Group::start_with(folder.path(), work, count, |_, command| {
        command.current_dir(root);
    })
    .finish()
}

fn losses(said: &str) -> Vec<f64> {
    let (_, numbers) = said.rsplit_once(", ").unwrap_or_else(|| panic!("{said}"));
    numbers.split(' ').map(|number| number.parse().unwrap()).collect()
}

/// Returns the largest relative difference.
fn apart(found: &[f64], expected: &[f64]) -> f64 {
    let shares = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs() / expected.abs());
    shares.fold(0.0, f64::max)
}

/// Tolerance for f32 sums in a different order; a fit with different updates differs much more.
const CLOSE: f64 = 1e-5;

#[test]
fn processes_learn_from_pairs_what_one_does() {
    let one = by(1, "pairs").remove(0);
    assert!(one.starts_with("9 steps, "), "{one}");
    for count in [2, 4] {
        let said = by(count, "pairs");
        assert!(said.iter().all(|other| *other == said[0]), "{said:?}");
        assert!(said[0].starts_with("9 steps, "), "{said:?}");
        let found = apart(&losses(&said[0]), &losses(&one));
        eprintln!("{count} processes: losses {found:.1e} apart");
        assert!(found < CLOSE, "{said:?}, by one {one}");
    }
    let other = apart(&losses(&by(1, "pairs_each")[0]), &losses(&one));
    assert!(other > 100.0 * CLOSE, "{other}");
}
