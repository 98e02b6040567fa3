//! The public handle of a process group.

use std::sync::Arc;
use std::time::Duration;

use super::backend::{Backend, cuda_device};
use super::process_group::ProcessGroup;
use crate::device::Device;
use crate::error::Result;
use crate::peers::{Alone, Part, Peers, PendingSum};
use crate::stop::StopSignal;

/// This process as a member of a group that trains one model, or as a single process. Clones share the connection.
///
/// Start the same program several times with `torchrun`, `srun`, or a shell loop, and pass the result of
/// [`from_env`](Self::from_env) to [`FitOptions::distributed`](crate::FitOptions::distributed). N processes with batch
/// size b train like one process with batch size N·b. See the [guide](crate::guide::distributed) for details.
///
/// The processes stay connected until the last clone is dropped; rank 0 then waits for the others, which need its key-value store.
///
/// ```
/// use geolearn::FitOptions;
/// use geolearn::distributed::Distributed;
///
/// // Without a launcher's variables there is a single process, and nothing is sent.
/// let group = Distributed::from_env()?;
/// assert_eq!((group.rank(), group.world_size(), group.is_main()), (0, 1, true));
/// let options = FitOptions::new(20).distributed(group);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Distributed {
    /// `None` for a single process.
    group: Option<Arc<ProcessGroup>>,
}

impl Distributed {
    /// Returns a single process.
    pub(super) fn alone() -> Self {
        Self { group: None }
    }

    pub(super) fn of(group: ProcessGroup) -> Self {
        Self { group: Some(Arc::new(group)) }
    }

    fn peers(&self) -> &dyn Peers {
        match &self.group {
            Some(group) => &**group,
            None => &Alone,
        }
    }

    /// Returns the rank of this process: its number in the group, from 0.
    ///
    /// ```
    /// assert_eq!(geolearn::distributed::Distributed::from_env()?.rank(), 0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn rank(&self) -> usize {
        self.peers().part().rank
    }

    /// Returns the world size: the number of processes.
    ///
    /// ```
    /// assert_eq!(geolearn::distributed::Distributed::from_env()?.world_size(), 1);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn world_size(&self) -> usize {
        self.peers().part().count
    }

    /// Returns the local rank: the number of this process among those of its machine, from 0.
    ///
    /// ```
    /// assert_eq!(geolearn::distributed::Distributed::from_env()?.local_rank(), 0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn local_rank(&self) -> usize {
        self.group.as_ref().map_or(0, |group| group.local_rank())
    }

    /// Returns whether this is rank 0, which prints and writes files on behalf of all processes.
    ///
    /// ```
    /// let group = geolearn::distributed::Distributed::from_env()?;
    /// if group.is_main() {
    ///     println!("{} processes", group.world_size());
    /// }
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn is_main(&self) -> bool {
        self.peers().part().leads()
    }

    /// Returns the device for this process. In a group, it is the CUDA device with index
    /// [`local_rank`](Self::local_rank), or the only visible one, or the CPU if there is no CUDA; for a single process
    /// it is [`Device::Auto`].
    ///
    /// ```
    /// use geolearn::Device;
    /// use geolearn::distributed::Distributed;
    ///
    /// assert_eq!(Distributed::from_env()?.device(), Device::Auto);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn device(&self) -> Device {
        let Some(group) = &self.group else { return Device::Auto };
        cuda_device(group.local_rank()).map_or(Device::Cpu, Device::Cuda)
    }

    /// Returns the library that transfers tensors between CUDA devices; never [`Backend::Auto`].
    ///
    /// ```
    /// use geolearn::distributed::{Backend, Distributed};
    ///
    /// // For a single process, and on a machine without CUDA.
    /// assert_eq!(Distributed::from_env()?.backend(), Backend::Gloo);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn backend(&self) -> Backend {
        self.group.as_ref().map_or(Backend::Gloo, |group| group.backend())
    }

    /// Returns this process's share of `items`, such as scenes: every [`world_size`](Self::world_size)-th item,
    /// starting at its rank. Each item is in the share of exactly one process.
    ///
    /// ```
    /// let group = geolearn::distributed::Distributed::from_env()?;
    /// assert_eq!(group.share(vec!["a.tif", "b.tif"]), ["a.tif", "b.tif"]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn share<T>(&self, items: Vec<T>) -> Vec<T> {
        items.into_iter().skip(self.rank()).step_by(self.world_size()).collect()
    }

    /// Waits until all processes have called this.
    ///
    /// ```
    /// let group = geolearn::distributed::Distributed::from_env()?;
    /// if group.is_main() {
    ///     // Put the chips where all processes look for them.
    /// }
    /// group.barrier()?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Peer`](crate::ErrorKind::Peer) if another process failed, left, or does not call this in time;
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) if another process was stopped.
    pub fn barrier(&self) -> Result<()> {
        self.group.as_ref().map_or(Ok(()), |group| group.barrier())
    }

    /// Returns the time that this process has spent in collectives, such as the all-reduce of gradients, including
    /// waiting.
    ///
    /// ```
    /// assert!(geolearn::distributed::Distributed::from_env()?.time_in_collectives().is_zero());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn time_in_collectives(&self) -> Duration {
        self.group.as_ref().map_or(Duration::ZERO, |group| group.time_in_collectives())
    }
}

impl Peers for Distributed {
    fn part(&self) -> Part {
        self.peers().part()
    }

    fn is_alone(&self) -> bool {
        self.peers().is_alone()
    }

    fn sum(&self, tensor: &mut tch::Tensor) -> Result<()> {
        self.peers().sum(tensor)
    }

    fn begin_gradients(&self, gradients: tch::Tensor) -> Result<PendingSum<'_>> {
        self.peers().begin_gradients(gradients)
    }

    fn gather(&self, tensor: &tch::Tensor) -> Result<Vec<tch::Tensor>> {
        self.peers().gather(tensor)
    }

    fn gather_bytes(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        self.peers().gather_bytes(bytes)
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        self.peers().broadcast(bytes)
    }

    fn check(&self) -> Result<()> {
        self.peers().check()
    }

    fn stop_waiting_on(&self, signal: Option<StopSignal>) {
        self.peers().stop_waiting_on(signal);
    }

    fn leave(&self, error: &crate::error::Error) {
        self.peers().leave(error);
    }
}
