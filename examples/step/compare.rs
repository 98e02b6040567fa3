//! Runs steps in alternation with PyTorch, for `cargo xtask compare`.
//!
//! `prepare` writes the initial weights (`initial.pth`) and batches (`a.f32`, `b.f32`: f32, NCHW, little-endian, in
//! [-1, 1]). `run` reads them, and answers each input line with one line of seconds per step and one line with the
//! losses of the last step.

use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use geolearn::dataset::Batch;
use geolearn::device::Precision;
use tch::Tensor;

use crate::model::Kind;
use crate::work::{Outcome, Work, read};

const BANDS: i64 = 3;

pub fn prepare(kind: Kind, folder: &Path, side: usize, batch: usize) -> Outcome<()> {
    let data = kind.data(side)?;
    fs::create_dir_all(folder)?;
    kind.model(&data, side)?.save(&folder.join("initial"))?;
    fs::copy(folder.join("initial/initial.pth"), folder.join("initial.pth"))?;
    let mut bytes = [Vec::new(), Vec::new()];
    for Batch { a, b, .. } in kind.batches(&data, batch)? {
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
        Ok(Tensor::f_from_data_size(&bytes, &[bytes.len() as i64 / 4], tch::Kind::Float)?.f_reshape(shape)?)
    };
    let (a, b) = (read("a.f32")?, read("b.f32")?);
    Ok((0..a.size()[0]).map(|i| Batch::new(a.get(i), b.get(i))).collect())
}

pub fn run(kind: Kind, folder: &Path, side: usize, batch: usize, precision: Precision) -> Outcome<()> {
    // PyTorch's thread count is fixed too; among few steps, a trial step with another count would weigh too much.
    geolearn::runtime::set_num_threads(geolearn::runtime::num_threads())?;
    let mut model = kind.model(&kind.data(side)?, side)?;
    model.load_weights(&folder.join("initial.pth"))?;
    let mut work = Work::of(model, batches(folder, side, batch)?, precision)?;
    let mut out = std::io::stdout();
    let device = format!("{:?}", work.model().device().torch()).to_lowercase();
    writeln!(out, "ready on {device}, {} threads", geolearn::runtime::num_threads())?;
    for line in std::io::stdin().lock().lines() {
        let mut losses = Vec::new();
        let mut times = Vec::new();
        for _ in 0..line?.trim().parse::<usize>()? {
            let begin = Instant::now();
            losses = read(&work.step()?)?;
            times.push(begin.elapsed().as_secs_f64().to_string());
        }
        writeln!(out, "{}", times.join(" "))?;
        writeln!(out, "{}", losses.iter().map(f64::to_string).collect::<Vec<_>>().join(" "))?;
        out.flush()?;
    }
    Ok(())
}
