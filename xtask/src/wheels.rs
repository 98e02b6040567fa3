//! Extracts libtorch from PyTorch's wheels.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checkout::symlink_dir;
use crate::libtorch::{Kind, Libtorch, library};
use crate::pip;
use crate::python::Python;
use crate::release::Release;
use crate::trouble::{Result, Trouble};

/// Libraries of the CUDA build that the CPU set omits: each needs CUDA libraries that are not downloaded, or Python.
/// `torch` only refers to others, and is replaced by a link.
const CUDA_ONLY: &[&str] =
    &["torch_cuda", "torch_cuda_linalg", "torch_nvshmem", "torch_python", "c10_cuda", "caffe2_nvrtc", "shm", "torch"];

pub fn size(kind: Kind) -> &'static str {
    match kind {
        Kind::Cpu => "CPU, about 540 MB to download, 640 MB on disk",
        Kind::Cuda => "CUDA, about 2.7 GB to download, 4.5 GB on disk",
    }
}

/// Assembles a set inside `work`, and returns its folder.
pub fn install(release: &Release, kind: Kind, python: &Python, work: &Path, lock: &File) -> Result<PathBuf> {
    let version = python.pip_version()?;
    let set = work.join("set");
    let mut command = python.command();
    configure(&mut command, release, kind, &set);
    pip::run(&mut command, work, lock).map_err(|end| {
        Trouble::new(format!(
            "pip {version} of {python} could not download libtorch {} ({end}); no partial files remain",
            release.libtorch
        ))
        .advice(pip_advice(kind))
    })?;
    finish(&set, release, kind)?;
    Ok(set)
}

fn pip_advice(kind: Kind) -> String {
    format!(
        "pip says above what failed. No connection: check network and proxy, and run this again. No space: {} are \
         needed. No matching distribution: upgrade a pip older than 20.3 (`python3 -m pip install --upgrade pip`); \
         for systems other than Linux on x86-64 see docs/setup.md, which also says how to set LIBTORCH by hand",
        size(kind)
    )
}

fn configure(command: &mut Command, release: &Release, kind: Kind, set: &Path) {
    // The wheels for any Python will do, since nothing in them is imported.
    let any_python = ["--python-version", "3.12", "--implementation", "cp", "--only-binary=:all:"];
    command.args(["-m", "pip", "install", "--no-compile"]).args(any_python).arg("--target").arg(set);
    if kind == Kind::Cpu {
        command.arg("--no-deps");
    }
    command.arg(format!("torch=={}", release.libtorch));
    if kind == Kind::Cpu && cfg!(target_os = "linux") {
        command.args(release.runtime);
    }
}

/// Trims the set, and checks that a build can use it.
fn finish(set: &Path, release: &Release, kind: Kind) -> Result<()> {
    let torch = set.join("torch");
    if kind == Kind::Cpu && cfg!(target_os = "linux") {
        trim(&torch.join("lib")).map_err(Trouble::file("cannot trim", &torch))?;
    }
    // torch-sys checks this file, which wheels do not have.
    let version = torch.join("build-version");
    fs::write(&version, release.libtorch).map_err(Trouble::file("cannot write", &version))?;
    let found = Libtorch::of_release(&torch, release)?;
    let missing = found.missing_for("torch_cpu");
    if found.kind != kind || !missing.is_empty() {
        let lack =
            if missing.is_empty() { format!("is for {}", found.kind) } else { format!("lacks {}", missing.join(", ")) };
        return Err(Trouble::new(format!("pip succeeded, but the libtorch that it downloaded {lack}"))
            .advice("download it by hand and set LIBTORCH, as docs/setup.md describes"));
    }
    Ok(())
}

fn trim(lib: &Path) -> io::Result<()> {
    for name in CUDA_ONLY {
        match fs::remove_file(lib.join(library(name))) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    symlink_dir(Path::new(&library("torch_cpu")), &lib.join(library("torch")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libtorch::tests::make_wheel;
    use crate::release::locked;
    use crate::scratch::Scratch;

    fn release() -> &'static Release {
        locked("name = \"tch\"\nversion = \"0.24.0\"\n").unwrap()
    }

    fn line(kind: Kind) -> String {
        let mut command = Command::new("python3");
        configure(&mut command, release(), kind, Path::new("set"));
        command.get_args().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_wheel_is_trimmed_to_what_cpu_use_needs() {
        let scratch = Scratch::new("trim").unwrap();
        let torch = scratch.path().join("torch");
        make_wheel(&torch, CUDA_ONLY);
        make_wheel(&torch, &["torch_cpu", "c10"]);
        finish(scratch.path(), release(), Kind::Cpu).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(torch.join("lib")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, [library("c10"), library("torch"), library("torch_cpu")]);
        assert_eq!(fs::read_link(torch.join("lib").join(library("torch"))).unwrap(), Path::new(&library("torch_cpu")));
        assert!(torch.join("include/ATen/ATen.h").exists());
        assert_eq!(fs::read_to_string(torch.join("build-version")).unwrap(), "2.11.0");
    }

    #[test]
    fn a_cuda_set_without_cuda_is_refused() {
        let scratch = Scratch::new("no-cuda").unwrap();
        make_wheel(&scratch.path().join("torch"), &["torch_cpu", "c10"]);
        assert!(finish(scratch.path(), release(), Kind::Cuda).unwrap_err().to_string().contains("is for CPU"));
    }

    #[test]
    fn only_the_cuda_set_takes_all_that_torch_depends_on() {
        assert!(line(Kind::Cpu).contains("--no-deps torch==2.11.0"));
        assert!(!line(Kind::Cuda).contains("--no-deps"));
        assert!(line(Kind::Cuda).ends_with("torch==2.11.0"));
    }
}
