//! Another program's word for what we write. Integration tests include this file too.

use std::ffi::{OsStr, OsString};
use std::process::Command;

/// What the Python that GEOLEARN_TEST_PYTHON names prints, run with these arguments. `None` where there is none to test
/// with.
pub fn run(arguments: &[&dyn AsRef<OsStr>]) -> Option<String> {
    Some(output(&named_by("GEOLEARN_TEST_PYTHON")?, arguments))
}

/// The Python that a variable names. `None`, and a line that says so, where it names none.
pub fn named_by(variable: &str) -> Option<OsString> {
    let python = std::env::var_os(variable);
    if python.is_none() {
        eprintln!("skipped: {variable} does not name a Python to test with");
    }
    python
}

/// What a Python prints. It must end well.
pub fn output(python: &OsStr, arguments: &[&dyn AsRef<OsStr>]) -> String {
    let output = Command::new(python).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
