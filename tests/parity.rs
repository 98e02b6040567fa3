//! Checks that every public argument of arcgis.learn has a row in `docs/parity.md`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns the first cells of the rows below the heading of each call, without quotes.
fn rows(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut call = String::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            call = heading.trim_matches('`').to_string();
        } else if let Some(row) = line.strip_prefix("| `") {
            let cells = row.split('|').next().unwrap();
            let names = cells.split('`').step_by(2).map(str::to_string);
            found.entry(call.clone()).or_default().extend(names);
        }
    }
    found
}

#[test]
fn each_argument_of_arcgis_learn_has_a_row() {
    let calls: BTreeMap<String, Value> = serde_json::from_str(&read("tests/fixtures/arcgis/arguments.json")).unwrap();
    let rows = rows(&read("docs/parity.md"));
    let mut missing = Vec::new();
    let mut checked = 0;
    for (call, arguments) in calls.iter().filter(|(_, value)| value.is_array()) {
        let listed = rows.get(call).map_or(&[][..], Vec::as_slice);
        for argument in arguments.as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()) {
            checked += 1;
            if !listed.iter().any(|name| name == argument) {
                missing.push(format!("{call}: {argument}"));
            }
        }
    }
    assert!(checked > 80, "only {checked} arguments were read");
    assert!(missing.is_empty(), "docs/parity.md has no row for\n{}", missing.join("\n"));
}

#[test]
fn rows_belong_to_the_heading_above_them() {
    let page = "| `x` | |\n### `fit`\n\n| Argument | Here |\n|---|---|\n| `epochs`, `lr` | y |\n### Tool\n| `z` | |";
    let found = rows(page);
    assert_eq!(found["fit"], ["epochs", "lr"]);
    assert_eq!(found["Tool"], ["z"]);
}
