//! The work of a child process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use geolearn::distributed::{Backend, Distributed, DistributedOptions};
use geolearn::models::LoadOptions;
use geolearn::train::{Callback, Checkpoint, Flow, StepReport, StopSignal};
use geolearn::{
    CycleGan, DataBunch, DatasetType, Device, Domain, Error, FitOptions, PrepareData, RasterOptions, Result,
};

use super::common::on_cpu;
use super::pairs;
use super::processes::{FAULT, FOLDER, TIMEOUT, WORK, word_of};

pub const EPOCHS: usize = 6;

/// Not a test of its own: each child process runs it.
#[test]
#[ignore = "run by the tests that start several"]
fn child() {
    let Ok(work) = std::env::var(WORK) else { return };
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let rank = std::env::var("RANK").unwrap().parse().unwrap();
    let said = match work.as_str() {
        "train" => train(&folder, |options| options),
        "train_bf16" => train_with(&folder, group_with(|options| options.bf16_gradients(true)), |options| options),
        "another_way" => group_with(|options| options.bf16_gradients(rank == 1)).map(|_| "together".to_owned()),
        "nccl" => group_with(|options| options.backend(Backend::Nccl)).map(|group| format!("by {:?}", group.backend())),
        "another_rate" => train(&folder, |options| if rank == 1 { options.lr(1e-3) } else { options }),
        "pairs" => group().and_then(|group| pairs::train(group, 2)),
        "pairs_each" => group().and_then(|group| pairs::train(group, 1)),
        "gather" => group().and_then(|group| group.barrier()).map(|()| "together".to_owned()),
        "again" => again(),
        "prepare" => prepare(&folder),
        "translate" => translate(&folder),
        "leaves" => leave(&folder, rank),
        other => panic!("there is no work {other}"),
    };
    let failed = said.is_err();
    let said = said.unwrap_or_else(|error| format!("{:?}: {error}", error.kind()));
    std::fs::write(word_of(&folder, rank), said).unwrap();
    assert!(!failed, "it ended with an error");
}

fn group() -> Result<Distributed> {
    group_with(|options| options)
}

fn group_with(change: impl Fn(DistributedOptions) -> DistributedOptions) -> Result<Distributed> {
    let seconds = std::env::var(TIMEOUT).map_or(120, |seconds| seconds.parse().unwrap());
    change(DistributedOptions::new().timeout(Duration::from_secs(seconds))).from_env()
}

pub fn data(folder: &Path) -> DataBunch {
    PrepareData::new(folder.join("chips"), DatasetType::CycleGan).resize_to(32).batch_size(1).prepare().unwrap()
}

/// Trains to the end from the newest checkpoint, if any. Reports the steps and a checksum of the model's output.
fn train(folder: &Path, change: impl Fn(FitOptions) -> FitOptions) -> Result<String> {
    train_with(folder, group(), change)
}

fn train_with(folder: &Path, group: Result<Distributed>, change: impl Fn(FitOptions) -> FitOptions) -> Result<String> {
    let (group, signal) = (group?, StopSignal::new());
    let handler = signal.clone();
    ctrlc::set_handler(move || handler.stop()).unwrap();
    let data = data(folder);
    let mut model = on_cpu::builder(&data).gen_blocks(1).gen_features(8).disc_features(8).pool_size(3).build()?;
    let fault = Fault::read(group.rank());
    let options = FitOptions::new(EPOCHS)
        .progress(false)
        .distributed(group)
        .checkpoint(Checkpoint::Last)
        .checkpoint_dir(folder.join("run"))
        .checkpoint_every(2)
        .resume(true)
        .callback(Steps(folder.join("steps")))
        .callback(signal)
        .callback(fault);
    model.fit(change(options))?;
    Ok(format!("{} steps, {}", model.history().steps(), checksum(&model)))
}

fn checksum(model: &CycleGan) -> String {
    let bytes: Vec<u8> = super::common::answer(model).iter().flat_map(|value| value.to_le_bytes()).collect();
    format!("{:08x}", crc32c::crc32c(&bytes))
}

/// Reports the progress of the fit to the test.
struct Steps(PathBuf);

impl Callback for Steps {
    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        std::fs::write(&self.0, report.steps.to_string())?;
        Ok(Flow::Continue)
    }
}

/// Injects a fault after it was asked this many times whether to stop.
struct Fault {
    how: String,
    at: usize,
    asked: AtomicUsize,
}

impl Fault {
    /// The fault of this process in its first run; otherwise one that never occurs.
    fn read(rank: usize) -> Self {
        let text = std::env::var(FAULT).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_again = std::env::var("TORCHELASTIC_RESTART_COUNT").is_ok_and(|count| count != "0");
        let (how, at) = match words.as_slice() {
            [who, how, at] if who.parse() == Ok(rank) && !is_again => (*how, at.parse().unwrap()),
            _ => ("", usize::MAX),
        };
        Self { how: how.to_owned(), at, asked: AtomicUsize::new(0) }
    }
}

impl Callback for Fault {
    fn wants_to_stop(&self) -> bool {
        self.misbehave();
        false
    }
}

impl Fault {
    fn misbehave(&self) {
        if self.asked.fetch_add(1, Ordering::SeqCst) + 1 != self.at {
            return;
        }
        match self.how.as_str() {
            "abort" => std::process::abort(),
            "exit" => std::process::exit(3),
            "panic" => panic!("a fault of the test"),
            "hang" => std::thread::sleep(Duration::from_secs(3600)),
            "freeze" => drop(Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status()),
            other => panic!("there is no fault {other}"),
        }
    }
}

pub const SCENE: &str = "assets/scenes/bluemarble_asia.tif";

pub fn translator() -> CycleGan {
    CycleGan::from_model_with("tests/fixtures/models/sat2relief", LoadOptions::new().device(Device::Cpu)).unwrap()
}

/// Small tiles: the scene has six rows of them.
pub fn raster_options() -> RasterOptions {
    RasterOptions::new(Domain::B).tile_size(64).halo(32).progress(false)
}

/// Translates a scene together with the other processes, and injects a fault at a given progress.
fn translate(folder: &Path) -> Result<String> {
    let group = group()?;
    let fault = Fault::read(group.rank());
    let options = raster_options().distributed(group).on_progress(move |_| fault.misbehave());
    let report = translator().predict_raster(SCENE, folder.join("out.tif"), options)?;
    Ok(format!("{} output, {} pixels", report.outputs().len(), report.network_pixels()))
}

/// Uses two groups in succession, as two fits do. Reports this process's share of ten items.
fn again() -> Result<String> {
    group()?.barrier()?;
    let group = group()?;
    group.barrier()?;
    Ok(format!("{:?}", group.share((0..10).collect())))
}

/// One process fails by itself, or leaves the group, before the others reach an exchange.
fn leave(folder: &Path, rank: usize) -> Result<String> {
    let group = group()?;
    if rank == 1 {
        std::fs::write(folder.join("left"), "")?;
        return Err(Error::callback("the chips are gone"));
    }
    group.barrier()?;
    Ok("together".into())
}

/// Reports which statistics file it found or created.
fn prepare(folder: &Path) -> Result<String> {
    let group = group()?;
    group.barrier()?;
    let data = PrepareData::new(folder.join("chips"), DatasetType::CycleGan).prepare()?;
    let inode = |name: &str| {
        use std::os::unix::fs::MetadataExt;
        Ok::<_, Error>(std::fs::metadata(folder.join("chips/.geolearn").join(name))?.ino())
    };
    let files = [inode("survey_a.json")?, inode("survey_b.json")?];
    group.barrier()?;
    Ok(format!("{files:?} {data}"))
}
