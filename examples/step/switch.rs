//! Steps as CUDA graphs, which the environment switches on or off for a whole process.

use std::process::Command;

use crate::work::{Outcome, Way};

const SWITCH: &str = "GEOLEARN_CUDA_GRAPHS";

/// Has `here` take the named ways without graphs, and another process those with them: this program, with the arguments that
/// `there` gives for their names.
pub fn each(
    names: &str,
    here: impl FnOnce(&[Way<'_>]) -> Outcome<()>,
    there: impl FnOnce(&str) -> Vec<String>,
) -> Outcome<()> {
    let ways = names.split(',').map(Way::of).collect::<Outcome<Vec<_>>>()?;
    let is_on = std::env::var(SWITCH).is_ok_and(|value| value == "1");
    let (now, later): (Vec<_>, Vec<_>) = ways.into_iter().partition(|way| way.graphs == is_on);
    match (now.is_empty(), later.as_slice()) {
        (_, []) => here(&now),
        _ if is_on => Err(format!("{SWITCH} is 1: the ways of this process are such as bf16+graph").into()),
        (true, later) => elsewhere(there(&joined(later))),
        (false, later) => {
            let done = here(&now);
            elsewhere(there(&joined(later))).and(done)
        }
    }
}

fn joined(ways: &[Way<'_>]) -> String {
    ways.iter().map(|way| way.name).collect::<Vec<_>>().join(",")
}

fn elsewhere(arguments: Vec<String>) -> Outcome<()> {
    let status = Command::new(std::env::current_exe()?).args(arguments).env(SWITCH, "1").status()?;
    if status.success() { Ok(()) } else { Err(format!("steps as CUDA graphs: {status}").into()) }
}
