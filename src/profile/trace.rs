//! A piece of work under libtorch's profiler.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, Profiler};
use crate::store;

/// Runs `work` under libtorch's profiler and writes a trace to `path`: each operator with the shapes of its inputs, and on
/// CUDA each kernel, with begin and duration. The file is JSON in Chrome's format; [Perfetto](https://ui.perfetto.dev) and
/// `chrome://tracing` show it, and a name that ends in `.json` is customary. What `torch.profiler` exports in Python.
///
/// A step leaves some thousands of events, so profile a few of them, after some that warm up.
///
/// ```
/// use geolearn::tch::{Device, Kind, Tensor};
///
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("trace.json");
/// let x = Tensor::ones([64, 64], (Kind::Float, Device::Cpu));
/// let y = geolearn::profile::trace(&path, || Ok(x.f_matmul(&x)?))?;
/// assert_eq!(y.size(), [64, 64]);
/// assert!(std::fs::read_to_string(&path).unwrap().contains("aten::matmul"));
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// # Errors
/// `Usage` where the profiler is at work already: there is one for the whole process. `Io` where the file cannot be
/// written. What `work` reports; then there is no file.
pub fn trace<T>(path: impl AsRef<Path>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let path = store::path_of_file(path.as_ref())?;
    let folder =
        tempfile::tempdir().map_err(|e| Error::io("temporary folder cannot be made", std::env::temp_dir(), e))?;
    let written = folder.path().join("trace.json");
    let profiler = Profiler::begin(ffi::cuda_is_available())?;
    let made = work()?;
    profiler.finish(&written)?;
    // libtorch only logs that it could not write.
    let bytes = std::fs::read(&written).map_err(|e| Error::io("libtorch wrote no trace", &written, e))?;
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Io, "libtorch wrote an empty trace").at(&written).help("Is the disk full?"));
    }
    store::write(path, &bytes)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::sync::Mutex;
    use tch::{Device, Kind, Tensor};

    /// Tests run side by side, and there is one profiler.
    static PROFILER: Mutex<()> = Mutex::new(());

    fn convolved() -> Result<Tensor> {
        let x = Tensor::ones([1, 3, 16, 16], (Kind::Float, Device::Cpu));
        let w = Tensor::ones([5, 3, 3, 3], (Kind::Float, Device::Cpu));
        Ok(x.f_conv2d(&w, None::<Tensor>, 1, 0, 1, 1)?)
    }

    /// Names and durations of the operators in a trace.
    fn operators(path: &Path) -> Vec<(String, f64)> {
        let trace: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let operators = events.iter().filter(|event| event["cat"] == "cpu_op");
        operators.map(|event| (event["name"].as_str().unwrap().into(), event["dur"].as_f64().unwrap())).collect()
    }

    #[test]
    fn a_convolution_is_in_the_trace() {
        let _one = PROFILER.lock();
        let folder = tempfile::tempdir().unwrap();
        // The folder is made.
        let path = folder.path().join("traces/step.json");
        assert_eq!(trace(&path, convolved).unwrap().size(), [1, 5, 14, 14]);
        let found = operators(&path);
        assert!(found.iter().any(|(name, time)| name == "aten::conv2d" && *time > 0.0), "{found:?}");
    }

    /// Both hear of libtorch's memory by the same way.
    #[test]
    fn a_meter_and_the_profiler_do_not_disturb_each_other() {
        let _one = PROFILER.lock();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inside.json");
        let (_, used) = trace(&path, || ffi::measure_memory(convolved)).unwrap();
        assert!(used.live >= 5 * 14 * 14 * 4);
        let (_, used) = ffi::measure_memory(|| trace(&path, convolved)).unwrap();
        assert!(used.live >= 5 * 14 * 14 * 4);
        assert!(operators(&path).iter().any(|(name, _)| name == "aten::conv2d"));
    }

    /// Autograd and loaders work on threads of their own.
    #[test]
    fn other_threads_are_recorded() {
        let _one = PROFILER.lock();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("threads.json");
        let made = trace(&path, || std::thread::spawn(convolved).join().unwrap());
        assert_eq!(made.unwrap().size(), [1, 5, 14, 14]);
        assert!(operators(&path).iter().any(|(name, _)| name == "aten::conv2d"));
    }

    #[test]
    fn work_that_fails_leaves_no_file_and_frees_the_profiler() {
        let _one = PROFILER.lock();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        let nested = trace(&path, || trace(&path, convolved)).unwrap_err();
        assert_eq!(nested.kind(), ErrorKind::Usage);
        let failed: Result<()> = trace(&path, || Err(Error::new(ErrorKind::Unsupported, "no")));
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unsupported);
        let panicked = std::panic::catch_unwind(|| trace(&path, || -> Result<()> { panic!("on purpose") }));
        assert!(panicked.is_err() && !path.exists());
        assert!(trace(&path, convolved).is_ok() && path.exists());
        assert_eq!(trace(folder.path(), convolved).unwrap_err().kind(), ErrorKind::Usage);
    }

    #[test]
    fn cuda_kernels_are_in_the_trace() {
        let Ok(device) = crate::device::Device::Cuda(0).resolve() else { return };
        let _one = PROFILER.lock();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cuda.json");
        let x = Tensor::ones([256, 256], (Kind::Float, device.torch()));
        let y = trace(&path, || Ok(x.f_matmul(&x)?)).unwrap();
        assert_eq!(y.size(), [256, 256]);
        let trace: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let kernels = trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["cat"] == "kernel");
        assert!(kernels.count() > 0, "the profiler saw no kernel");
    }
}
