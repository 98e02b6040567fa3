//! Resource usage of this process, as reported by Linux.

use std::fs;

/// Clock ticks per second in `/proc/self/stat`; the same on all current Linux systems.
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns the CPU time of all threads so far, in seconds; 0 if unknown.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may contain spaces; user and system time are the 12th and 13th fields after it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// Returns the peak resident memory, in MiB; 0 if unknown.
pub fn peak_mib() -> f64 {
    status("VmHWM:") / 1024.0
}

/// Returns the current resident memory, in MiB; 0 if unknown.
pub fn resident_mib() -> f64 {
    status("VmRSS:") / 1024.0
}

/// Returns the number of threads of this process; 0 if unknown.
pub fn threads() -> f64 {
    status("Threads:")
}

fn status(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
