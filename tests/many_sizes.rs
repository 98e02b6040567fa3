//! Tests how much libtorch caches for images of many sizes on a CPU.
//!
//! This is a program without the test harness: the caches are limited only in single-threaded processes, and tests of
//! the harness run in threads. `cargo test --test many_sizes -- --ignored` prints memory figures instead, which takes
//! minutes.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

use std::process::Command;

use geolearn::models::LoadOptions;
use geolearn::{CycleGan, Device, Domain};
use ndarray::Array3;

const SETTINGS: [&str; 2] = ["ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"];
/// Lists the sides of a child's images.
const SIDES: &str = "GEOLEARN_TEST_SIDES";

/// Memory of the process, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Translates images of these sides in turn.
fn translate(sides: impl Iterator<Item = usize>) {
    let model =
        CycleGan::from_model_with("tests/fixtures/models/sat2relief", LoadOptions::new().device(Device::Cpu)).unwrap();
    for side in sides {
        let image = Array3::from_shape_fn((3, side, side), |(c, y, x)| ((7 * c + 2 * y + 3 * x) % 256) as f32);
        model.predict_array(&image, Domain::B).unwrap();
    }
}

fn main() {
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return;
    }
    match std::env::var(SIDES) {
        Ok(sides) => child(&sides),
        Err(_) if is_asked_for("--list") => {}
        Err(_) if is_asked_for("--ignored") => memory_of_many_sizes(),
        Err(_) => what_is_kept_is_limited(),
    }
}

fn is_asked_for(option: &str) -> bool {
    std::env::args().skip(1).any(|argument| argument == option)
}

/// The work of a child.
#[allow(clippy::print_stdout, reason = "the other process reads it")]
fn child(sides: &str) {
    translate(sides.split(' ').map(|side| side.parse().unwrap()));
    println!("resident {:.0}", resident());
}

/// Runs a process that translates images of these sides, with libtorch's cache capacity set to `kept`, or to this
/// crate's default, and returns its output.
fn said(sides: &[usize], kept: Option<&str>, verbose: &str) -> String {
    let sides: Vec<String> = sides.iter().map(usize::to_string).collect();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(SIDES, sides.join(" ")).env("ONEDNN_VERBOSE", verbose);
    for setting in SETTINGS {
        match kept {
            Some(number) => command.env(setting, number),
            None => command.env_remove(setting),
        };
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns how many primitives oneDNN compiles for images of these sides.
fn compiled(sides: &[usize], kept: Option<&str>) -> usize {
    said(sides, kept, "profile_create").matches("create:cache_miss").count()
}

/// A size that recurs after many others is compiled again, since it was evicted. A size that recurs immediately is not,
/// and no size is if the user has set a larger capacity. Sides in the network are multiples of four.
fn what_is_kept_is_limited() {
    let many: Vec<usize> = (0..60).map(|i| 32 + 4 * i).collect();
    let again = [many.as_slice(), &[32]].concat();
    assert!(compiled(&again, None) > compiled(&many, None), "everything is kept");
    let (once, twice) = (compiled(&[32], None), compiled(&[32, 32], None));
    assert!(once > 0 && once == twice, "nothing is kept: {once} and {twice}");
    assert_eq!(compiled(&again, Some("1024")), compiled(&many, Some("1024")), "the user's own number holds");
}

#[allow(clippy::print_stderr, reason = "figures")]
fn memory_of_many_sizes() {
    for count in [1, 60, 120, 300] {
        // The largest one first.
        let sides: Vec<usize> = [500].into_iter().chain((0..count).map(|i| 40 + 450 * i / count)).collect();
        let of = |kept| {
            said(&sides, kept, "0").split("resident ").nth(1).unwrap_or_default().lines().next().map(str::to_owned)
        };
        eprintln!("{count} sizes: {:?} MiB, with libtorch's default {:?}", of(None), of(Some("1024")));
    }
}
