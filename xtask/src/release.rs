//! The libtorch release that the locked tch requires.

use crate::trouble::{Result, Trouble};

/// A matching pair of releases.
#[derive(Debug, PartialEq)]
pub struct Release {
    pub tch: &'static str,
    pub libtorch: &'static str,
    /// Wheels that libtorch_cpu.so of PyPI's Linux build, a CUDA build, cannot load without.
    pub runtime: &'static [&'static str],
}

/// The releases that Cargo.toml's requirement of tch allows.
const RELEASES: &[Release] = &[Release {
    tch: "0.24.0",
    libtorch: "2.11.0",
    runtime: &["nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"],
}];

/// Returns the release for the tch in a Cargo.lock.
pub fn locked(lock: &str) -> Result<&'static Release> {
    let Some(tch) = locked_tch(lock) else {
        return Err(Trouble::new("Cargo.lock names no tch").advice("restore Cargo.lock from version control"));
    };
    RELEASES.iter().find(|release| release.tch == tch).ok_or_else(|| {
        let known: Vec<_> = RELEASES.iter().map(|r| format!("{} (libtorch {})", r.tch, r.libtorch)).collect();
        Trouble::new(format!("Cargo.lock has tch {tch}; the supported releases are {}", known.join(" and ")))
            .advice(format!("`cargo update -p tch --precise {}`", RELEASES[0].tch))
    })
}

/// Returns the version in the `[[package]]` entry of tch.
fn locked_tch(lock: &str) -> Option<&str> {
    let mut lines = lock.lines().map(str::trim).skip_while(|line| *line != r#"name = "tch""#);
    lines.nth(1)?.strip_prefix(r#"version = ""#)?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(tch: &str) -> String {
        format!(
            "version = 4\n\n[[package]]\nname = \"torch-sys\"\nversion = \"9.9.9\"\n\n\
             [[package]]\nname = \"tch\"\nversion = \"{tch}\"\ndependencies = [\n \"torch-sys\",\n]\n"
        )
    }

    #[test]
    fn tch_chooses_libtorch() {
        assert_eq!(locked(&lock("0.24.0")).unwrap().libtorch, "2.11.0");
        assert_eq!(locked(&lock("0.24.0").replace('\n', "\r\n")).unwrap().libtorch, "2.11.0");
    }

    #[test]
    fn an_unknown_tch_is_named_with_the_known_ones() {
        let trouble = locked(&lock("0.31.0")).unwrap_err().to_string();
        assert!(["0.31.0", "0.24.0", "2.11.0", "cargo update"].iter().all(|s| trouble.contains(s)), "{trouble}");
    }

    #[test]
    fn a_lock_without_tch_or_cut_off_is_refused() {
        for text in ["", "[[package]]\nname = \"serde\"\nversion = \"1.0.0\"\n", "[[package]]\nname = \"tch\""] {
            assert!(locked(text).unwrap_err().to_string().contains("no tch"));
        }
    }
}
