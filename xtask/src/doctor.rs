//! `cargo xtask doctor`: reports what is installed, what is required, and what to do next. Changes nothing.

use std::env;
use std::process::{Command, ExitCode};

use crate::checkout::Checkout;
use crate::libtorch::{Kind, Libtorch};
use crate::machine::{Machine, oldest_driver};
use crate::origin::{Environment, Origin};
use crate::python::Python;
use crate::release::{self, Release};
use crate::setup;
use crate::store::Store;
use crate::trouble::{Result, Trouble};

/// Whether something prevents a build.
#[derive(Debug, PartialEq)]
enum State {
    Good,
    /// Worth knowing, but does not prevent a build.
    Note,
    Bad,
}

struct Finding {
    name: &'static str,
    state: State,
    text: String,
    next: Option<String>,
}

impl Finding {
    fn new(name: &'static str, state: State, text: impl Into<String>) -> Self {
        Self { name, state, text: text.into(), next: None }
    }

    fn of(name: &'static str, otherwise: State, result: Result<String>) -> Self {
        match result {
            Ok(text) => Self::new(name, State::Good, text),
            Err(trouble) => {
                let (what, advice) = trouble.parts();
                Self { name, state: otherwise, text: what.into(), next: advice.map(String::from) }
            }
        }
    }

    fn print(&self) {
        let mark = match self.state {
            State::Good => "ok",
            State::Note => "--",
            State::Bad => "!!",
        };
        println!("{mark}  {:<9} {}", self.name, self.text);
        if let Some(next) = &self.next {
            println!("              what to do: {next}");
        }
    }
}

/// Prints the findings, and fails if a build could not succeed.
pub fn examine(checkout: &Checkout) -> ExitCode {
    let findings = findings(checkout);
    findings.iter().for_each(Finding::print);
    if findings.iter().any(|finding| finding.state == State::Bad) {
        println!("\nA build cannot succeed yet: see the lines marked !!");
        return ExitCode::FAILURE;
    }
    println!("\nEverything is ready: `cargo xtask demo` runs the demo, `cargo xtask test` runs the tests.");
    ExitCode::SUCCESS
}

fn findings(checkout: &Checkout) -> Vec<Finding> {
    let mut all = vec![rust(checkout), compiler(), python()];
    let release = match checkout.read("Cargo.lock").and_then(|lock| release::locked(&lock)) {
        Ok(release) => release,
        Err(trouble) => {
            all.push(Finding::of("tch", State::Bad, Err(trouble)));
            return all;
        }
    };
    all.push(Finding::new(
        "tch",
        State::Good,
        format!("{} in Cargo.lock, made for libtorch {}", release.tch, release.libtorch),
    ));
    let libtorch = setup::look(checkout, release);
    let cuda = cuda(&Machine::this(), libtorch.as_ref().ok());
    all.push(libtorch_finding(checkout, release, libtorch));
    all.extend(kept(release));
    all.push(cuda);
    all
}

fn rust(checkout: &Checkout) -> Finding {
    let manifest = checkout.read("Cargo.toml").unwrap_or_default();
    let wanted = manifest.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next());
    let wanted = wanted.map_or(String::new(), |version| format!(" (required: {version} or newer)"));
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    Finding::of("rustc", State::Bad, first_line(&rustc, "install Rust").map(|found| found + &wanted))
}

/// Checks the C++ compiler that the `cc` crate runs for torch-sys.
fn compiler() -> Finding {
    let name = env::var("CXX").ok().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| "c++".into());
    // CXX can also contain a wrapper or arguments.
    let program = name.split_whitespace().next().unwrap_or("c++");
    let found = first_line(
        program,
        "install it (Debian, Ubuntu: `apt-get install g++`), or set CXX to one that supports C++17",
    );
    Finding::of("C++", State::Bad, found)
}

fn first_line(program: &str, advice: &str) -> Result<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.map_err(|e| Trouble::new(format!("cannot start {program}: {e}")).advice(advice))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    match stdout.lines().next() {
        Some(line) if output.status.success() => Ok(line.to_string()),
        _ => Err(Trouble::new(format!("{program} --version exited with {}", output.status)).advice(advice)),
    }
}

fn python() -> Finding {
    let python = Python::of_user();
    let found = python.describe().map(|text| format!("{python}: {text} (used only to find or download libtorch)"));
    Finding::of("Python", State::Note, found)
}

fn libtorch_finding(checkout: &Checkout, release: &Release, found: Result<Libtorch>) -> Finding {
    let from = match Environment::of_process().origin(checkout) {
        Origin::Pytorch => "from LIBTORCH_USE_PYTORCH",
        Origin::Own(_) => "from LIBTORCH",
        Origin::Checkout => "through .libtorch/torch of this checkout",
    };
    let checked = found.and_then(|libtorch| match libtorch.missing_for("torch_cpu") {
        missing if missing.is_empty() => Ok(libtorch),
        missing => Err(lacks(&libtorch, "torch_cpu", &missing)),
    });
    let text = checked.map(|libtorch| {
        let real = libtorch.dir.canonicalize().unwrap_or(libtorch.dir.clone());
        format!(
            "{} ({}) {from}, which is {} (required: {})",
            libtorch.version,
            libtorch.kind,
            real.display(),
            release.libtorch
        )
    });
    Finding::of("libtorch", State::Bad, text)
}

