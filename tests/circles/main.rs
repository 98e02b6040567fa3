//! Checks that the files of a module do not depend on each other in circles, so that each can be read, tested and
//! changed without those above it. `tests/stages.rs` checks the same for the modules of `src`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

mod examples;
mod graph;
mod modules;
mod tokens;
mod uses;

use std::fs;
use std::path::Path;

#[test]
fn files_do_not_use_each_other_in_circles() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules = modules::modules(&|file| fs::read_to_string(src.join(file)).ok());
    assert!(modules.len() > 200, "only {} modules were found", modules.len());
    let circles = graph::circles(&modules);
    let complaints = circles.iter().map(|circle| format!("{}:{}", circle.module, shown(circle))).collect::<String>();
    assert!(circles.is_empty(), "{complaints}");
}

fn shown(circle: &graph::Circle) -> String {
    let imports = circle.imports.iter().map(|import| format!("\n    {import}"));
    format!("\n  {} files use each other:{}", circle.files.len(), imports.collect::<String>())
}
