//! What unit tests share: fixtures and the one way to compare numbers.

mod crew;
mod port;
pub(crate) mod python;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use crew::{crew, crew_with};
pub(crate) use port::free_port;
use tch::{Kind, Tensor};

use crate::device::Device;
use crate::error::ErrorKind;
use crate::metrics::Inception;

/// How far two numbers may differ: `abs + rel * |expected|`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance {
    pub abs: f64,
    pub rel: f64,
}

impl Tolerance {
    pub const fn abs(abs: f64) -> Self {
        Self { abs, rel: 0.0 }
    }

    pub fn number(self, what: &str, found: f64, expected: f64) {
        let most = self.abs + self.rel * expected.abs();
        // Not `>`: that would let NaN pass.
        assert!((found - expected).abs() <= most, "{what}: expected {expected}, found {found}, tolerance {most}");
    }

    pub fn tensor(self, what: &str, found: &Tensor, expected: &Tensor) {
        assert_eq!(found.size(), expected.size(), "{what}");
        let (found, expected) = (found.to_kind(Kind::Double), expected.to_kind(Kind::Double));
        let excess = (&found - &expected).abs() - expected.abs() * self.rel;
        let worst = excess.max().double_value(&[]);
        assert!(worst <= self.abs, "{what}: off by {worst}, tolerance {self:?}");
    }
}

/// Names the step of publishing before which a child process ends as if it were killed.
pub(crate) const KILL_AT: &str = "GEOLEARN_TEST_KILL_AT";

/// A step between which a process may be killed, numbered from 0.
pub(crate) fn kill_point() {
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    let passed = PASSED.fetch_add(1, Ordering::SeqCst);
    if std::env::var(KILL_AT).is_ok_and(|at| at.parse() == Ok(passed)) {
        // Nothing is dropped, as when a process is killed.
        std::process::abort();
    }
}

/// Says what a test found, or why it was skipped.
#[allow(clippy::print_stderr, reason = "this is what it is for")]
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}

/// The first CUDA device, or a line that says why there is none to test.
pub(crate) fn cuda() -> Option<tch::Device> {
    let chosen = Device::Auto.resolve().unwrap();
    if let Some(reason) = chosen.reason() {
        tell(&format!("skipped: {reason}"));
    }
    chosen.torch().is_cuda().then(|| chosen.torch())
}

/// The Inception network; or a line that says why there is none to test with, which must not be where
/// GEOLEARN_REQUIRE_INCEPTION is set.
pub(crate) fn inception(device: Device) -> Option<Inception> {
    match Inception::find(device) {
        Err(error) if error.kind() == ErrorKind::Io && std::env::var_os("GEOLEARN_REQUIRE_INCEPTION").is_none() => {
            tell(&format!("skipped: {error}"));
            None
        }
        found => Some(found.unwrap()),
    }
}

/// A folder of so many chips of A and of B.
pub(crate) fn few_chips(folder: &Path, counts: [usize; 2]) {
    for (domain, count) in ["A", "B"].into_iter().zip(counts) {
        let into = folder.join(domain);
        std::fs::create_dir_all(&into).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(format!("assets/bluemarble/{domain}/images")).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().file_name());
        for file in files.into_iter().take(count).flatten() {
            std::fs::copy(file.path(), into.join(file.file_name())).unwrap();
        }
    }
}

/// A file under `tests/fixtures`.
pub(crate) fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

/// A NumPy array among the fixtures.
pub(crate) fn npy(path: &str) -> Tensor {
    Tensor::read_npy(fixture(path)).unwrap()
}