fn lacks(libtorch: &Libtorch, library: &str, missing: &[String]) -> Trouble {
    Trouble::new(format!("lib{library} of {} needs {}, not found", libtorch.dir.display(), missing.join(", ")))
        .advice("install the packages that PyTorch depends on, or let `cargo xtask setup` download a complete set")
}

/// Finds other installations besides the libtorch in use.
fn kept(release: &Release) -> Vec<Finding> {
    let fetched =
        Store::of_user().into_iter().flat_map(|store| [Kind::Cpu, Kind::Cuda].map(|kind| store.find(release, kind)));
    let fetched = fetched.flatten().map(|libtorch| format!("fetched earlier: {libtorch}"));
    let installed = setup::installed(release).map(|libtorch| format!("installed in Python: {libtorch}"));
    fetched.chain(installed).map(|text| Finding::new("at hand", State::Note, text)).collect()
}

/// Reports whether a program would use CUDA, and why.
fn cuda(machine: &Machine, libtorch: Option<&Libtorch>) -> Finding {
    match cuda_reason(machine, libtorch) {
        Ok(why) => Finding::new("CUDA", State::Good, format!("yes: {why}")),
        Err((why, next)) => Finding { next, ..Finding::new("CUDA", State::Note, format!("no: {why}")) },
    }
}

fn cuda_reason(
    machine: &Machine,
    libtorch: Option<&Libtorch>,
) -> std::result::Result<String, (String, Option<String>)> {
    let no = |why: String, next: &str| Err((why, (!next.is_empty()).then(|| next.to_string())));
    let Some(device) = &machine.device else {
        return no("no NVIDIA device found (no /dev/nvidiactl); training runs on the CPU".into(), "");
    };
    let Some(libtorch) = libtorch else {
        return no(format!("{device} found, but no usable libtorch yet"), "");
    };
    if libtorch.kind == Kind::Cpu {
        let why = format!("{device} found, but this libtorch is for the CPU (it has no libtorch_cuda)");
        return no(why, "`cargo xtask setup --cuda`, or set LIBTORCH to one with CUDA");
    }
    let (cuda, driver) = (libtorch.cuda.as_deref().unwrap_or("?"), machine.driver.as_deref().unwrap_or("?"));
    let major = driver.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if let (Some(major), Some(oldest)) = (major, oldest_driver(cuda))
        && major < oldest
    {
        return no(
            format!("the driver is {driver}, but CUDA {cuda} needs {oldest} or newer"),
            "update the NVIDIA driver",
        );
    }
    // The driver provides libcuda, which programs look for later.
    let missing: Vec<_> =
        libtorch.missing_for("torch_cuda").into_iter().filter(|name| name != "libcuda.so.1").collect();
    if !missing.is_empty() {
        let trouble = lacks(libtorch, "torch_cuda", &missing);
        return no(trouble.parts().0.to_string(), trouble.parts().1.unwrap_or_default());
    }
    Ok(format!("{device} found, driver {driver}, and this libtorch is for CUDA {cuda}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(device: Option<&str>, driver: &str) -> Machine {
        Machine { device: device.map(String::from), driver: Some(driver.into()) }
    }

    fn libtorch(kind: Kind) -> Libtorch {
        Libtorch { dir: "/nowhere".into(), version: "2.11.0+cu130".into(), cuda: Some("13.0".into()), kind }
    }

    fn reason(machine: &Machine, libtorch: Option<&Libtorch>) -> String {
        let finding = cuda(machine, libtorch);
        format!("{} {}", finding.text, finding.next.unwrap_or_default())
    }

    #[test]
    fn cuda_says_why() {
        let (cpu, full) = (libtorch(Kind::Cpu), libtorch(Kind::Cuda));
        let new = machine(Some("/dev/nvidiactl"), "580.95.05");
        for (machine, libtorch, expected) in [
            (machine(None, ""), Some(&full), "no: no NVIDIA device found"),
            (machine(Some("/dev/nvidiactl"), "535.183.01"), Some(&full), "needs 580 or newer"),
            (machine(Some("/dev/nvidiactl"), "580.95.05"), Some(&cpu), "setup --cuda"),
            (machine(Some("/dev/nvidiactl"), "580.95.05"), None, "no usable libtorch yet"),
        ] {
            let text = reason(&machine, libtorch);
            assert!(text.contains(expected), "{text:?} should contain {expected:?}");
        }
        assert!(reason(&new, Some(&full)).starts_with("yes: /dev/nvidiactl found, driver 580.95.05"));
    }
}
