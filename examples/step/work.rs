//! Code shared by all tasks: chips, networks, batches, steps.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use geolearn::dataset::Batch;
use geolearn::device::Precision;
use geolearn::optim::AdamOptions;
use geolearn::train::StepContext;
use serde_json::Value;
use tch::Tensor;

use crate::model::{Kind, Model};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Returns the path of a file in the folder of bundled data.
pub fn asset(name: &str) -> PathBuf {
    std::env::var_os("GEOLEARN_ASSETS").map_or_else(|| "assets".into(), PathBuf::from).join(name)
}

pub fn precision_of(name: &str) -> Outcome<Precision> {
    match name {
        "f32" => Ok(Precision::F32),
        "bf16" => Ok(Precision::Bf16),
        "tf32" => Ok(Precision::Tf32),
        _ => Err(format!("unknown precision {name:?}: expected f32, tf32 or bf16").into()),
    }
}

/// A way to take steps: a precision with optional switches, such as `bf16+graph`.
pub struct Way<'a> {
    pub name: &'a str,
    pub precision: Precision,
    pub switches: Switches,
}

/// Settings that apply to the whole process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Switches {
    /// Whether to run steps as CUDA graphs.
    pub graph: bool,
    /// Whether to use libtorch's operators instead of this crate's CUDA layers.
    pub operators: bool,
    /// Whether norms read a map once if it fits in shared memory.
    pub on_chip: bool,
    /// Whether residual blocks keep the map that they could compute again.
    pub no_recompute: bool,
    /// Whether cuDNN benchmarks its kernels in every precision.
    pub search: bool,
}

impl<'a> Way<'a> {
    pub fn of(name: &'a str) -> Outcome<Self> {
        let mut words = name.split('+');
        let precision = precision_of(words.next().unwrap_or_default())?;
        let mut switches = Switches::default();
        for word in words {
            let switch = match word {
                "graph" => &mut switches.graph,
                "operators" => &mut switches.operators,
                "on-chip" => &mut switches.on_chip,
                "no-recompute" => &mut switches.no_recompute,
                "search" => &mut switches.search,
                other => {
                    let known = "`+graph`, `+operators`, `+on-chip`, `+no-recompute` or `+search`";
                    return Err(format!("unknown suffix `+{other}`: expected {known}").into());
                }
            };
            *switch = true;
        }
        Ok(Self { name, precision, switches })
    }
}

pub fn list<T: FromStr>(text: &str) -> Result<Vec<T>, T::Err> {
    text.split(',').map(str::parse).collect()
}

/// A model, batches on its device, and the number of steps taken.
pub struct Work {
    model: Model,
    batches: Vec<Batch>,
    precision: Precision,
    step: u64,
}

impl Work {
    /// # Errors
    /// If the device does not support this precision.
    pub fn new(side: usize, batch: usize, precision: Precision) -> Outcome<Self> {
        let kind = Kind::Cyclegan;
        let data = kind.data(side)?;
        Self::of(kind.model(&data, side)?, kind.batches(&data, batch)?, precision)
    }

    pub fn of(model: Model, batches: Vec<Batch>, precision: Precision) -> Outcome<Self> {
        let device = model.device().torch();
        if precision == Precision::Tf32 && !device.is_cuda() {
            return Err("TF32 needs a CUDA device".into());
        }
        let there = |tensor: &Tensor| tensor.f_to_device(device);
        let batches = batches.iter().map(|batch| Ok(Batch::new(there(&batch.a)?, there(&batch.b)?)));
        Ok(Self { batches: batches.collect::<Outcome<_>>()?, model, precision, step: 0 })
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// # Errors
    /// If the steps did not run as this way requires.
    pub fn check(&self, way: &Way<'_>) -> Outcome<()> {
        match (self.model.uses_cuda_graphs(), way.switches.graph) {
            (false, true) => {
                let why = self.model.cuda_graphs_failure().unwrap_or("they are not on CUDA");
                Err(format!("steps did not run as CUDA graphs: {why}").into())
            }
            (true, false) => Err("steps ran as CUDA graphs".into()),
            _ => Ok(()),
        }
    }

    /// Trains on the next batch. On a GPU the work may continue until the losses are read.
    pub fn step(&mut self) -> geolearn::Result<Tensor> {
        let mut context = StepContext::new(2e-4, AdamOptions::default(), self.step);
        context.precision = self.precision;
        let batch = &self.batches[self.step as usize % self.batches.len()];
        let losses = self.model.translator().train_step(batch, context)?;
        self.step += 1;
        Ok(losses)
    }
}

/// Reads the losses, which waits for the device.
pub fn read(losses: &Tensor) -> geolearn::Result<Vec<f64>> {
    Ok(Vec::<f64>::try_from(losses.to_kind(tch::Kind::Double))?)
}

/// Returns the quantile of sorted times.
pub fn at_share(times: &[f64], share: f64) -> f64 {
    times[((times.len() - 1) as f64 * share).round() as usize]
}

/// Appends a line to a file, and prints it.
pub fn write_line(file: &Path, row: &Value) -> Outcome<()> {
    println!("{row}");
    Ok(writeln!(OpenOptions::new().create(true).append(true).open(file)?, "{row}")?)
}
