//! The most memory that a piece of work takes.

use std::fs;

use geolearn::profile::CudaMemory;
use tch::Device;

/// From here on the most is counted anew: device memory of tensors, or on the processor all that the process holds.
pub fn reset(device: Device) {
    // Where it cannot be counted anew, the most since the start of the process is told.
    let _ = match cuda_index(device) {
        Some(index) => CudaMemory::reset_peak(index).map_err(|error| error.to_string()),
        None => fs::write("/proc/self/clear_refs", "5").map_err(|error| error.to_string()),
    };
}

/// MiB; none where the system does not say.
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
