//! The work of a child process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use geolearn::distributed::{Backend, Distributed, DistributedOptions};
use geolearn::models::LoadOptions;
use geolearn::train::{Callback, Checkpoint, Flow, StepReport, StopSignal};
use geolearn::{
    CycleGan, DataBunch, DatasetType, Device, Domain, Error, FitOptions, PrepareData, RasterOptions, Result,
};

use super::common::on_cpu;
use super::fault::Fault;
use super::pairs;
use super::processes::{FOLDER, TIMEOUT, WORK, word_of};

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
        "another_type" => group_with(|options| options.bf16_gradients(rank == 1)).map(|_| "together".to_owned()),
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

pub fn data(folder: &Path, batch_size: usize) -> DataBunch {
    let prepare = PrepareData::new(folder.join("chips"), DatasetType::CycleGan).resize_to(32);
    prepare.batch_size(batch_size).prepare().unwrap()
}

/// Trains to the end from the newest checkpoint, if any. Reports the steps and a checksum of the model's output.
fn train(folder: &Path, change: impl Fn(FitOptions) -> FitOptions) -> Result<String> {
    train_with(folder, group(), change)
}

fn train_with(folder: &Path, group: Result<Distributed>, change: impl Fn(FitOptions) -> FitOptions) -> Result<String> {
    let (group, signal) = (group?, signal_of_handler());
    let mut model = model(&data(folder, 1))?;
    let fault = Fault::read(group.rank(), signal.clone());
    let options = fit_options(folder).distributed(group).callback(Steps(folder.join("steps")));
    model.fit(change(options.callback(signal).callback(fault)))?;
    Ok(format!("{} steps, {}", model.history().steps(), checksum(&model)))
}

/// Returns a signal that Ctrl-C and SIGTERM set.
fn signal_of_handler() -> StopSignal {
    let signal = StopSignal::new();
    let handler = signal.clone();
    ctrlc::set_handler(move || handler.stop()).unwrap();
    signal
}

pub fn model(data: &DataBunch) -> Result<CycleGan> {
    on_cpu::builder(data).gen_blocks(1).gen_features(8).disc_features(8).pool_size(3).build()
}

/// Options of a fit that goes on from the newest checkpoint.
pub fn fit_options(folder: &Path) -> FitOptions {
    let options = FitOptions::new(EPOCHS).progress(false).checkpoint(Checkpoint::Last).checkpoint_every(2);
    options.checkpoint_dir(folder.join("run")).resume(true)
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

pub const SCENE: &str = "assets/scenes/bluemarble_asia.tif";

pub fn translator() -> CycleGan {
    CycleGan::from_model_with("tests/fixtures/models/sat2relief", LoadOptions::new().device(Device::Cpu)).unwrap()
}

/// Small tiles: the scene has six rows of them.
pub fn raster_options() -> RasterOptions {
    RasterOptions::new(Domain::B).tile_size(64).halo(32).progress(false)
}

/// Where a process that translates a scene tells what share it has done.
pub fn share_of(folder: &Path, rank: usize) -> PathBuf {
    folder.join(format!("share_{rank}"))
}

/// Translates a scene together with the others.
fn translate(folder: &Path) -> Result<String> {
    let (group, signal) = (group()?, signal_of_handler());
    let (fault, share_file) = (Fault::read(group.rank(), signal.clone()), share_of(folder, group.rank()));
    let options = raster_options().distributed(group).stop_signal(signal).on_progress(move |share| {
        std::fs::write(&share_file, share.to_string()).unwrap();
        fault.ask();
    });
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

/// Leaves the group in one process before the others enter a collective.
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
