//! A training step under the clock, for `cargo xtask compare`, which runs it beside PyTorch.
//!
//! `step prepare FOLDER SIDE BATCH` writes initial weights (`initial.pth`) and batches (`a.f32`, `b.f32`: f32, NCHW, little
//! endian, in [-1, 1]); `step run FOLDER SIDE BATCH PRECISION` reads them, and makes as many steps as each line of its input
//! asks for. It answers with a line of seconds for each step and one of the losses of the last.
use std::error::Error;
use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use geolearn::{
    AdamOptions, Augment, Batch, CycleGan, DataBunch, DatasetType, Device, Precision, PrepareData, StepContext,
    Translator,
};
use tch::{Kind, Tensor};

const CHIPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/bluemarble");
/// Batches that take turns.
const BATCHES: usize = 4;
const BANDS: i64 = 3;
const SEED: u64 = 42;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["prepare", folder, side, batch] => prepare(Path::new(folder), side.parse()?, batch.parse()?),
        ["run", folder, side, batch, precision] => {
            run(Path::new(folder), side.parse()?, batch.parse()?, precision_of(precision)?)
        }
        _ => Err("usage: step prepare FOLDER SIDE BATCH | step run FOLDER SIDE BATCH f32|bf16|tf32".into()),
    }
}

fn precision_of(name: &str) -> Outcome<Precision> {
    match name {
        "f32" => Ok(Precision::F32),
        "bf16" => Ok(Precision::Bf16),
        "tf32" => Ok(Precision::Tf32),
        _ => Err(format!("there is no precision {name:?}").into()),
    }
}

fn data(side: usize, batch: usize) -> geolearn::Result<DataBunch> {
    PrepareData::new(CHIPS, DatasetType::CycleGan)
        .resize_to(side)
        .batch_size(batch)
        .augment(Augment::none())
        .seed(SEED)
        .prepare()
}

/// The paper's networks; without a pool of images, whose draws PyTorch would not repeat.
fn model(data: &DataBunch) -> geolearn::Result<CycleGan> {
    CycleGan::builder(data).seed(SEED).pool_size(0).device(Device::Auto).build()
}

fn prepare(folder: &Path, side: usize, batch: usize) -> Outcome<()> {
    let data = data(side, batch)?;
    fs::create_dir_all(folder)?;
    model(&data)?.save(folder.join("initial"))?;
    fs::copy(folder.join("initial/initial.pth"), folder.join("initial.pth"))?;
    let mut bytes = [Vec::new(), Vec::new()];
    for batch in data.epoch(0)?.take(BATCHES) {
        let Batch { a, b } = batch?;
        for (tensor, bytes) in [a, b].iter().zip(&mut bytes) {
            let values = Vec::<f32>::try_from(tensor.flatten(0, -1))?;
            bytes.extend(values.into_iter().flat_map(f32::to_le_bytes));
        }
    }
    for (name, bytes) in ["a.f32", "b.f32"].iter().zip(bytes) {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

fn batches(folder: &Path, side: usize, batch: usize) -> Outcome<Vec<Batch>> {
    let shape = [-1, batch as i64, BANDS, side as i64, side as i64];
    let read = |name: &str| -> Outcome<Tensor> {
        let bytes = fs::read(folder.join(name))?;
        Ok(Tensor::f_from_data_size(&bytes, &[bytes.len() as i64 / 4], Kind::Float)?.f_reshape(shape)?)
    };
    let (a, b) = (read("a.f32")?, read("b.f32")?);
    Ok((0..a.size()[0]).map(|i| Batch { a: a.get(i), b: b.get(i) }).collect())
}

fn run(folder: &Path, side: usize, batch: usize, precision: Precision) -> Outcome<()> {
    let mut model = model(&data(side, batch)?)?;
    model.load_weights(folder.join("initial.pth"))?;
    let batches = batches(folder, side, batch)?;
    let mut step = 0;
    let mut out = std::io::stdout();
    let device = format!("{:?}", model.device().torch()).to_lowercase();
    writeln!(out, "ready on {device}, {} threads", geolearn::num_threads())?;
    for line in std::io::stdin().lock().lines() {
        let mut losses = Vec::new();
        let mut times = Vec::new();
        for _ in 0..line?.trim().parse::<usize>()? {
            let mut context = StepContext::new(2e-4, AdamOptions::default(), step);
            context.precision = precision;
            let begin = Instant::now();
            let made = model.train_step(&batches[step as usize % batches.len()], context)?;
            // Reading waits for the device.
            losses = Vec::<f64>::try_from(made.to_kind(Kind::Double))?;
            times.push(begin.elapsed().as_secs_f64().to_string());
            step += 1;
        }
        writeln!(out, "{}", times.join(" "))?;
        writeln!(out, "{}", losses.iter().map(f64::to_string).collect::<Vec<_>>().join(" "))?;
        out.flush()?;
    }
    Ok(())
}
