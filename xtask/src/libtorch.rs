//! A libtorch folder: its contents, and whether a build can use it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::release::Release;
use crate::trouble::{Result, Trouble};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Cpu,
    Cuda,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Cpu => "CPU",
            Kind::Cuda => "CUDA",
        })
    }
}

#[derive(Debug)]
pub struct Libtorch {
    pub dir: PathBuf,
    /// As stated in the folder, for example `2.11.0+cu130`.
    pub version: String,
    /// The CUDA release it was built for, if stated.
    pub cuda: Option<String>,
    pub kind: Kind,
}

impl fmt::Display for Libtorch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "libtorch {} ({}) in {}", self.version, self.kind, self.dir.display())
    }
}

/// Returns the file name of a libtorch library on this system.
pub fn library(name: &str) -> String {
    format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

impl Libtorch {
    /// Inspects a folder; fails if a build could not use it, whatever its version.
    pub fn at(dir: &Path) -> Result<Self> {
        let lacks = |part: &str| Trouble::new(format!("{} is not a libtorch folder: it has no {part}", dir.display()));
        if !dir.is_dir() {
            return Err(Trouble::new(format!("folder {} does not exist", dir.display())));
        }
        let parts =
            [format!("lib/{}", library("torch_cpu")), format!("lib/{}", library("c10")), "include/ATen/ATen.h".into()];
        if let Some(part) = parts.iter().find(|part| !dir.join(part).exists()) {
            return Err(lacks(part));
        }
        let (version, cuda) = version_in(dir).ok_or_else(|| lacks("build-version and no version.py that names one"))?;
        let kind = if dir.join("lib").join(library("torch_cuda")).exists() { Kind::Cuda } else { Kind::Cpu };
        Ok(Self { dir: dir.into(), version, cuda, kind })
    }

    /// Inspects a folder, and checks that it fits a release.
    pub fn of_release(dir: &Path, release: &Release) -> Result<Self> {
        let found = Self::at(dir)?;
        if found.is_of(release) {
            return Ok(found);
        }
        let wanted = format!("tch {} needs libtorch {}", release.tch, release.libtorch);
        Err(Trouble::new(format!("{wanted}, but {} has {}", dir.display(), found.version)))
    }

    pub fn is_of(&self, release: &Release) -> bool {
        // The part after the plus names the build.
        self.version.split('+').next() == Some(release.libtorch)
    }

    /// Returns the libraries that this one needs and the system does not find, as far as `ldd` can tell.
    pub fn missing_for(&self, name: &str) -> Vec<String> {
        let ldd = Command::new("ldd").arg(self.dir.join("lib").join(library(name))).output();
        ldd.map(|output| not_found(&String::from_utf8_lossy(&output.stdout))).unwrap_or_default()
    }
}

/// Returns the version and the CUDA release, from the file in the official archives or, in a Python package, from
/// `version.py`.
fn version_in(dir: &Path) -> Option<(String, Option<String>)> {
    let python = fs::read_to_string(dir.join("version.py")).unwrap_or_default();
    let official = fs::read_to_string(dir.join("build-version")).ok().map(|s| s.trim().to_string());
    let version = assigned(&python, "__version__").or(official.filter(|s| !s.is_empty()))?;
    Some((version, assigned(&python, "cuda")))
}

/// Returns the string that a line `name = '…'` or `name: type = '…'` assigns.
fn assigned(python: &str, name: &str) -> Option<String> {
    let value = python.lines().find_map(|line| {
        let (left, right) = line.split_once('=')?;
        (left.split(':').next()?.trim() == name).then(|| right.trim())
    })?;
    let inner = value.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"'])?;
    (!inner.is_empty()).then(|| inner.to_string())
}

/// Returns the names in lines like `libcudart.so.13 => not found`.
fn not_found(ldd: &str) -> Vec<String> {
    let lines = ldd.lines().filter_map(|line| line.split_once("=> not found"));
    lines.map(|(name, _)| name.trim().to_string()).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::release::locked;
    use crate::scratch::Scratch;

    const VERSION_PY: &str = "from typing import Optional\n\n__all__ = ['__version__', 'cuda']\n\
        __version__ = '2.11.0+cu130'\ndebug = False\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n";

    fn release() -> &'static Release {
        locked("name = \"tch\"\nversion = \"0.24.0\"\n").unwrap()
    }

    /// Creates a folder that looks like the libtorch in PyPI's wheel, with empty libraries.
    pub fn make_wheel(dir: &Path, libraries: &[&str]) {
        fs::create_dir_all(dir.join("lib")).unwrap();
        fs::create_dir_all(dir.join("include/ATen")).unwrap();
        fs::write(dir.join("include/ATen/ATen.h"), "").unwrap();
        fs::write(dir.join("version.py"), VERSION_PY).unwrap();
        for name in libraries {
            fs::write(dir.join("lib").join(library(name)), "").unwrap();
        }
    }

    #[test]
    fn version_py_gives_version_and_cuda() {
        assert_eq!(assigned(VERSION_PY, "__version__").as_deref(), Some("2.11.0+cu130"));
        assert_eq!(assigned(VERSION_PY, "cuda").as_deref(), Some("13.0"));
        assert_eq!(assigned(VERSION_PY, "hip"), None);
        assert_eq!(assigned("__version__ = ''", "__version__"), None);
        assert_eq!(assigned("__version__ = 'cut of", "__version__"), None);
    }

    #[test]
    fn a_wheel_is_recognized() {
        let scratch = Scratch::new("wheel").unwrap();
        make_wheel(scratch.path(), &["torch_cpu", "c10"]);
        let found = Libtorch::of_release(scratch.path(), release()).unwrap();
        assert_eq!((found.version.as_str(), found.kind), ("2.11.0+cu130", Kind::Cpu));
        make_wheel(scratch.path(), &["torch_cuda"]);
        assert_eq!(Libtorch::at(scratch.path()).unwrap().kind, Kind::Cuda);
    }

    #[test]
    fn an_official_archive_is_recognized() {
        let scratch = Scratch::new("archive").unwrap();
        make_wheel(scratch.path(), &["torch_cpu", "c10"]);
        fs::remove_file(scratch.path().join("version.py")).unwrap();
        fs::write(scratch.path().join("build-version"), "2.11.0+cpu\n").unwrap();
        assert_eq!(Libtorch::of_release(scratch.path(), release()).unwrap().version, "2.11.0+cpu");
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_said() {
        let scratch = Scratch::new("wrong").unwrap();
        let trouble = |dir: &Path| Libtorch::of_release(dir, release()).unwrap_err().to_string();
        assert!(trouble(&scratch.path().join("nowhere")).contains("does not exist"));
        assert!(trouble(scratch.path()).contains(&library("torch_cpu")));
        make_wheel(scratch.path(), &["torch_cpu", "c10"]);
        fs::write(scratch.path().join("version.py"), "__version__ = '2.10.1'\n").unwrap();
        let text = trouble(scratch.path());
        assert!(text.contains("needs libtorch 2.11.0") && text.contains("has 2.10.1"), "{text}");
        fs::remove_file(scratch.path().join("version.py")).unwrap();
        assert!(trouble(scratch.path()).contains("build-version"));
    }

    #[test]
    fn ldd_names_what_is_missing() {
        let ldd = "\tlinux-vdso.so.1 (0x00)\n\tlibcudart.so.13 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x00)\n";
        assert_eq!(not_found(ldd), ["libcudart.so.13"]);
    }
}
