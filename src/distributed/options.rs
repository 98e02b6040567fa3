//! How processes are to come together.

use std::time::Duration;

use super::environment::Environment;
use super::exchange::Member;
use super::group::Distributed;
use crate::error::{Error, ErrorKind, Result};
use crate::threads;

/// What libtorch's clocks can add to any time.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// How processes come together, and how long they wait for each other.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
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
}

impl Default for DistributedOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(1800) }
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

    /// Finds the other processes, as [`Distributed::from_env`] does.
    ///
    /// # Errors
    /// Those of [`Distributed::from_env`]; `Usage` for a timeout of 0 or of more than 30 days.
    pub fn from_env(self) -> Result<Distributed> {
        if self.timeout.is_zero() || self.timeout > LONGEST {
            return Err(Error::new(ErrorKind::Usage, "timeout is out of range")
                .expected("more than 0, and at most 30 days")
                .found(format!("{:?}", self.timeout)));
        }
        let environment = Environment::read(|name| std::env::var(name).ok())?;
        let Some(environment) = environment.filter(|environment| !environment.part.is_whole()) else {
            return Ok(Distributed::alone());
        };
        // What is set up before there are threads.
        threads::settle();
        Member::join(environment, self.timeout).map(Distributed::of)
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
