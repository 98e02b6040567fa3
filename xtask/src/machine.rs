//! Hardware and driver facts that decide about CUDA.

use std::fs;
use std::path::Path;

pub struct Machine {
    /// How an NVIDIA device was detected; `None` if there is none.
    pub device: Option<String>,
    /// The driver version, for example `580.95.05`.
    pub driver: Option<String>,
}

/// The driver's device nodes, then WSL's, which also needs the library from Windows.
const SIGNS: &[&[&str]] = &[&["dev/nvidiactl"], &["dev/nvidia0"], &["dev/dxg", "usr/lib/wsl/lib/libcuda.so.1"]];

impl Machine {
    pub fn this() -> Self {
        Self::under(Path::new("/"))
    }

    fn under(root: &Path) -> Self {
        let sign = SIGNS.iter().find(|files| files.iter().all(|file| root.join(file).exists()));
        let nvrm = fs::read_to_string(root.join("proc/driver/nvidia/version")).unwrap_or_default();
        Self { device: sign.map(|files| format!("/{}", files[0])), driver: driver_version(&nvrm) }
    }
}

/// Returns the processor's name and its number of hardware threads.
pub fn processors() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{count} x {}", processor_name(&info).unwrap_or(std::env::consts::ARCH))
}

fn processor_name(info: &str) -> Option<&str> {
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim()).filter(|name| !name.is_empty())
}

/// Returns the first dotted number in the line that starts with NVRM.
fn driver_version(nvrm: &str) -> Option<String> {
    let line = nvrm.lines().find(|line| line.starts_with("NVRM"))?;
    let mut words = line.split_whitespace();
    words.find(|w| w.contains('.') && w.split('.').all(|n| n.parse::<u32>().is_ok())).map(String::from)
}

/// Returns the oldest driver major version that runs this release of CUDA.
pub fn oldest_driver(cuda: &str) -> Option<u32> {
    match cuda.split('.').next()? {
        "12" => Some(525),
        "13" => Some(580),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_driver_is_read_from_both_forms_of_its_line() {
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder)\nGCC version: gcc 12.2.0\n";
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n";
        assert_eq!(driver_version(open).as_deref(), Some("580.95.05"));
        assert_eq!(driver_version(closed).as_deref(), Some("535.183.01"));
        assert_eq!(driver_version(""), None);
    }

    #[test]
    fn a_processor_has_a_name() {
        let info = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: avx2\n";
        assert_eq!(processor_name(info), Some("AMD EPYC"));
        assert_eq!(processor_name("model name\t: \n"), None);
        assert!(processors().contains(" x "));
    }

    #[test]
    fn a_device_is_recognized_by_its_node() {
        let scratch = Scratch::new("machine").unwrap();
        assert_eq!(Machine::under(scratch.path()).device, None);
        fs::create_dir_all(scratch.path().join("dev")).unwrap();
        fs::write(scratch.path().join("dev/dxg"), "").unwrap();
        assert_eq!(Machine::under(scratch.path()).device, None);
        fs::write(scratch.path().join("dev/nvidia0"), "").unwrap();
        assert_eq!(Machine::under(scratch.path()).device.as_deref(), Some("/dev/nvidia0"));
    }
}
