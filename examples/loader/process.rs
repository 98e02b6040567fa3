//! What this process has used, as Linux counts it.

use std::fs;

/// Of `/proc/self/stat`; the same on all Linux systems of today.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time of all threads so far, in seconds; 0 where it is not known.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in brackets may hold spaces; user and system time are the 12th and 13th field behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// The most memory that was resident, in MiB; 0 where it is not known.
pub fn peak_mib() -> f64 {
    status("VmHWM:") / 1024.0
}

/// Resident memory now, in MiB; 0 where it is not known.
pub fn resident_mib() -> f64 {
    status("VmRSS:") / 1024.0
}

/// Threads of this process; 0 where it is not known.
pub fn threads() -> f64 {
    status("Threads:")
}

fn status(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
