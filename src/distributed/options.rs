//! How processes are to come together.

use std::time::Duration;

use super::backend::{Backend, Offer, Wishes};
use super::environment::Environment;
use super::exchange::Member;
use super::group::Distributed;
use crate::error::{Error, ErrorKind, Result};
use crate::{ffi, threads};

/// What libtorch's clocks can add to any time.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// How processes come together, and how long they wait for each other.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `backend` | `Auto` | the library that carries tensors on CUDA devices | [`Backend`] |
/// | `bf16_gradients` | false | gradients travel in bfloat16 | |
/// | `timeout` | 30 minutes | after which a process that does not come to an exchange is given up, alive as it is; one that gives no sign of life is given up after 30 seconds, or the timeout if that is less | > 0, at most 30 days |
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
    /// Takes the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long a process waits for another that is alive, and for all to come together. The first process measures
    /// metrics and writes checkpoints while the others wait. Default: 30 minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the library that carries tensors on CUDA devices from process to process, for all processes the same. Default:
    /// [`Backend::Auto`].
    ///
    /// ```
    /// use geolearn::ErrorKind;
    /// use geolearn::distributed::{Backend, DistributedOptions};
    ///
    /// match DistributedOptions::new().backend(Backend::Nccl).from_env() {
    ///     Ok(group) => println!("by {:?}", group.backend()),
    ///     // Without CUDA, as on the machine that tests this.
    ///     Err(error) => assert_eq!(error.kind(), ErrorKind::Device),
    /// }
    /// ```
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Sets whether gradients travel in bfloat16, and are summed so: half the bytes of f32, for a rounding of each number and of
    /// each partial sum to 8 bits. The sum over N processes is off by at most N/256 of the sum of the gradients' absolute values.
    /// For all processes the same. Default: false.
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

    /// Finds the other processes, as [`Distributed::from_env`] does.
    ///
    /// With [`Backend::Nccl`] a single process that is told so by the variables (`WORLD_SIZE=1`) makes a group of its own, which
    /// tries NCCL on one GPU.
    ///
    /// # Errors
    /// Those of [`Distributed::from_env`]; `Usage` for a timeout of 0 or of more than 30 days; with [`Backend::Nccl`] `Device`
    /// where a process cannot use NCCL, and `Usage` where two have the same CUDA device.
    pub fn from_env(self) -> Result<Distributed> {
        if self.timeout.is_zero() || self.timeout > LONGEST {
            return Err(Error::new(ErrorKind::Usage, "timeout is out of range")
                .expected("more than 0, and at most 30 days")
                .found(format!("{:?}", self.timeout)));
        }
        let environment = Environment::read(|name| std::env::var(name).ok())?;
        let needs_nccl = self.backend == Backend::Nccl;
        let Some(environment) = environment.filter(|environment| needs_nccl || !environment.part.is_whole()) else {
            Offer::of(if needs_nccl { Backend::Nccl } else { Backend::Gloo }, 0).check()?;
            return Ok(Distributed::alone());
        };
        // What is set up before there are threads.
        threads::settle();
        if self.backend != Backend::Gloo {
            ffi::give_nccl_errors_as_values();
        }
        Member::join(
            environment,
            Wishes { timeout: self.timeout, backend: self.backend, bf16_gradients: self.bf16_gradients },
        )
        .map(Distributed::of)
    }
}

impl Distributed {
    /// Finds the other processes by the variables that `torchrun` sets: `RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR`,
    /// `MASTER_PORT`, `TORCHELASTIC_USE_AGENT_STORE`. Where the address is set, those of `srun` stand in for the first three:
    /// `SLURM_PROCID`, `SLURM_NTASKS`, `SLURM_LOCALID`. Waits for all of them. Without the variables there is one process.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when a variable is missing or does not fit, or when the processes do not agree about it;
    /// [`ErrorKind::Peer`] when others do not come in time or cannot be reached.
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
