//! pip, run so that neither settings of its user nor a kill of this process do harm.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::python::Python;
use crate::trouble::{Result, Trouble};

/// Settings go by variables where an old pip would not know the option.
const SETTINGS: [(&str, &str); 6] = [
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_NO_INPUT", "1"),
    ("PIP_NO_WARN_CONFLICTS", "1"),
    ("PIP_REQUIRE_VIRTUALENV", "0"),
    ("PIP_ROOT_USER_ACTION", "ignore"),
    ("PIP_USER", "0"),
];

/// Runs a command of pip, and gives how it ended where it failed. pip inherits the lock: should this process be killed,
/// the next run waits until its pip has ended too. Its temporary files are in `work`: on the disk of what it makes, so that
/// it renames instead of copying, and cleaned with it.
pub fn run(command: &mut Command, work: &Path, lock: &File) -> std::result::Result<(), String> {
    let temporary = work.join("tmp");
    fs::create_dir_all(&temporary).map_err(|e| format!("cannot create {}: {e}", temporary.display()))?;
    let inherited = lock.try_clone().map_err(|e| format!("cannot share the lock: {e}"))?;
    for name in ["TMPDIR", "TEMP", "TMP"] {
        command.env(name, &temporary);
    }
    match command.envs(SETTINGS).stdin(Stdio::from(inherited)).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(e) => Err(e.to_string()),
    }
}

/// Downloads the wheel of one package, as in `name==version`, into `work`.
pub fn download(python: &Python, package: &str, work: &Path, lock: &File) -> Result<()> {
    let version = python.pip_version()?;
    let mut command = python.command();
    command.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", package, "--dest"]).arg(work);
    run(&mut command, work, lock).map_err(|end| {
        Trouble::new(format!("pip {version} of {python} could not fetch {package} ({end}); nothing is left of it"))
    })
}
