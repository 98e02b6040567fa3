//! Checks that imports follow the order of the stages in `docs/architecture.md`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

use std::fs;
use std::path::{Path, PathBuf};

/// The stage of each module of `src`.
const STAGES: &[(&str, usize)] = &[
    ("error", 0),
    ("arrays", 0),
    ("control", 1),
    ("device", 1),
    ("random", 0),
    ("store", 0),
    ("stop", 0),
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
    ("dataset", 3),
    ("nn", 4),
    ("loss", 5),
    ("metrics", 5),
    ("optim", 6),
    ("train", 7),
    ("evaluation", 8),
    ("package", 8),
    ("inference", 9),
    ("plot", 2),
    ("models", 10),
    ("guide", 10),
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

/// Returns the modules that follow `crate::` in the code of `text`, including `use crate::{a, b}`.
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

/// Returns the stages and modules in the table of a page; folders within a module count as the module.
fn documented(page: &str) -> Vec<(usize, String)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | `"));
    let rows = rows.filter_map(|(stage, rest)| Some((stage.parse().ok()?, rest.split_once('`')?.0.to_string())));
    rows.collect()
}

#[test]
fn the_architecture_page_lists_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut listed = documented(&fs::read_to_string(root.join("docs/architecture.md")).unwrap());
    let mut expected: Vec<_> = STAGES.iter().map(|(name, stage)| (*stage, (*name).to_string())).collect();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected, "the table in docs/architecture.md (left) and STAGES (right) differ");
    for (_, name) in listed {
        let src = root.join("src").join(&name);
        assert!(src.is_dir() || src.with_extension("rs").is_file(), "there is no module {name}");
    }
}

#[test]
fn rows_of_the_table_are_found() {
    let page = "| Stage | Module |\n|---|---|\n| 0 | `error` | x |\n| 10 | `models` | `core` |\n| Crate | `tch` |\n| `tch` | y |";
    assert_eq!(documented(page), [(0, "error".to_string()), (10, "models".to_string())]);
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

/// Returns the type whose inherent impl starts in this line.
fn type_with_methods(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("impl")?;
    let after = match rest.strip_prefix('<') {
        Some(generics) => generics.split_once("> ")?.1,
        None => rest.strip_prefix(' ')?,
    };
    let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (!line.contains(" for ")).then_some(name)
}

/// Returns the type that this line defines.
fn defined_type(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub").unwrap_or(line).trim_start();
    let rest = rest.strip_prefix('(').and_then(|rest| rest.split_once(") ")).map_or(rest, |(_, rest)| rest);
    let name = ["struct ", "enum ", "type "].iter().find_map(|keyword| rest.strip_prefix(keyword))?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[test]
fn types_with_methods_are_found() {
    assert_eq!(type_with_methods("impl<'a, M: Model> Training<'a, M> {"), Some("Training"));
    assert_eq!(type_with_methods("impl Raster {"), Some("Raster"));
    assert_eq!(type_with_methods("impl Clone for Raster {"), None);
    assert_eq!(defined_type("pub(crate) struct PerDomain<T> {"), Some("PerDomain"));
    assert_eq!(defined_type("pub type CycleGan = Learner<CycleGanModel>;"), Some("CycleGan"));
    assert_eq!(defined_type("pub(in crate::train) struct Folder {"), Some("Folder"));
    assert_eq!(defined_type("let structure = 1;"), None);
}

/// Methods of a type must be in the type's module, so that they are easy to find, and a module knows all that its types
/// do.
#[test]
fn methods_of_a_type_live_in_its_module() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let texts: Vec<(PathBuf, String)> =
        rust_files(&src).into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect();
    let defined: Vec<(String, &str)> = texts
        .iter()
        .flat_map(|(file, text)| {
            text.lines().map(str::trim_start).filter_map(defined_type).map(|name| (module_of(file, &src), name))
        })
        .collect();
    let mut checked = 0;
    for (file, text) in &texts {
        let module = module_of(file, &src);
        for name in text.lines().filter_map(type_with_methods) {
            let homes: Vec<&str> = defined.iter().filter(|(_, n)| *n == name).map(|(home, _)| home.as_str()).collect();
            assert!(homes.contains(&module.as_str()), "{}: {name} is of {homes:?}", file.display());
            checked += 1;
        }
    }
    assert!(checked > 200, "only {checked} types with methods were found");
}

/// Tiers of `src/inference` from the lowest one on, with what each must not name: those above it, and what they are for.
const TIERS: &[(&str, &[&str])] = &[
    (
        "tiling",
        &["strategy::", "scenes::", "tch::", "crate::nn", "crate::raster", "crate::device", "std::fs", "std::path"],
    ),
    ("strategy", &["scenes::", "std::fs", "RasterWriter"]),
    ("scenes", &[]),
];

#[test]
fn tiers_of_inference_use_lower_ones_only() {
    let inference = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/inference");
    let found = fs::read_dir(&inference).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(found, TIERS.len(), "a folder is no tier");
    for (tier, others) in TIERS {
        let files = rust_files(&inference.join(tier));
        assert!(files.len() > 5, "only {} files in {tier}", files.len());
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let own = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code: Vec<&str> = own.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            for name in *others {
                if let Some(line) = code.iter().find(|line| line.contains(name)) {
                    panic!("{}: {tier} must not use {name}: {line}", file.display());
                }
            }
        }
    }
}
