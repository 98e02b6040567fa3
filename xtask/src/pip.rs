//! Runs pip, protected from user settings and from a kill of this process.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::python::Python;
use crate::trouble::{Result, Trouble};

/// Passes settings as variables, since an old pip would reject unknown options.
const SETTINGS: [(&str, &str); 6] = [
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_NO_INPUT", "1"),
    ("PIP_NO_WARN_CONFLICTS", "1"),
    ("PIP_REQUIRE_VIRTUALENV", "0"),
    ("PIP_ROOT_USER_ACTION", "ignore"),
    ("PIP_USER", "0"),
];

/// Runs a pip command, and returns its status on failure. pip inherits the lock: if this process is killed, the next
/// run waits until its pip has exited too. pip's temporary files are in `work`: on the same disk as the result, so that
/// it renames instead of copying, and removed together with it.
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

/// Downloads the wheel of a package, given as `name==version`, into `work`.
pub fn download(python: &Python, package: &str, work: &Path, lock: &File) -> Result<()> {
    let version = python.pip_version()?;
    let mut command = python.command();
    command.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", package, "--dest"]).arg(work);
    run(&mut command, work, lock).map_err(|end| {
        Trouble::new(format!("pip {version} of {python} could not download {package} ({end}); no partial files remain"))
    })
}
