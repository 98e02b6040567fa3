//! What the crate changes in its process, and how to opt out.
//!
//! Nothing changes before `main`. The first call that needs a change makes it: [`prepare_data`](crate::prepare_data),
//! opening or importing a model, [`Distributed::from_env`](crate::distributed::Distributed::from_env) if there are
//! other processes, [`Device::resolve`](crate::Device::resolve), which every model calls when it is built, and
//! [`num_threads`]. To choose what changes, call [`init`] at the beginning of `main`.
//!
//! | What changes | When | Why | Opt out with |
//! |---|---|---|---|
//! | `libtorch_cuda.so` is loaded if it is next to the `libtorch_cpu.so` in use | a device is requested, even the CPU | the linker drops it from programs that use none of its symbols, and CUDA would never be found | [`load_cuda`](RuntimeOptions::load_cuda) |
//! | `ONEDNN_PRIMITIVE_CACHE_CAPACITY` and `LRU_CACHE_CAPACITY` are set to 128 in the environment, if they are unset and no other thread runs; child processes inherit them | before anything else | libtorch caches 1,024 compiled convolutions, by image size: after images of 300 sizes a process held 795 MiB, and 413 with the limit | [`limit_caches`](RuntimeOptions::limit_caches) |
//! | libtorch uses at most as many threads as the process may use, and for an f32 training step or translation on the CPU, on the calling thread only, the number that was recently the fastest; unless `OMP_NUM_THREADS` is set | before anything else; during such work | libtorch ignores a container's CPU limit, and threads that wait for a core taken by another program slow everything down | [`settle_threads`](RuntimeOptions::settle_threads), [`set_num_threads`] |
//! | libtorch's allocator of main memory is replaced, permanently, by one that forwards all requests unless a model is training, and then keeps tensors' memory from 1 MiB on for reuse | a model's first training step on the CPU | the C library returns large blocks to the kernel, which clears each page again: a tenth of a step at 256 pixels | [`keep_training_memory`](RuntimeOptions::keep_training_memory) |
//! | libtorch logs only errors | while batch sizes are tried; restored afterwards | its allocator warns about each block that was allocated before memory was counted | [`quiet_trials`](RuntimeOptions::quiet_trials) |
//! | TF32, deterministic algorithms and cuDNN's benchmark are switched | on CUDA, during a step, a validation or a translation; restored afterwards | a model computes in the requested precision; work that needs other settings waits | not possible: they follow from [`Precision`](crate::device::Precision) and [`FitOptions`](crate::FitOptions) |
//! | `TORCH_NCCL_ASYNC_ERROR_HANDLING` is set to 2 in the environment, if it is unset and no other thread runs; child processes inherit it | [`Distributed::from_env`](crate::distributed::Distributed::from_env) if there are other processes, unless [`Backend::Gloo`](crate::distributed::Backend::Gloo) is used | an NCCL error is returned as an error that names the lost process, where libtorch would abort this process | setting the variable |
//! | GDAL's messages go to `tracing` instead of standard error (feature `gdal`) | GDAL opens its first file | failures are returned as errors, and would be reported twice | not possible: install your own handler after that file |
//!
//! Two consequences of libtorch's design:
//!
//! - It looks for CUDA when gradients are first computed or random numbers are seeded, and remembers the result for
//!   good. A program that does so with `tch` directly, before it requests a device from this crate, does not get CUDA; it
//!   should call [`init`] first.
//! - It reads its cache limits from the environment, on any thread, so the environment must not be modified at the same
//!   time. The limits are therefore set only while the process has a single thread (and only on Linux, which reports it).
//!   A program with threads, such as those of an async runtime, should call [`init`] before it starts them, or be started
//!   with the two variables.

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, Allowed};
use crate::threads;
pub use crate::threads::{num_threads, set_num_threads};

/// What the crate may change in the process; by default everything in the table of [this module](self).
///
/// ```
/// use geolearn::runtime::{self, RuntimeOptions};
///
/// fn main() -> geolearn::Result<()> {
///     // A program with its own allocator that sets its own environment variables.
///     runtime::init(RuntimeOptions::new().keep_training_memory(false).limit_caches(false))?;
///     println!("{}", geolearn::Device::Auto.resolve()?);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct RuntimeOptions {
    allowed: Allowed,
}

