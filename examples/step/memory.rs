//! Measures the peak memory of a piece of work.

use std::fs;

use geolearn::profile::CudaMemory;
use tch::Device;

/// Resets the peak: of the device memory held by tensors, or on the CPU, of the memory of the process.
pub fn reset(device: Device) {
    // Where the system cannot reset it, the peak since the start of the process is reported.
    let _ = match cuda_index(device) {
        Some(index) => CudaMemory::reset_peak(index).map_err(|error| error.to_string()),
        None => fs::write("/proc/self/clear_refs", "5").map_err(|error| error.to_string()),
    };
}

/// Returns the peak in MiB; `None` if the system does not report it.
pub fn peak_mib(device: Device) -> Option<f64> {
    match cuda_index(device) {
        Some(index) => CudaMemory::of(index).ok().map(|memory| memory.peak_allocated as f64 / f64::from(1 << 20)),
        None => {
            let status = fs::read_to_string("/proc/self/status").ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
        }
    }
}

fn cuda_index(device: Device) -> Option<usize> {
    match device {
        Device::Cuda(index) => Some(index),
        _ => None,
    }
}
