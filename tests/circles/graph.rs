//! Finds circles of files that use each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{Module, Names};
use crate::uses::{Uses, top, uses};

/// Files that use each other, directly or through one another.
#[derive(Debug, PartialEq, Eq)]
pub struct Circle {
    /// The module of `src` they belong to.
    pub module: String,
    /// Paths relative to `src`.
    pub files: BTreeSet<String>,
    /// The uses that form the circle, as "user -> used by path".
    pub imports: BTreeSet<String>,
}

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

/// Returns the files that `file` uses, directly or indirectly; includes `file` itself only if it is in a circle.
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
