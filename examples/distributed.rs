//! Trains one model with several processes, on one machine or more.
//!
//! Start all processes on this machine:
//!
//! ```text
//! cargo run --release --example distributed -- --processes 2 [--epochs N] [--chips FOLDER] [--out FOLDER]
//! ```
//!
//! Or use a launcher, which sets the variables that [`Distributed::from_env`] reads:
//!
//! ```text
//! torchrun --no-python --nproc-per-node 2 --max-restarts 3 target/release/examples/distributed
//! srun --ntasks 8 target/release/examples/distributed        # with MASTER_ADDR and MASTER_PORT set
//! ```
//!
//! Only the first process prints and writes files. Ctrl-C, or SIGTERM to any process, stops all processes after the
//! same step. Running the same command again resumes, even after a process was killed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

mod common;

use std::error::Error;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{available_parallelism, sleep};
use std::time::Duration;

use clap::Parser;
use geolearn::distributed::Distributed;
use geolearn::train::Checkpoint;
use geolearn::{CycleGan, DatasetType, FitOptions, PrepareData};

/// Trains a model with several processes. See the header of the source file for details.
#[derive(Debug, Parser)]
#[command(name = "distributed")]
struct Arguments {
    /// Number of processes to start on this machine
    #[arg(long, value_name = "N")]
    processes: Option<usize>,
    /// Epochs to train for
    #[arg(long, value_name = "N", default_value_t = 30)]
    epochs: usize,
    /// Chips per step and process
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch_size: usize,
    /// Folder with the chips of both domains
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/bluemarble"))]
    chips: PathBuf,
    /// Folder for the model and checkpoints
    #[arg(long, value_name = "FOLDER", default_value = "out/distributed")]
    out: PathBuf,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    match arguments.processes {
        Some(processes) => start(processes),
        None => train(&arguments).map(|()| ExitCode::SUCCESS),
    }
}

/// Trains in one process of the group.
fn train(Arguments { epochs, batch_size, chips, out, .. }: &Arguments) -> Result<(), Box<dyn Error>> {
    let group = Distributed::from_env()?;
    let signal = common::stop_on_ctrl_c()?;
    let data = PrepareData::new(chips, DatasetType::CycleGan).batch_size(*batch_size).prepare()?;
    let builder = CycleGan::builder(&data).gen_blocks(3).gen_features(16).disc_features(16);
    let mut model = builder.device(group.device()).build()?;
    if group.is_main() {
        println!("{} process(es), {} chips per step", group.world_size(), group.world_size() * batch_size);
    }
    let options = FitOptions::new(*epochs)
        .distributed(group.clone())
        .progress(group.is_main())
        .checkpoint(Checkpoint::Last)
        .checkpoint_dir(out.join("checkpoints"))
        .resume(true)
        .callback(signal.clone());
    let history = model.fit(options)?;
    if group.is_main() {
        report(&model, history.steps(), signal.is_set(), out)?;
    }
    Ok(())
}

fn report(model: &CycleGan, steps: u64, is_stopped: bool, out: &Path) -> geolearn::Result<()> {
    if is_stopped {
        println!("Stopped after {steps} steps; run the same command again to resume.");
        return Ok(());
    }
    let folder = model.save(out.join("model"))?;
    println!("Trained for {steps} steps; the model is in {}.", folder.display());
    Ok(())
}

/// Starts this program `processes` times, as torchrun does, and waits for all of them. They exit by themselves when one
/// fails.
fn start(processes: usize) -> Result<ExitCode, Box<dyn Error>> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let cores = available_parallelism().map_or(1, usize::from);
    let mut children = Vec::new();
    for rank in 0..processes {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(without_processes(std::env::args().skip(1)));
        let numbers = [("RANK", rank), ("LOCAL_RANK", rank), ("WORLD_SIZE", processes)];
        command.envs(numbers.map(|(name, number)| (name, number.to_string())));
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
        if std::env::var_os("OMP_NUM_THREADS").is_none() {
            command.env("OMP_NUM_THREADS", (cores / processes.max(1)).max(1).to_string());
        }
        // Ctrl-C reaches only this process, which forwards it, as it does SIGTERM.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        children.push(command.spawn()?);
    }
    forward_signals(children.iter().map(Child::id).collect())?;
    wait(children)
}

fn without_processes(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--processes" => drop(arguments.next()),
            other if other.starts_with("--processes=") => {}
            _ => kept.push(argument),
        }
    }
    kept
}

fn forward_signals(ids: Vec<u32>) -> Result<(), ctrlc::Error> {
    let ids = Arc::new(Mutex::new(ids));
    ctrlc::set_handler(move || {
        for id in ids.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = Command::new("kill").args(["-TERM", &id.to_string()]).status();
        }
    })
}

/// Waits for all processes, and reports those that failed.
fn wait(mut children: Vec<Child>) -> Result<ExitCode, Box<dyn Error>> {
    let mut code = ExitCode::SUCCESS;
    let mut running: Vec<usize> = (0..children.len()).collect();
    while !running.is_empty() {
        let mut left = Vec::new();
        for rank in running {
            match children[rank].try_wait()? {
                None => left.push(rank),
                Some(status) if status.success() => {}
                Some(status) => {
                    eprintln!("process {rank} exited with {status}");
                    code = ExitCode::FAILURE;
                }
            }
        }
        running = left;
        sleep(Duration::from_millis(50));
    }
    Ok(code)
}
