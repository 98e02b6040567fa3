//! Determines which files of a module use each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{Module, Names};

/// More than the longest chain of re-exports.
const MOST_STEPS: usize = 16;

/// User, used file, and the paths by which it is used; both files are in the same module of `src`.
pub type Uses = BTreeMap<(String, String), BTreeSet<String>>;

/// Returns the module of `src` that a file belongs to.
pub fn top(file: &str) -> &str {
    file.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// Finds the uses among the files of each module.
pub fn uses(modules: &BTreeMap<Names, Module>) -> Uses {
    let mut found = Uses::new();
    for (from, module) in modules {
        // Declaring child modules and re-exporting their names does not count as a use.
        let foreign = module
            .passed_on
            .iter()
            .filter(|path| definer(modules, from, path, MOST_STEPS).is_some_and(|definer| !definer.starts_with(from)));
        for path in module.imported.iter().chain(&module.followed).chain(foreign) {
            let Some(definer) = definer(modules, from, path, MOST_STEPS) else { continue };
            let used = &modules[&definer].file;
            if *used != module.file && top(used) == top(&module.file) {
                let paths = found.entry((module.file.clone(), used.clone())).or_default();
                // A name counts once, at its import.
                if !module.names.get(&path[0]).is_some_and(|import| paths.contains(&import.join("::"))) {
                    paths.insert(path.join("::"));
                }
            }
        }
    }
    for (file, used, method) in methods(modules) {
        found.entry((file, used)).or_default().insert(method);
    }
    found
}

/// Finds calls of methods defined outside the file of their type, as user, used file and method. A call `.name()`
/// counts only if exactly one function of the crate has that name, since nothing else identifies it.
fn methods(modules: &BTreeMap<Names, Module>) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let functions: Vec<&String> = modules.values().flat_map(|module| &module.functions).collect();
    for (place, module) in modules {
        for (extended, method) in module.extended.iter().flat_map(|(path, names)| names.iter().map(move |n| (path, n)))
        {
            let Some(owner) = definer(modules, place, extended, MOST_STEPS) else { continue };
            let is_only_one = functions.iter().filter(|name| **name == method).count() == 1;
            let path: Names = extended.last().into_iter().chain([method]).cloned().collect();
            for (from, user) in modules.iter().filter(|(_, user)| top(&user.file) == top(&module.file)) {
                let names_it = |other: &Names| {
                    other.ends_with(&path)
                        && definer(modules, from, other, MOST_STEPS).as_ref().unwrap_or(from) == &owner
                };
                let is_used = is_only_one && user.called.contains(method) || user.followed.iter().any(names_it);
                if user.file != module.file && is_used {
                    found.push((user.file.clone(), module.file.clone(), path.join("::")));
                }
            }
        }
    }
    found
}

/// Returns the module that defines what `path` refers to in module `from`. Returns `None` for items outside the crate,
/// items that `from` defines itself, and modules, since naming a module is not a use of it.
fn definer(modules: &BTreeMap<Names, Module>, from: &Names, path: &[String], steps: usize) -> Option<Names> {
    let mut place = from.clone();
    let mut rest = path;
    while let Some((name @ ("crate" | "self" | "super"), after)) = rest.split_first().map(|(n, a)| (n.as_str(), a)) {
        match name {
            "crate" => place.clear(),
            "super" => drop(place.pop()),
            _ => {}
        }
        rest = after;
    }
    let is_relative = rest.len() == path.len();
    while let Some((name, after)) = rest.split_first() {
        let module = &modules[&place];
        if let Some(meant) = module.names.get(name).filter(|_| steps > 0) {
            return definer(modules, &place, &[meant, after].concat(), steps - 1);
        }
        if !module.children.contains(name) {
            return (!is_relative || place != *from).then_some(place);
        }
        place.push(name.clone());
        rest = after;
    }
    None
}
