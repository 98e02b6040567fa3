//! What a fit asks of the other processes.

use std::fmt;

use tch::Tensor;

use super::part::Part;
use crate::error::{Error, Result};
use crate::stop::StopSignal;

/// The processes that make a fit together, as one of them sees them.
///
/// All make the same calls in the same order; a call returns when all have made it. After an error of one the group is of
/// no use: whatever it is asked is an error.
pub(crate) trait Peers: fmt::Debug + Send + Sync {
    /// Which of them this process is.
    fn part(&self) -> Part;

    /// Whether there is nobody to exchange with. A group of one process exchanges with itself.
    fn is_alone(&self) -> bool {
        self.part().is_whole()
    }

    /// Replaces the values of a contiguous tensor by the sum over all processes, to the same bits in each.
    fn sum(&self, tensor: &mut Tensor) -> Result<()>;

    /// Begins to sum the gradients of an update, a contiguous tensor, over all processes, to the same bits in each. Other calls
    /// may come before the sum is waited for.
    fn begin_gradients(&self, mut gradients: Tensor) -> Result<PendingSum<'_>> {
        self.sum(&mut gradients)?;
        Ok(PendingSum::new(move || Ok(gradients)))
    }

    /// Returns the tensors of all processes by rank. They have one shape.
    fn gather(&self, tensor: &Tensor) -> Result<Vec<Tensor>>;

    /// Returns the bytes of all processes by rank, for little that is on the processor; of any length.
    fn gather_bytes(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>>;

    /// Returns the bytes of the first process. Those of the others do not count.
    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;

    /// Checks that none of the others is known to be lost or to have failed, without a call of theirs: for work between two calls that
    /// takes long.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// From now on ends waits for the other processes with `Stopped` once this signal is set, for calls between which they work on
    /// their own. A process that is stopped so has left.
    fn stop_waiting_on(&self, _: Option<StopSignal>) {}

    /// Tells the others that this process makes no more calls, and why, so that none waits for it: their calls fail, with `Stopped`
    /// where that is the kind of `error`.
    fn leave(&self, error: &Error);
}

/// A sum over all processes that is under way.
pub(crate) struct PendingSum<'a>(Box<dyn FnOnce() -> Result<Tensor> + 'a>);

impl<'a> PendingSum<'a> {
    /// One that `wait` waits for and returns.
    pub fn new(wait: impl FnOnce() -> Result<Tensor> + 'a) -> Self {
        Self(Box::new(wait))
    }

    /// Waits for the sum and returns it.
    pub fn finish(self) -> Result<Tensor> {
        (self.0)()
    }
}

impl fmt::Debug for PendingSum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PendingSum")
    }
}

/// The one process of a fit that is not shared out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alone;

impl Peers for Alone {
    fn part(&self) -> Part {
        Part::WHOLE
    }

    fn sum(&self, _: &mut Tensor) -> Result<()> {
        Ok(())
    }

    fn gather(&self, tensor: &Tensor) -> Result<Vec<Tensor>> {
        Ok(vec![tensor.shallow_clone()])
    }

    fn gather_bytes(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        Ok(vec![bytes])
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(bytes)
    }

    fn leave(&self, _: &Error) {}
}
