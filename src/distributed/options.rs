//! Options of a process group.

use std::time::Duration;

use super::backend::{Backend, BackendSupport, GroupConfig};
use super::environment::Environment;
use super::group::Distributed;
use super::process_group::ProcessGroup;
use crate::error::{Error, ErrorKind, Result};
use crate::{ffi, threads};

/// libtorch's clocks may add this to any timeout.
const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How processes connect, and how long they wait for each other.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `backend` | `Auto` | library that transfers tensors between CUDA devices | [`Backend`] |
/// | `bf16_gradients` | false | gradients are summed in bfloat16 | |
/// | `timeout` | 30 minutes | longest wait for a process that is alive; one that sends no heartbeats is lost after 30 seconds, or half the timeout if that is less | > 0, at most 30 days |
///
/// ```
/// use std::time::Duration;
///
/// let group = geolearn::distributed::DistributedOptions::new().timeout(Duration::from_secs(600)).from_env()?;
/// assert_eq!(group.world_size(), 1);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct DistributedOptions {
    timeout: Duration,
    backend: Backend,
    bf16_gradients: bool,
}

impl Default for DistributedOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(1800), backend: Backend::Auto, bf16_gradients: false }
    }
}

impl DistributedOptions {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long a process waits in a collective for another live process, and for all processes to start. Rank 0
    /// computes metrics and writes checkpoints while the others wait, so the timeout must be longer than that takes.
    /// Default: 30 minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the library that transfers tensors between CUDA devices, the same for all processes. Default:
    /// [`Backend::Auto`].
    ///
    /// ```
    /// use geolearn::ErrorKind;
    /// use geolearn::distributed::{Backend, DistributedOptions};
    ///
    /// match DistributedOptions::new().backend(Backend::Nccl).from_env() {
    ///     Ok(group) => println!("by {:?}", group.backend()),
    ///     // Without CUDA, as on the machine that runs this test.
    ///     Err(error) => assert_eq!(error.kind(), ErrorKind::Device),
    /// }
    /// ```
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Sets whether gradients are sent and summed in bfloat16: half the bytes of f32, but each number and each partial
    /// sum is rounded to 8 bits. The sum over N processes is off by at most N/256 of the sum of the gradients' absolute
    /// values. Must be the same for all processes. Default: false.
    ///
    /// ```
    /// let options = geolearn::distributed::DistributedOptions::new().bf16_gradients(true);
    /// assert_eq!(options.from_env()?.world_size(), 1);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn bf16_gradients(mut self, is_bf16: bool) -> Self {
        self.bf16_gradients = is_bf16;
        self
    }

    /// Connects the processes; see [`Distributed::from_env`].
    ///
    /// With [`Backend::Nccl`] and `WORLD_SIZE=1`, a single process forms a group by itself, which is useful for testing
    /// NCCL on one GPU.
    ///
    /// # Errors
    /// See [`Distributed::from_env`]; also `Usage` for a timeout of 0 or of more than 30 days. With [`Backend::Nccl`],
    /// `Device` if a process cannot use NCCL, and `Usage` if two processes have the same CUDA device.
    pub fn from_env(self) -> Result<Distributed> {
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            return Err(Error::new(ErrorKind::Usage, "timeout is out of range")
                .expected("more than 0, and at most 30 days")
                .found(format!("{:?}", self.timeout)));
        }
        let environment = Environment::read(|name| std::env::var(name).ok())?;
        let needs_nccl = self.backend == Backend::Nccl;
        let Some(environment) = environment.filter(|environment| needs_nccl || !environment.part.is_whole()) else {
            BackendSupport::probe(if needs_nccl { Backend::Nccl } else { Backend::Gloo }, 0).check()?;
            return Ok(Distributed::alone());
        };
        // Both must run before any thread starts.
        threads::settle();
        if self.backend != Backend::Gloo {
            ffi::give_nccl_errors_as_values();
        }
        let Self { timeout, backend, bf16_gradients } = self;
        ProcessGroup::connect(environment, GroupConfig { timeout, backend, bf16_gradients }).map(Distributed::of)
    }
}

impl Distributed {
    /// Connects this process to the others, which it finds through the environment variables of `torchrun`: `RANK`,
    /// `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR`, `MASTER_PORT`, `TORCHELASTIC_USE_AGENT_STORE`. If the address is set,
    /// those of `srun` can replace the first three: `SLURM_PROCID`, `SLURM_NTASKS`, `SLURM_LOCALID`. Waits until all
    /// processes are connected. If none of the variables is set, there is a single process, and nothing is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if a variable is missing or invalid, or if processes disagree about it; [`ErrorKind::Peer`]
    /// if other processes do not start in time or cannot be reached.
    ///
    /// ```
    /// let group = geolearn::distributed::Distributed::from_env()?;
    /// println!("process {} of {}", group.rank(), group.world_size());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn from_env() -> Result<Self> {
        DistributedOptions::new().from_env()
    }
}
