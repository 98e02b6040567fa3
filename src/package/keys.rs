//! Paths of the modules that the keys of a state dict belong to.
//!
//! `torch.save` keeps them, with the version of each module's layout, as `_metadata`. Readers use the
//! versions to upgrade old layouts, none of which concerns us; we write them so that our files are torch's.

/// The version of a module's layout where torch has never changed it.
const FIRST: u32 = 1;
/// Torch's norm layers have changed theirs once.
const NORM: u32 = 2;

/// The modules of a CycleGAN with these discriminators (`D_A`, `D_B` in arcgis.learn's) and `gen_blocks` residual blocks, as
/// torch lists them.
pub(crate) fn cyclegan_modules(discriminators: &[&str], gen_blocks: usize) -> Vec<(String, u32)> {
    let mut modules = vec![(String::new(), FIRST)];
    for network in discriminators {
        sequence(&mut modules, network, 12, |index| matches!(index, 3 | 6 | 9));
    }
    for network in ["G_A", "G_B"] {
        generator(&mut modules, network, gen_blocks);
    }
    modules
}

fn generator(modules: &mut Vec<(String, u32)>, network: &str, blocks: usize) {
    let norms = [2, 5, 8, 11 + blocks, 14 + blocks];
    modules.push((network.to_owned(), FIRST));
    for index in 0..19 + blocks {
        let path = format!("{network}.{index}");
        if (10..10 + blocks).contains(&index) {
            modules.push((path.clone(), FIRST));
            sequence(modules, &format!("{path}.conv_block"), 7, |index| matches!(index, 2 | 6));
        } else {
            modules.push((path, if norms.contains(&index) { NORM } else { FIRST }));
        }
    }
}

fn sequence(modules: &mut Vec<(String, u32)>, path: &str, count: usize, is_norm: impl Fn(usize) -> bool) {
    modules.push((path.to_owned(), FIRST));
    modules.extend((0..count).map(|index| (format!("{path}.{index}"), if is_norm(index) { NORM } else { FIRST })));
}

/// The modules that the keys themselves name, each before its children, all in version 1.
///
/// Modules without parameters (activations, norms without weights) are in torch's list, but not in the
/// keys, so they are missing here; no reader minds.
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
