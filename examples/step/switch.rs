//! Process-wide switches: each set of switches gets its own process.

use std::process::Command;

use crate::work::{Outcome, Switches, Way};

const GRAPHS: &str = "GEOLEARN_CUDA_GRAPHS";
const LAYERS: &str = "GEOLEARN_CUDA_LAYERS";
const ON_CHIP: &str = "GEOLEARN_CUDA_NORMS_ON_CHIP";
const RECOMPUTE: &str = "GEOLEARN_CUDA_RECOMPUTE";
/// Set in processes that were started for one set of switches.
const STARTED: &str = "GEOLEARN_STEP_STARTED";

/// Calls `here` with the named ways if this process was started for them. Otherwise starts this program once for each
/// set of switches among them, with the arguments that `there` returns for their names.
pub fn each(
    names: &str,
    here: impl FnOnce(&[Way<'_>]) -> Outcome<()>,
    there: impl Fn(&str) -> Vec<String>,
) -> Outcome<()> {
    let ways = names.split(',').map(Way::of).collect::<Outcome<Vec<_>>>()?;
    if std::env::var_os(STARTED).is_some() {
        if ways.iter().any(|way| way.switches.search) {
            geolearn::tch::Cuda::cudnn_set_benchmark(true);
        }
        return here(&ways);
    }
    let mut sets: Vec<Switches> = Vec::new();
    for way in &ways {
        if !sets.contains(&way.switches) {
            sets.push(way.switches);
        }
    }
    let of_set = |set: Switches| {
        let names: Vec<_> = ways.iter().filter(|way| way.switches == set).map(|way| way.name).collect();
        start(set, there(&names.join(",")))
    };
    // A failure of one does not keep the others from being measured.
    let outcomes: Vec<_> = sets.into_iter().map(of_set).collect();
    outcomes.into_iter().collect()
}

fn start(set: Switches, arguments: Vec<String>) -> Outcome<()> {
    let Switches { graph, operators, on_chip, no_recompute, search: _ } = set;
    let mut program = Command::new(std::env::current_exe()?);
    program.args(arguments).env(STARTED, "1");
    for (switch, is_on) in [(GRAPHS, graph), (LAYERS, !operators), (ON_CHIP, on_chip), (RECOMPUTE, !no_recompute)] {
        program.env(switch, if is_on { "1" } else { "0" });
    }
    let status = program.status()?;
    if status.success() { Ok(()) } else { Err(format!("steps with {set:?}: {status}").into()) }
}
