//! Imports point down the stages of `docs/architecture.md`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Stage of each module of `src`.
const STAGES: &[(&str, usize)] = &[
    ("error", 0),
    ("arrays", 0),
    ("device", 1),
    ("random", 0),
    ("store", 0),
    ("stored", 0),
    ("progress", 0),
    ("protobuf", 0),
    ("tensor_file", 0),
    ("ffi", 0),
    ("threads", 0),
    ("peers", 1),
    ("distributed", 2),
    ("profile", 2),
    ("raster", 1),
    ("runtime", 1),
    ("dataset", 2),
    ("nn", 3),
    ("loss", 4),
    ("metrics", 4),
    ("optim", 5),
    ("train", 6),
    ("evaluation", 7),
    ("package", 7),
    ("inference", 8),
    ("plot", 9),
    ("tracking", 10),
    ("models", 10),
];
/// Shared by unit tests of every stage.
const TEST_SUPPORT: &str = "testing";

fn stage(module: &str) -> usize {
    let found = STAGES.iter().find(|(name, _)| *name == module);
    found.unwrap_or_else(|| panic!("module {module} has no stage: add it here and to docs/architecture.md")).1
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(rust_files(&path)),
            false if path.extension().is_some_and(|e| e == "rs") => files.push(path),
            false => {}
        }
    }
    files
}

fn module_of(file: &Path, src: &Path) -> String {
    let first = file.strip_prefix(src).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_string()
}

/// The modules that follow `crate::` in the code of `text`, `use crate::{a, b}` included.
fn imports(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for part in code.split("crate::").skip(1) {
        let names = match part.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => part,
        };
        let is_list = part.starts_with('{');
        for name in names.split(',').take(if is_list { usize::MAX } else { 1 }) {
            found.push(name.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect());
        }
    }
    found.retain(|name: &String| !name.is_empty());
    found
}

#[test]
fn imports_are_found() {
    assert_eq!(
        imports("use crate::nn::Generator;\n// use crate::plot;\nuse crate::{loss::l1, optim};"),
        ["nn", "loss", "optim"]
    );
}

#[test]
fn modules_use_lower_stages_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    for file in rust_files(&src) {
        let module = module_of(&file, &src);
        if module == "lib" || module == TEST_SUPPORT {
            continue;
        }
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            if import == TEST_SUPPORT || import == module {
                continue;
            }
            let (own, other) = (stage(&module), stage(&import));
            // The modules of the ground stage report their errors through one of them.
            let ground = own == 0 && (import == "error" || import == "ffi");
            assert!(other < own || ground, "{}: {module} (stage {own}) uses {import} (stage {other})", file.display());
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} imports were found");
}

/// Floors of `src/inference` from the lowest one on, with what each must not name: those above it, and what they are for.
const FLOORS: &[(&str, &[&str])] = &[
    (
        "tiling",
        &["strategy::", "scenes::", "tch::", "crate::nn", "crate::raster", "crate::device", "std::fs", "std::path"],
    ),
    ("strategy", &["scenes::", "std::fs", "RasterWriter"]),
    ("scenes", &[]),
];

#[test]
fn floors_of_inference_use_lower_ones_only() {
    let inference = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/inference");
    let found = fs::read_dir(&inference).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(found, FLOORS.len(), "a folder is no floor");
    for (floor, others) in FLOORS {
        let files = rust_files(&inference.join(floor));
        assert!(files.len() > 5, "only {} files in {floor}", files.len());
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let own = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code: Vec<&str> = own.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            for name in *others {
                if let Some(line) = code.iter().find(|line| line.contains(name)) {
                    panic!("{}: {floor} must not use {name}: {line}", file.display());
                }
            }
        }
    }
}
