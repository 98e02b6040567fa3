//! Tests `xtask/gpu/run.sh` with stub programs: what it runs, what it writes, and its exit status.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const RECORD: &str = "torch/lib/libtorch_cpu.so,sha256=y,2";
/// A training step on a machine where everything works.
const STEP: &str = r#"case $1 in
doctor) echo "device: cuda:0" ;;
bench) echo '{"way": "geolearn"}' >>"$3" ;;
trace) echo '{}' >"$2-b8-bf16-3-steps.json" ;;
raster | translate) echo '{}' >>"$3" ;;
esac"#;
const NO_CUDA: &str = "echo 'CUDA is required but not usable: no driver was found'; exit 4";
const PASSES: &str = "echo 'test result: ok. 3 passed; 0 failed'";
const PYTHON: &str = r#"case "$*" in
*find_spec*) echo "$TORCH" ;;
*ceilings*) echo '{}' >"$2" ;;
*tuned*) exit 0 ;;
*--bench*) echo '{"way": "'"$3"'"}' >>"$7" ;;
esac"#;

/// A checkout with packed programs, a Python and a driver, all of them short scripts.
struct Stage(tempfile::TempDir);

impl Stage {
    fn new(step: &str, cuda: &str) -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("gpu/run.sh");
        stage.write("xtask/gpu/run.sh", &fs::read_to_string(script).unwrap());
        for (name, text) in
            [("root", stage.path("").to_str().unwrap()), ("libtorch", "2.11.0"), ("record", RECORD), ("commit", "abc")]
        {
            stage.write(&format!("out/gpu/{name}"), &format!("{text}\n"));
        }
        for (name, text) in [("step", step), ("unit", PASSES), ("cuda", cuda)] {
            stage.program(&format!("out/gpu/{name}"), text);
            assert!(Command::new("gzip").arg(stage.path(&format!("out/gpu/{name}"))).status().unwrap().success());
        }
        stage.write("site/torch/version.py", "__version__ = '2.11.0+cu130'\n");
        stage.write("site/torch-2.11.0.dist-info/RECORD", RECORD);
        stage.program("bin/python3", PYTHON);
        stage.program("bin/ldd", "echo \"libtorch_cpu.so => $TORCH/lib/libtorch_cpu.so\"");
        stage.program("bin/nvidia-smi", "echo 'A card, 580.1'");
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, name: &str, text: &str) {
        self.write(name, &format!("#!/bin/bash\n{text}\n"));
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Returns the exit status of the script.
    fn run(&self, arguments: &[&str], seconds: &str) -> i32 {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.arg(self.path("xtask/gpu/run.sh")).args(arguments).env("PATH", path).env("OUT", self.path("results"));
        bash.env("TORCH", self.path("site/torch")).env("GPU_CHECK_SECONDS", seconds).env_remove("PYTHON");
        bash.env("HOME", self.path("")).env_remove("XDG_CACHE_HOME").env_remove("GEOLEARN_INCEPTION");
        let Output { status, stderr, .. } = bash.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&stderr), "");
        status.code().unwrap()
    }

    fn result(&self, name: &str) -> String {
        fs::read_to_string(self.path("results").join(name)).unwrap_or_default()
    }

    fn results(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("results")).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn all_parts_run_and_leave_their_files() {
    let stage = Stage::new(STEP, PASSES);
    // What cannot compile in time is not a failure.
    stage.program("bin/python3", &PYTHON.replace("exit 0", "exit 1"));
    assert_eq!(stage.run(&[], "470"), 0, "{}", stage.result("summary.txt"));
    let files = [
        "all.log",
        "ceilings.json",
        "facts.txt",
        "predictions.jsonl",
        "steps.jsonl",
        "summary.txt",
        "trace-b8-bf16-3-steps.json.gz",
    ];
    assert_eq!(stage.results(), files);
    assert_eq!(stage.result("steps.jsonl").lines().count(), 5);
    for fact in ["commit: abc", "torch: 2.11.0+cu130", "libtorch: the same file", "device: cuda:0", "name: A card"] {
        assert!(stage.result("facts.txt").contains(fact), "{fact}");
    }
    assert!(stage.result("summary.txt").contains("golden: 3 tests passed"));
}

#[test]
fn a_part_that_fails_is_named_and_the_rest_runs() {
    let cuda = "echo 'skipped: no device'; echo 'test result: FAILED. 1 passed; 1 failed'; exit 101";
    let stage = Stage::new(STEP, cuda);
    assert_eq!(stage.run(&[], "470"), 1);
    let summary = stage.result("summary.txt");
    assert!(
        summary.contains("cuda: exit 101") && summary.contains("cuda: 1 tests passed, 1 were skipped"),
        "{summary}"
    );
    assert!(summary.contains("raster: exit 0"), "{summary}");
}

#[test]
fn a_test_binary_that_runs_nothing_has_not_passed() {
    let stage = Stage::new(STEP, "echo 'test result: ok. 0 passed; 0 failed'");
    assert_eq!(stage.run(&[], "470"), 1);
    assert!(stage.result("summary.txt").contains("cuda: 0 tests passed"));
}

