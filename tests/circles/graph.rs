//! Which file of a module uses which other one, and the circles that they form.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{Module, Names};

/// More than the re-exports that any name goes through.
const MOST_STEPS: usize = 16;

/// Files that use each other, directly or through others of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Circle {
    /// The module of `src` to which all of them belong.
    pub module: String,
    /// Below `src`.
    pub files: BTreeSet<String>,
    /// What makes the circle, as "user -> used by path".
    pub imports: BTreeSet<String>,
}

/// Paths by which files use each other.
type Uses = BTreeMap<(String, String), BTreeSet<String>>;

/// Finds the circles of files within the modules of `src`.
pub fn circles(modules: &BTreeMap<Names, Module>) -> Vec<Circle> {
    let uses = uses(modules);
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, _) in uses.keys() {
        reached.entry(from).or_insert_with(|| reach(&uses, from));
    }
    let mut found: Vec<Circle> = Vec::new();
    for (&file, others) in reached.iter().filter(|(file, others)| others.contains(*file)) {
        if found.iter().any(|circle| circle.files.contains(file)) {
            continue;
        }
        let comes_back = |other: &&&str| reached.get(**other).is_some_and(|others| others.contains(file));
        let files: BTreeSet<String> = others.iter().filter(comes_back).map(ToString::to_string).collect();
        let inside = uses.iter().filter(|((from, to), _)| files.contains(from) && files.contains(to));
        let imports = inside.map(|((from, to), paths)| {
            format!("{from} -> {to} by {}", paths.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        });
        found.push(Circle { module: top(file).to_string(), imports: imports.collect(), files });
    }
    found
}

/// The files that `file` uses, directly or not; `file` itself only where it is in a circle.
fn reach<'a>(uses: &'a Uses, file: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![file];
    while let Some(user) = waiting.pop() {
        for (_, used) in uses.keys().filter(|(from, _)| from == user) {
            if found.insert(used.as_str()) {
                waiting.push(used);
            }
        }
    }
    found
}

fn top(file: &str) -> &str {
    file.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

fn uses(modules: &BTreeMap<Names, Module>) -> Uses {
    let mut found = Uses::new();
    for (from, module) in modules {
        // A module that declares its children and passes their names on does not use them by that.
        let foreign = module
            .passed_on
            .iter()
            .filter(|path| definer(modules, from, path, MOST_STEPS).is_some_and(|definer| !definer.starts_with(from)));
        for path in module.imported.iter().chain(&module.followed).chain(foreign) {
            let Some(definer) = definer(modules, from, path, MOST_STEPS) else { continue };
            let used = &modules[&definer].file;
            if *used != module.file && top(used) == top(&module.file) {
                let paths = found.entry((module.file.clone(), used.clone())).or_default();
                // What an import says is not said again for each use of it.
                if !module.names.get(&path[0]).is_some_and(|import| paths.contains(&import.join("::"))) {
                    paths.insert(path.join("::"));
                }
            }
        }
    }
    found
}

/// The module that defines what `path` leads to from module `from`. `None` for what is not of this crate, what `from`
/// defines itself, and for modules: who names one uses what is named in it.
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
