//! Builds and compresses the programs that a GPU machine without Rust runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::checkout::Checkout;
use crate::compare::succeed;
use crate::release;
use crate::setup;
use crate::trouble::{Result, Trouble};

/// Keeps packed programs small enough for email and uploads.
const MOST_BYTES: u64 = 40_000_000;
/// Cargo target names and packed names: unit tests, CUDA tests, the training step.
const PROGRAMS: [(&str, &str); 3] = [("geolearn", "unit"), ("cuda", "cuda"), ("step", "step")];
const FOLDER: &str = "out/gpu";

pub fn pack(checkout: &Checkout, profile: &str) -> Result<()> {
    let libtorch = setup::prepare(checkout, None)?;
    let version = release::locked(&checkout.read("Cargo.lock")?)?.libtorch;
    let out = checkout.root().join(FOLDER);
    if out.exists() {
        fs::remove_dir_all(&out).map_err(Trouble::file("cannot remove", &out))?;
    }
    fs::create_dir_all(&out).map_err(Trouble::file("cannot create", &out))?;
    let mut total = 0;
    for (program, name) in build(checkout, profile)? {
        let bytes = shrink(&program, &out, name)?;
        eprintln!("xtask: {FOLDER}/{name}.gz, {:.1} MB", bytes as f64 / 1e6);
        total += bytes;
    }
    check_size(total)?;
    let facts = [
        ("root", checkout.root().display().to_string()),
        ("libtorch", version.to_string()),
        ("record", record(&libtorch.dir)),
        ("commit", commit(checkout.root())),
    ];
    for (name, text) in facts {
        let path = out.join(name);
        fs::write(&path, text + "\n").map_err(Trouble::file("cannot write", &path))?;
    }
    println!(
        "Packed in {FOLDER}: {:.1} MB. Take this checkout with that folder to a Linux machine with an NVIDIA GPU and a Python \
         that has torch {version}, and run there\n\n  bash xtask/gpu/run.sh\n\nthen here, on the folder out/gpu-results that it \
         leaves,\n\n  cargo xtask gpu-check report out/gpu-results",
        total as f64 / 1e6
    );
    Ok(())
}

/// Returns the programs and their packed names.
fn build(checkout: &Checkout, profile: &str) -> Result<Vec<(PathBuf, &'static str)>> {
    let mut lines = String::new();
    for what in [["test", "--no-run", "--lib", "--test=cuda"].as_slice(), ["build", "--example=step"].as_slice()] {
        let mut cargo = checkout.cargo_here();
        cargo.args(what).args(["--quiet", "--package=geolearn", "--message-format=json-render-diagnostics"]);
        cargo.arg("--profile").arg(profile).stderr(Stdio::inherit());
        lines += &printed(&mut cargo)?;
    }
    PROGRAMS.into_iter().map(|(target, name)| Ok((executable(&lines, target)?, name))).collect()
}

/// Finds the program of a target in cargo's messages.
fn executable(messages: &str, target: &str) -> Result<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut of_target = messages.filter(|message| message["target"]["name"] == target);
    let found = of_target.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    found.ok_or_else(|| Trouble::new(format!("cargo built no program of the target {target:?}")))
}

fn printed(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|e| Trouble::new(format!("cannot start {command:?}: {e}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Trouble::new(format!("{command:?} failed: {}", output.status)))
}

/// Strips debug information and compresses; returns the size in bytes.
fn shrink(program: &Path, out: &Path, name: &str) -> Result<u64> {
    let (stripped, zipped) = (out.join(name), out.join(format!("{name}.gz")));
    succeed(Command::new("strip").arg("-o").arg(&stripped).arg(program))
        .map_err(|trouble| trouble.advice("install binutils (Debian, Ubuntu: `apt-get install binutils`)"))?;
    let file = File::create(&zipped).map_err(Trouble::file("cannot create", &zipped))?;
    succeed(Command::new("gzip").arg("-9c").arg(&stripped).stdout(file))?;
    fs::remove_file(&stripped).map_err(Trouble::file("cannot remove", &stripped))?;
    Ok(fs::metadata(&zipped).map_err(Trouble::file("cannot read", &zipped))?.len())
}

fn check_size(bytes: u64) -> Result<()> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    Err(Trouble::new(format!(
        "packed programs take {:.1} MB, more than {} MB",
        bytes as f64 / 1e6,
        MOST_BYTES / 1_000_000
    )))
}

/// Returns the line with the hash of the main library from the Python package of this libtorch, if it is from a
/// package.
fn record(torch: &Path) -> String {
    const LIBRARY: &str = "torch/lib/libtorch_cpu.so,";
    let real = torch.canonicalize().unwrap_or_else(|_| torch.to_path_buf());
    let entries = real.parent().and_then(|site| fs::read_dir(site).ok()).into_iter().flatten().flatten();
    let infos = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("torch-") && name.ends_with(".dist-info")
    });
    let mut records = infos.filter_map(|info| fs::read_to_string(info.path().join("RECORD")).ok());
    let line = records.find_map(|text| text.lines().find(|line| line.starts_with(LIBRARY)).map(String::from));
    line.unwrap_or_else(|| format!("{LIBRARY}unknown"))
}

/// Returns the commit, marked if there are uncommitted changes, or "unknown" outside of a repository.
fn commit(root: &Path) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]);
    let text = printed(git.stderr(Stdio::null())).unwrap_or_default();
    if text.trim().is_empty() { "unknown".into() } else { text.trim().into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn cargo_says_where_a_program_lies() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"geolearn","kind":["lib"]},"executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","target":{"name":"geolearn","kind":["lib"]},"executable":"/t/deps/geolearn-1"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(executable(messages, "geolearn").unwrap(), Path::new("/t/deps/geolearn-1"));
        assert!(executable(messages, "cuda").unwrap_err().to_string().contains("cuda"));
    }

    #[test]
    fn a_pack_that_is_too_large_is_refused() {
        assert!(check_size(MOST_BYTES).is_ok());
        let trouble = check_size(MOST_BYTES + 100_000).unwrap_err().to_string();
        assert!(trouble.contains("40.1 MB, more than 40 MB"), "{trouble}");
    }

    #[test]
    fn the_hash_of_the_library_is_found() {
        let scratch = Scratch::new("record").unwrap();
        let (torch, info) = (scratch.path().join("torch"), scratch.path().join("torch-2.11.0.dist-info"));
        fs::create_dir_all(&torch).unwrap();
        assert_eq!(record(&torch), "torch/lib/libtorch_cpu.so,unknown");
        fs::create_dir_all(&info).unwrap();
        fs::write(info.join("RECORD"), "torch/a.py,sha256=x,1\ntorch/lib/libtorch_cpu.so,sha256=y,2\n").unwrap();
        assert_eq!(record(&torch), "torch/lib/libtorch_cpu.so,sha256=y,2");
    }

    #[test]
    #[cfg(unix)]
    fn a_program_is_stripped_and_zipped() {
        let scratch = Scratch::new("shrink").unwrap();
        let own = std::env::current_exe().unwrap();
        let bytes = shrink(&own, scratch.path(), "own").unwrap();
        assert!(bytes > 0 && bytes < fs::metadata(&own).unwrap().len());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    }
}
