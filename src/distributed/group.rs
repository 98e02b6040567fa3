//! The processes of a distributed fit, as a program sees them.

use std::sync::Arc;
use std::time::Duration;

use super::backend::{Backend, cuda_device};
use super::exchange::Member;
use crate::device::Device;
use crate::error::Result;
use crate::peers::{Alone, Part, Peers, PendingSum};

/// One of the processes that train a model together, or the only one. Clones are the same process.
///
/// Begin the same program several times, by `torchrun`, `srun` or a loop of the shell, and give what [`from_env`](Self::from_env)
/// finds to [`FitOptions::distributed`](crate::FitOptions::distributed). N processes of batch size b learn what one process of
/// batch size N·b does. `docs/distributed.md` of the repository tells more.
///
/// The processes stay connected until the last clone is gone; the first process then waits for the others, whose store it holds.
///
/// ```
/// use geolearn::FitOptions;
/// use geolearn::distributed::Distributed;
///
/// // Without the variables of a starter there is one process, and nothing is exchanged.
/// let group = Distributed::from_env()?;
/// assert_eq!((group.rank(), group.world_size(), group.is_main()), (0, 1, true));
/// let options = FitOptions::new(20).distributed(group);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Distributed {
    /// `None` where there is no other process.
    member: Option<Arc<Member>>,
}

impl Distributed {
    /// The only process.
    pub(super) fn alone() -> Self {
        Self { member: None }
    }

    pub(super) fn of(member: Member) -> Self {
        Self { member: Some(Arc::new(member)) }
    }

    fn peers(&self) -> &dyn Peers {
        match &self.member {
            Some(member) => &**member,
            None => &Alone,
        }
    }

    /// Returns the number of this process, from 0.
    ///
    /// ```
    /// assert_eq!(geolearn::distributed::Distributed::from_env()?.rank(), 0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn rank(&self) -> usize {
        self.peers().part().rank
    }

    /// Returns the number of processes.
    ///
    /// ```
    /// assert_eq!(geolearn::distributed::Distributed::from_env()?.world_size(), 1);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn world_size(&self) -> usize {
        self.peers().part().count
    }

    /// Returns the number of this process among those of its machine, from 0.
    ///
    /// ```
    /// assert_eq!(geolearn::distributed::Distributed::from_env()?.local_rank(), 0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn local_rank(&self) -> usize {
        self.member.as_ref().map_or(0, |member| member.local_rank())
    }

    /// Returns whether this is the process that prints and writes for all: the first one.
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

    /// Returns the device for this process: of several, the CUDA device of its [`local_rank`](Self::local_rank), or the only
    /// one that it can see; the processor where there is no CUDA.
    ///
    /// ```
    /// use geolearn::Device;
    /// use geolearn::distributed::Distributed;
    ///
    /// assert_eq!(Distributed::from_env()?.device(), Device::Auto);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn device(&self) -> Device {
        let Some(member) = &self.member else { return Device::Auto };
        cuda_device(member.local_rank()).map_or(Device::Cpu, Device::Cuda)
    }

    /// Returns the library that carries tensors on CUDA devices from process to process: never [`Backend::Auto`].
    ///
    /// ```
    /// use geolearn::distributed::{Backend, Distributed};
    ///
    /// // On one machine without CUDA, and of one process.
    /// assert_eq!(Distributed::from_env()?.backend(), Backend::Gloo);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn backend(&self) -> Backend {
        self.member.as_ref().map_or(Backend::Gloo, |member| member.backend())
    }

    /// Returns this process's share of `items`: every [`world_size`](Self::world_size)-th, beginning with its rank. Each is in
    /// the share of one process, such as scenes that are to be translated.
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
    /// [`ErrorKind::Peer`](crate::ErrorKind::Peer) when another process failed, ended, or does not come in time.
    pub fn barrier(&self) -> Result<()> {
        self.member.as_ref().map_or(Ok(()), |member| member.meet())
    }

    /// Returns the time that this process has spent in exchanges, waiting for the others included.
    ///
    /// ```
    /// assert!(geolearn::distributed::Distributed::from_env()?.time_in_exchanges().is_zero());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn time_in_exchanges(&self) -> Duration {
        self.member.as_ref().map_or(Duration::ZERO, |member| member.time_in_exchanges())
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

    fn leave(&self, error: &crate::error::Error) {
        self.peers().leave(error);
    }
}
