//! Finds torch in a Python installation, and runs pip. Imports nothing.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::trouble::{Result, Trouble};

/// Prints the folder of the installed torch, if any. Searches outside the current folder, where a folder named torch
/// would be mistaken for it.
const FIND_TORCH: &str = "\
import sys, os, importlib.util
sys.path = [p for p in sys.path if p not in ('', os.getcwd())]
spec = importlib.util.find_spec('torch')
if spec and spec.origin: print('torch:' + os.path.dirname(spec.origin))";

pub struct Python(OsString);

impl fmt::Display for Python {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.to_string_lossy())
    }
}

impl Python {
    /// Returns the Python that torch-sys uses with LIBTORCH_USE_PYTORCH.
    pub fn of_torch_sys() -> Self {
        let in_environment = env::var_os("VIRTUAL_ENV").is_some();
        Self(
            if cfg!(windows) {
                "python.exe"
            } else if in_environment {
                "python"
            } else {
                "python3"
            }
            .into(),
        )
    }

    /// Returns the Python in PYTHON, or else the same.
    pub fn of_user() -> Self {
        env::var_os("PYTHON").filter(|name| !name.is_empty()).map_or_else(Self::of_torch_sys, Self)
    }

    pub fn command(&self) -> Command {
        Command::new(&self.0)
    }

    /// Returns its version and pip's, for display.
    pub fn describe(&self) -> Result<String> {
        let version = self.run(&["--version"])?;
        Ok(format!("{}, pip {}", text(&version.stdout), self.pip_version()?))
    }

    pub fn pip_version(&self) -> Result<String> {
        let output = self.run(&["-m", "pip", "--version"])?;
        let stdout = text(&output.stdout);
        match stdout.split_whitespace().nth(1) {
            Some(version) if output.status.success() => Ok(version.to_string()),
            _ => Err(Trouble::new(format!("{self} has no pip: {}", text(&output.stderr))).advice(
                "install it (Debian, Ubuntu: `apt-get install python3-pip`), or set PYTHON to a Python that has it",
            )),
        }
    }

    /// Returns the folder of its installed torch.
    pub fn torch(&self) -> Result<Option<PathBuf>> {
        let output = self.run(&["-c", FIND_TORCH])?;
        let stdout = text(&output.stdout);
        Ok(stdout.lines().find_map(|line| line.strip_prefix("torch:")).map(PathBuf::from))
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.command().args(arguments).output().map_err(|e| {
            let what = if e.kind() == ErrorKind::NotFound {
                "is not installed".into()
            } else {
                format!("could not be started: {e}")
            };
            Trouble::new(format!("{self} {what}")).advice(
                "install it (Debian, Ubuntu: `apt-get install python3 python3-pip`), or set PYTHON to an existing one",
            )
        })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_string()
}
