//! What the crate changes of the process that it is in, and how to decline it.
//!
//! Nothing of it happens before `main`. The first call that needs it does it: [`prepare_data`](crate::prepare_data), opening or
//! importing a model, [`Distributed::from_env`](crate::distributed::Distributed::from_env) where there are other processes, [`Device::resolve`](crate::Device::resolve), which every model calls when it is built, and
//! [`num_threads`]. Or do it yourself, with a say in it, by [`init`] at the beginning of `main`.
//!
//! | What changes | When | Why | Declined by |
//! |---|---|---|---|
//! | `libtorch_cuda.so` is loaded, where it lies beside the `libtorch_cpu.so` in use | a device is asked for, the processor too | the linker drops it from programs that name none of its symbols, and then CUDA is never found | [`load_cuda`](RuntimeOptions::load_cuda) |
//! | `ONEDNN_PRIMITIVE_CACHE_CAPACITY` and `LRU_CACHE_CAPACITY` are set to 128 in the environment, where they are not set and no other thread runs; child processes inherit them | first of all | libtorch keeps 1,024 convolutions compiled, by the sizes of their images: after images of 300 sizes a process held 795 MiB, and 413 with the limit | [`limit_caches`](RuntimeOptions::limit_caches) |
//! | libtorch has no more threads than the process may use, and for a training step or a translation in f32 on the processor the number that was the fastest of late, on the calling thread alone, where `OMP_NUM_THREADS` is not set | first of all; while that work is done | libtorch does not look at a container's share of processors; threads that wait for a core which another program has taken make everything slower | [`settle_threads`](RuntimeOptions::settle_threads), [`set_num_threads`] |
//! | libtorch's allocator of main memory is replaced, for good, by one that passes everything on while nobody trains, and else keeps tensors' memory from 1 MiB on | a model's first training step on the processor | the C library gives large blocks back to the kernel, which clears each page anew: a tenth of a step at 256 pixels | [`keep_training_memory`](RuntimeOptions::keep_training_memory) |
//! | libtorch logs errors only | while batch sizes are tried, then as before | its allocator warns of each block that is older than the count | [`quiet_trials`](RuntimeOptions::quiet_trials) |
//! | TF32, deterministic algorithms and cuDNN's search are switched | on CUDA, for a step, a validation or a translation, then as before | a model computes in the precision that it was asked for; work that wants other switches waits meanwhile | nothing: they are what [`Precision`](crate::device::Precision) and [`FitOptions`](crate::FitOptions) ask for |
//! | `TORCH_NCCL_ASYNC_ERROR_HANDLING` is set to 2 in the environment, where it is not set and no other thread runs; child processes inherit it | [`Distributed::from_env`](crate::distributed::Distributed::from_env) where there are other processes, unless by [`Backend::Gloo`](crate::distributed::Backend::Gloo) | an error of NCCL is to come back as one that names the process that was lost, where libtorch would end this process | setting the variable |
//! | GDAL's messages go to `tracing` in place of standard error (feature `gdal`) | GDAL opens its first file | what fails comes back as an error, and is not to be said twice | nothing: set a handler of your own after that file |
//!
//! Two things follow from how libtorch is made:
//!
//! - It remembers for good what it found when it first looked for CUDA, and it looks whenever gradients are computed and when
//!   random numbers are seeded. A program that does so with `tch` alone before it asks this crate for a device does not get
//!   CUDA: let it call [`init`] first.
//! - It reads the limits of its caches from the environment, on any thread, and nobody may write there meanwhile. So they are
//!   set only while the process has a single thread (and on Linux, which tells). A program with threads, such as those of an
//!   asynchronous runtime, calls [`init`] before it starts them, or is started with the two variables.

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, Allowed};
use crate::threads;
pub use crate::threads::{num_threads, set_num_threads};

/// What the crate may change of the process; by default everything in the table of [this module](self).
///
/// ```
/// use geolearn::runtime::{self, RuntimeOptions};
///
/// fn main() -> geolearn::Result<()> {
///     // A program that has an allocator of its own, and sets its environment itself.
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
    /// Allows everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether libtorch's CUDA library is loaded. Without it [`Device::Auto`](crate::Device::Auto) is the processor, unless
    /// the program itself is linked against that library.
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

    /// Whether memory of large tensors is kept between the steps of a training on the processor.
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

    /// Whether libtorch's number of threads is lowered to what the process may use, and to what is fastest beside other programs.
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

    /// Whether the caches of compiled convolutions are limited, through the environment.
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

    /// Whether libtorch's warnings are held back while batch sizes are tried.
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

/// Settles what the crate may change, for the life of the process, and does at once what can be done: limits the caches,
/// settles the number of threads, and loads libtorch's CUDA library.
///
/// Call it at the beginning of `main`, before other threads are started and before anything else of this crate or of `tch`.
/// It changes the environment, so code in other languages that keeps pointers into that must not run before; and where other
/// threads run already, it leaves the environment, and so the caches, as they are. Without this call the first use of the
/// crate does the same with [`RuntimeOptions::default`].
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
/// [`ErrorKind::Usage`] where this was called before, or the crate was used.
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
