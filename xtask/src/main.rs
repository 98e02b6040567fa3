//! `cargo xtask`: sets up libtorch for this checkout, then runs cargo.
//!
//! It does not depend on tch and has few dependencies, so that it builds in seconds without libtorch.

// Shared with the library, which looks in the same place.
#[path = "../../src/store/cache.rs"]
mod cache;
mod chart;
mod checkout;
mod checksum;
mod cli;
mod compare;
mod compare_step;
mod cuda_kernels;
mod date;
mod dependent;
mod doctor;
mod gpu_check;
mod inception;
mod libtorch;
mod machine;
mod origin;
mod peer;
mod pip;
mod process_memory;
mod profile;
mod python;
mod quality;
mod release;
mod scratch;
mod setup;
mod store;
mod trouble;
mod wheels;

use std::env;
use std::process::{Command, ExitCode};

use checkout::Checkout;
use cli::Task;
use trouble::{Result, Trouble};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match cli::parse(&arguments).and_then(run) {
        Ok(code) => code,
        Err(trouble) => {
            eprintln!("xtask: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    let checkout = Checkout::of_this_run()?;
    match task {
        Task::Help => {
            print!("{}", cli::USAGE);
            Ok(ExitCode::SUCCESS)
        }
        Task::Setup(kind) => {
            let libtorch = setup::prepare(&checkout, kind)?;
            eprintln!("xtask: ready: {libtorch}");
            Ok(ExitCode::SUCCESS)
        }
        Task::Doctor => Ok(doctor::examine(&checkout)),
        Task::CompareLoader(asked) => {
            setup::prepare(&checkout, None)?;
            compare::compare(&checkout, &asked).map(|()| ExitCode::SUCCESS)
        }
        Task::Compare(asked) => {
            setup::prepare(&checkout, None)?;
            compare_step::compare(&checkout, &asked).map(|()| ExitCode::SUCCESS)
        }
        Task::CudaKernels(asked) => cuda_kernels::check(&checkout, &asked).map(|()| ExitCode::SUCCESS),
        Task::Inception(asked) => inception::fetch(&asked).map(|()| ExitCode::SUCCESS),
        Task::Quality(asked) => {
            setup::prepare(&checkout, None)?;
            quality::measure(&checkout, &asked).map(|()| ExitCode::SUCCESS)
        }
        Task::GpuCheck(asked) => gpu_check::run(&checkout, &asked).map(|()| ExitCode::SUCCESS),
        Task::Dependent => dependent::check(&checkout).map(|()| ExitCode::SUCCESS),
        Task::Cargo(arguments) => {
            setup::prepare(&checkout, None)?;
            let mut cargo = checkout.cargo_here();
            if arguments.first().is_some_and(|command| command == "test") {
                one_thread_each(&mut cargo);
            }
            hand_over(cargo.args(arguments))
        }
    }
}

/// Limits each test to one thread. Tests already run in parallel; if each also used all cores in libtorch, whose
/// threads spin while waiting, they would take several times as long.
fn one_thread_each(cargo: &mut Command) {
    if env::var_os("OMP_NUM_THREADS").is_none() {
        cargo.env("OMP_NUM_THREADS", "1");
    }
}

/// Replaces this process with a command that reports its own errors. This way only the command receives Ctrl-C, and the
/// terminal waits for it to exit.
#[cfg(unix)]
fn hand_over(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(Trouble::new(format!("cannot start {command:?}: {error}")))
}

/// Runs a command that reports its own errors, and exits with its status.
#[cfg(not(unix))]
fn hand_over(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().map_err(|e| Trouble::new(format!("cannot start {command:?}: {e}")))?;
    // A command killed by a signal has no exit code.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(if status.success() { ExitCode::SUCCESS } else { code.map_or(ExitCode::FAILURE, ExitCode::from) })
}