/// Parts with less than half of their time left are skipped; the CUDA tests may take more than two minutes.
#[test]
fn what_has_no_time_is_left_out() {
    let stage = Stage::new(STEP, PASSES);
    assert_eq!(stage.run(&[], "64"), 1);
    let summary = stage.result("summary.txt");
    assert!(summary.contains("golden: exit 0") && summary.contains("cuda: no time left"), "{summary}");
    assert_eq!(stage.run(&[], "5"), 1);
    assert!(stage.result("summary.txt").contains("stopped: not enough time"));
}

#[test]
fn a_part_is_stopped_after_its_time() {
    let stage = Stage::new(&STEP.replace("raster |", "raster) sleep 300 ;;\nother |"), PASSES);
    stage.write(
        "xtask/gpu/run.sh",
        &fs::read_to_string(stage.path("xtask/gpu/run.sh")).unwrap().replace("raster 45", "raster 1"),
    );
    assert_eq!(stage.run(&[], "470"), 1);
    let summary = stage.result("summary.txt");
    assert!(summary.contains("raster: exit 124") && summary.contains("timed out"), "{summary}");
}

/// Prepares what peers need; a second run keeps nothing of the first.
#[test]
fn parts_can_be_named() {
    let stage = Stage::new(STEP, PASSES);
    assert_eq!(stage.run(&[], "470"), 0);
    assert_eq!(stage.run(&["raster,golden"], "470"), 0, "{}", stage.result("summary.txt"));
    assert_eq!(stage.results(), ["all.log", "facts.txt", "predictions.jsonl", "summary.txt"]);
    let ran = |summary: &str| -> Vec<String> {
        summary.lines().filter_map(|line| Some(line.split_once(": exit")?.0.to_string())).collect()
    };
    assert_eq!(ran(&stage.result("summary.txt")), ["card", "libraries", "doctor", "golden", "raster"]);
    assert_eq!(stage.run(&["peers"], "470"), 0);
    let summary = stage.result("summary.txt");
    assert_eq!(ran(&summary)[3..], ["prepare-1", "prepare-8", "plain-default", "plain-bf16", "plain-f32"], "{summary}");
    assert_eq!(stage.run(&["golden,rastr"], "470"), 3);
    assert!(stage.result("summary.txt").contains("unknown part 'rastr': expected some of golden,switches,cuda,"));
}

/// The weights of the Inception network are not part of the package.
#[test]
fn a_test_whose_file_is_not_packed_is_left_out_by_name() {
    let stage = Stage::new(STEP, PASSES);
    stage.program("out/gpu/unit", &format!("{PASSES}; echo \"$@\""));
    assert!(Command::new("gzip").arg("-f").arg(stage.path("out/gpu/unit")).status().unwrap().success());
    assert_eq!(stage.run(&["golden"], "470"), 0, "{}", stage.result("summary.txt"));
    assert!(stage.result("summary.txt").contains("left out: golden: tests of the Inception network"));
    assert!(stage.result("all.log").contains("cuda --skip emulated --skip metrics::inception --test-threads=1"));
    stage.write(".cache/geolearn/inception-2015-12-05.safetensors", "");
    assert_eq!(stage.run(&["golden"], "470"), 0);
    assert!(!stage.result("summary.txt").contains("left out"));
    assert!(stage.result("all.log").contains("\ncuda --skip emulated --test-threads=1"));
}

#[test]
fn the_smoke_part_is_short() {
    let stage = Stage::new(STEP, PASSES);
    assert_eq!(stage.run(&["smoke"], "470"), 0);
    assert!(!stage.result("summary.txt").contains("ceilings"));
    assert_eq!(stage.results(), ["all.log", "facts.txt", "steps.jsonl", "summary.txt"]);
}

#[test]
fn without_cuda_it_stops_at_once_with_the_reason() {
    let stage = Stage::new(NO_CUDA, PASSES);
    assert_eq!(stage.run(&[], "470"), 4);
    let summary = stage.result("summary.txt");
    assert!(summary.ends_with("stopped: CUDA cannot be used: no driver was found\n"), "{summary}");
    assert!(!summary.contains("golden"));
}

#[test]
fn what_is_missing_is_said() {
    let stage = Stage::new(STEP, PASSES);
    stage.write("site/torch/version.py", "__version__ = '2.10.1'\n");
    assert_eq!(stage.run(&[], "470"), 3);
    assert!(stage.result("summary.txt").contains("packed for torch 2.11.0, but"));
    stage.program("bin/python3", "exit 1");
    assert_eq!(stage.run(&[], "470"), 3);
    assert!(stage.result("summary.txt").contains("has no torch: install torch 2.11.0"));
    fs::remove_file(stage.path("out/gpu/root")).unwrap();
    assert_eq!(stage.run(&[], "470"), 3);
    assert!(stage.result("summary.txt").contains("nothing is packed"));
}
