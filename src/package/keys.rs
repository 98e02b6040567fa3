//! Paths of the modules that the keys of a state dict belong to.
//!
//! `torch.save` stores them, with the version of each module's layout, as `_metadata`. Readers use the versions to
//! upgrade old layouts, none of which concerns us; we write them so that our files equal torch's.

use crate::nn::Plan;

/// The version of a module's layout that torch has never changed.
const FIRST: u32 = 1;
/// Torch has changed the layout of norm layers once.
const NORM: u32 = 2;

/// Lists the modules of a model with these networks, which are its attributes under their names, like torch.
pub(crate) fn modules(networks: &[(&str, &Plan)]) -> Vec<(String, u32)> {
    let of = |(name, plan): &(&str, &Plan)| {
        let full = |(path, is_norm): (String, bool)| {
            let path = if path.is_empty() { (*name).to_owned() } else { format!("{name}.{path}") };
            (path, if is_norm { NORM } else { FIRST })
        };
        plan.modules().into_iter().map(full).collect::<Vec<_>>()
    };
    std::iter::once((String::new(), FIRST)).chain(networks.iter().flat_map(of)).collect()
}

/// Lists the modules that the keys themselves name, each before its children, all in version 1.
///
/// Modules without parameters (activations, norms without weights) are in torch's list, but not in the keys, so they
/// are missing here; no reader minds.
#[cfg(test)]
pub(crate) fn modules_of<'a>(keys: impl IntoIterator<Item = &'a str>) -> Vec<(String, u32)> {
    let mut seen = std::collections::HashSet::from([""]);
    let mut modules = vec![(String::new(), FIRST)];
    for key in keys {
        for (dot, _) in key.match_indices('.') {
            let (path, _) = key.split_at(dot);
            if seen.insert(path) {
                modules.push((path.to_owned(), FIRST));
            }
        }
    }
    modules
}