impl RuntimeOptions {
    /// Allows all changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether to load libtorch's CUDA library. Without it [`Device::Auto`](crate::Device::Auto) selects the CPU,
    /// unless the program itself is linked against that library.
    ///
    /// ```
    /// use geolearn::runtime::{self, RuntimeOptions};
    ///
    /// runtime::init(RuntimeOptions::new().load_cuda(false))?;
    /// let chosen = geolearn::Device::Auto.resolve()?;
    /// # if !chosen.torch().is_cuda() {
    /// assert!(chosen.reason().is_some_and(|reason| reason.contains("declined")));
    /// # }
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn load_cuda(mut self, is_loaded: bool) -> Self {
        self.allowed.load_cuda = is_loaded;
        self
    }

    /// Sets whether to keep the memory of large tensors between training steps on the CPU.
    ///
    /// ```
    /// use geolearn::runtime::RuntimeOptions;
    ///
    /// let options = RuntimeOptions::new().keep_training_memory(false);
    /// assert_ne!(options, RuntimeOptions::default());
    /// ```
    pub fn keep_training_memory(mut self, is_kept: bool) -> Self {
        self.allowed.keep_memory = is_kept;
        self
    }

    /// Sets whether to lower libtorch's number of threads to what the process may use, and to what is fastest alongside
    /// other programs.
    ///
    /// ```
    /// use geolearn::runtime::RuntimeOptions;
    ///
    /// let options = RuntimeOptions::new().settle_threads(false);
    /// assert_ne!(options, RuntimeOptions::default());
    /// ```
    pub fn settle_threads(mut self, is_settled: bool) -> Self {
        self.allowed.settle_threads = is_settled;
        self
    }

    /// Sets whether to limit the caches of compiled convolutions through environment variables.
    ///
    /// ```
    /// use geolearn::runtime::RuntimeOptions;
    ///
    /// let options = RuntimeOptions::new().limit_caches(false);
    /// assert_ne!(options, RuntimeOptions::default());
    /// ```
    pub fn limit_caches(mut self, is_limited: bool) -> Self {
        self.allowed.limit_caches = is_limited;
        self
    }

    /// Sets whether to suppress libtorch's warnings while batch sizes are tried.
    ///
    /// ```
    /// use geolearn::runtime::RuntimeOptions;
    ///
    /// let options = RuntimeOptions::new().quiet_trials(false);
    /// assert_ne!(options, RuntimeOptions::default());
    /// ```
    pub fn quiet_trials(mut self, is_quiet: bool) -> Self {
        self.allowed.quiet_trials = is_quiet;
        self
    }
}

/// Sets what the crate may change, for the lifetime of the process, and makes the immediate changes: limits the caches,
/// sets the number of threads, and loads libtorch's CUDA library.
///
/// Call it at the beginning of `main`, before starting threads and before using anything else of this crate or of
/// `tch`. It modifies the environment, so code in other languages that keeps pointers into it must not have run before.
/// If other threads are already running, the environment, and so the caches, stay unchanged. Without this call, the
/// first use of the crate does the same with [`RuntimeOptions::default`].
///
/// ```
/// use geolearn::runtime::{self, RuntimeOptions};
///
/// runtime::init(RuntimeOptions::new().load_cuda(false))?;
/// assert_eq!(runtime::init(RuntimeOptions::new()).unwrap_err().kind(), geolearn::ErrorKind::Usage);
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Usage`] if this was called before, or the crate was already used.
pub fn init(options: RuntimeOptions) -> Result<()> {
    if !ffi::allow(options.allowed) {
        return Err(Error::new(ErrorKind::Usage, "the runtime is set up already, by an earlier call or by first use")
            .help("Call geolearn::runtime::init once, at the beginning of main."));
    }
    threads::settle();
    ffi::cuda_library();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_allowed_that_is_not_declined() {
        let Allowed { load_cuda, keep_memory, settle_threads, limit_caches, quiet_trials } = Allowed::default();
        assert!(load_cuda && keep_memory && settle_threads && limit_caches && quiet_trials);
        let none = RuntimeOptions::new().load_cuda(false).keep_training_memory(false).settle_threads(false);
        let none = none.limit_caches(false).quiet_trials(false).allowed;
        assert!(!(none.load_cuda || none.keep_memory || none.settle_threads || none.limit_caches || none.quiet_trials));
    }

    #[test]
    fn what_was_used_cannot_be_set_up() {
        ffi::allowed();
        let error = init(RuntimeOptions::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("beginning of main"), "{error}");
    }
}
