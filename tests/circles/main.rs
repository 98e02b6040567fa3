//! Files of a module do not use each other in circles: each can be read, tested and changed without those above it.
//! `tests/stages.rs` says the same of the modules of `src` among themselves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

mod examples;
mod graph;
mod modules;
mod tokens;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Modules of `src` that still have circles, with the number of files in them. Numbers only ever fall.
const CIRCLES: &[(&str, usize)] = &[("inference", 12), ("raster", 26)];

#[test]
fn files_do_not_use_each_other_in_circles() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules = modules::modules(&|file| fs::read_to_string(src.join(file)).ok());
    assert!(modules.len() > 200, "only {} modules were found", modules.len());
    let circles = graph::circles(&modules);
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for circle in &circles {
        *found.entry(&circle.module).or_default() += circle.files.len();
    }
    let listed: BTreeMap<&str, usize> = CIRCLES.iter().copied().collect();
    let mut complaints = String::new();
    for module in found.keys().chain(listed.keys()).collect::<BTreeSet<_>>() {
        let (now, then) = (found.get(module).unwrap_or(&0), listed.get(module).unwrap_or(&0));
        if now == then {
            continue;
        }
        complaints += &format!("\n{module}: {now} files are in circles, {then} are listed in CIRCLES");
        match now < then {
            true => complaints += "; lower the number",
            false => circles.iter().filter(|c| c.module == **module).for_each(|c| complaints += &shown(c)),
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

fn shown(circle: &graph::Circle) -> String {
    let imports = circle.imports.iter().map(|import| format!("\n    {import}"));
    format!("\n  {} files use each other:{}", circle.files.len(), imports.collect::<String>())
}
