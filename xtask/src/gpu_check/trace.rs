//! Summarizes a profiler trace in Chrome's format: which kernels ran, for how long, and how long the device was idle.

use std::collections::HashMap;

use serde_json::Value;

use crate::trouble::{Result, Trouble};

/// One step on the device, averaged over the trace. Times are in milliseconds.
#[derive(Debug, PartialEq)]
pub struct Summary {
    /// From the start of the first kernel to the end of the last.
    pub span: f64,
    /// Time with a kernel or a copy running.
    pub busy: f64,
    pub launches: f64,
    /// The longest idle period.
    pub longest_gap: f64,
    pub copied_mib: f64,
    /// Calls in which the host waits for the device.
    pub waits: f64,
    /// By total time, longest first.
    pub kernels: Vec<Kernel>,
}

#[derive(Debug, PartialEq)]
pub struct Kernel {
    pub name: String,
    pub launches: f64,
    pub time: f64,
}

const ON_DEVICE: [&str; 3] = ["kernel", "gpu_memcpy", "gpu_memset"];
const WAITS: [&str; 4] = ["cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy"];

/// Summarizes a trace of `steps` steps.
pub fn summary(json: &[u8], steps: usize) -> Result<Summary> {
    let unreadable = |what: String| Trouble::new(format!("cannot read the trace: {what}"));
    let trace: Value = serde_json::from_slice(json).map_err(|e| unreadable(e.to_string()))?;
    let events = trace["traceEvents"].as_array().ok_or_else(|| unreadable("it has no traceEvents".into()))?;
    let of = |wanted: &[&str]| -> Vec<&Value> {
        events.iter().filter(|event| event["cat"].as_str().is_some_and(|cat| wanted.contains(&cat))).collect()
    };
    let device = of(&ON_DEVICE);
    let times: Vec<(f64, f64)> = device.iter().filter_map(|event| interval(event)).collect();
    if times.is_empty() {
        return Err(unreadable("it has no kernels, so it was not recorded on a GPU".into()));
    }
    let share = 1.0 / steps.max(1) as f64;
    let Union { span, busy, longest_gap } = union(times);
    let runtime = of(&["cuda_runtime", "cuda_driver"]);
    let waits = runtime.iter().filter(|event| event["name"].as_str().is_some_and(|name| WAITS.contains(&name))).count();
    let bytes: f64 = device.iter().filter_map(|event| event["args"]["bytes"].as_f64()).sum();
    Ok(Summary {
        span: span * share,
        busy: busy * share,
        launches: device.len() as f64 * share,
        longest_gap,
        copied_mib: bytes * share / f64::from(1 << 20),
        waits: waits as f64 * share,
        kernels: kernels(&device, share),
    })
}

/// Returns the start and end, converted from the microseconds of a trace.
fn interval(event: &Value) -> Option<(f64, f64)> {
    let (begin, duration) = (event["ts"].as_f64()?, event["dur"].as_f64()?);
    Some((begin / 1e3, (begin + duration) / 1e3))
}

struct Union {
    span: f64,
    busy: f64,
    longest_gap: f64,
}

/// Returns the total time covered; kernels on several streams can overlap.
fn union(mut times: Vec<(f64, f64)>) -> Union {
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let first = times[0].0;
    let (mut end, mut busy, mut longest_gap) = (first, 0.0, 0.0f64);
    for (from, to) in times {
        longest_gap = longest_gap.max(from - end);
        busy += (to - from.max(end)).max(0.0);
        end = end.max(to);
    }
    Union { span: end - first, busy, longest_gap }
}

fn kernels(events: &[&Value], share: f64) -> Vec<Kernel> {
    let mut sums: HashMap<&str, (f64, f64)> = HashMap::new();
    for event in events {
        let (Some(name), Some((from, to))) = (event["name"].as_str(), interval(event)) else { continue };
        let (launches, time) = sums.entry(name).or_default();
        *launches += share;
        *time += (to - from) * share;
    }
    let kernel = |(name, (launches, time)): (&str, (f64, f64))| Kernel { name: name.into(), launches, time };
    let mut kernels: Vec<Kernel> = sums.into_iter().map(kernel).collect();
    kernels.sort_by(|a, b| b.time.total_cmp(&a.time).then_with(|| a.name.cmp(&b.name)));
    kernels
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = r#"{"traceEvents": [
        {"ph": "X", "cat": "cpu_op", "name": "aten::conv2d", "ts": 0, "dur": 900},
        {"ph": "X", "cat": "kernel", "name": "winograd", "ts": 1000, "dur": 2000},
        {"ph": "X", "cat": "kernel", "name": "winograd", "ts": 2000, "dur": 2000},
        {"ph": "X", "cat": "gpu_memcpy", "name": "Memcpy HtoD", "ts": 6000, "dur": 1000, "args": {"bytes": 4194304}},
        {"ph": "X", "cat": "cuda_runtime", "name": "cudaStreamSynchronize", "ts": 6100, "dur": 10},
        {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "ts": 950, "dur": 5},
        {"ph": "M", "name": "process_name", "args": {"name": "step"}}
    ]}"#;

    #[test]
    fn times_are_summed_by_kernel_and_gaps_are_found() {
        let found = summary(TRACE.as_bytes(), 2).unwrap();
        assert_eq!((found.span, found.busy, found.longest_gap), (3.0, 2.0, 2.0));
        assert_eq!((found.launches, found.copied_mib, found.waits), (1.5, 2.0, 0.5));
        let longest = Kernel { name: "winograd".into(), launches: 1.0, time: 2.0 };
        assert_eq!((found.kernels.len(), &found.kernels[0]), (2, &longest));
    }

    #[test]
    fn what_is_no_trace_of_a_gpu_is_refused() {
        for (text, words) in [("{", "EOF"), ("{}", "traceEvents"), (r#"{"traceEvents": []}"#, "no kernels")] {
            let trouble = summary(text.as_bytes(), 3).unwrap_err().to_string();
            assert!(trouble.contains(words), "{trouble}");
        }
    }
}
