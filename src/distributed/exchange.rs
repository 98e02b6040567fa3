//! Exchanges of a group, each made by all of its processes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::environment::Environment;
use super::join::{Joined, join};
use super::pace::Pace;
use super::watch::Watch;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{Exchange, TensorGroup};
use crate::peers::{Part, Peers};

/// Bytes that go with their number; more need a second exchange.
const SHORT: usize = 120;
const OF_LENGTH: usize = 8;

/// One of several processes, connected with the others.
#[derive(Debug)]
pub(super) struct Member {
    environment: Environment,
    pace: Pace,
    watch: Watch,
    names: Vec<String>,
    tensors: Mutex<Tensors>,
}

#[derive(Debug)]
struct Tensors {
    /// `None` once an exchange has failed: libtorch's threads may still be in it.
    group: Option<TensorGroup>,
    /// Why there is none.
    broken: String,
    /// Time that was spent in exchanges.
    spent: Duration,
}

impl Member {
    pub fn join(environment: Environment, timeout: Duration) -> Result<Self> {
        let pace = Pace::new(timeout);
        let Joined { watch, group, names } = join(&environment, pace)?;
        let tensors = Mutex::new(Tensors { group: Some(group), broken: String::new(), spent: Duration::ZERO });
        Ok(Self { environment, pace, watch, names, tensors })
    }

    pub fn local_rank(&self) -> usize {
        self.environment.local_rank
    }

    pub fn time_in_exchanges(&self) -> Duration {
        self.tensors.lock().unwrap_or_else(PoisonError::into_inner).spent
    }

    /// Waits until all processes have come here.
    pub fn meet(&self) -> Result<()> {
        self.gather_bytes(Vec::new()).map(drop)
    }

    fn exchange(&self, begin: impl FnOnce(&mut TensorGroup) -> Result<Exchange>) -> Result<()> {
        let mut tensors = self.tensors.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        let Some(group) = tensors.group.as_mut() else {
            return Err(Error::new(ErrorKind::Peer, "the group of processes is of no use any more")
                .because(tensors.broken.clone()));
        };
        let number = self.watch.enter();
        let ended = begin(group).map_err(|error| self.named(number, error)).and_then(|work| self.wait(number, &work));
        tensors.spent += begun.elapsed();
        match ended {
            Ok(()) => self.watch.finish(number),
            Err(error) => {
                tensors.broken = error.to_string();
                std::mem::forget(tensors.group.take());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Waits for the others, as long as they may yet come.
    fn wait(&self, number: u64, work: &Exchange) -> Result<()> {
        let begun = Instant::now();
        while !work.wait(self.pace.beat).map_err(|error| self.named(number, error))? {
            if let Some(lost) = self.watch.who_is_lost(number, false) {
                return Err(lost.error(&self.names, self.environment.store_holder(), self.pace));
            }
            if begun.elapsed() > self.pace.timeout {
                return Err(self.late(number));
            }
        }
        Ok(())
    }

    /// Finds who is to blame for an exchange that failed, for which libtorch knows an address at most.
    fn named(&self, number: u64, error: Error) -> Error {
        let begun = Instant::now();
        while begun.elapsed() < self.pace.silence {
            if let Some(lost) = self.watch.who_is_lost(number, true) {
                return lost.error(&self.names, self.environment.store_holder(), self.pace);
            }
            std::thread::sleep(self.pace.beat / 4);
        }
        Error::new(ErrorKind::Peer, "an exchange between the processes failed").because(error)
    }

    fn late(&self, number: u64) -> Error {
        let late = self.watch.who_is_late(number);
        let named = |rank: &usize| format!("process {rank} ({})", self.names[*rank]);
        let what = match late.as_slice() {
            [] => "an exchange between the processes does not end".to_owned(),
            late => format!("{} does not come to an exchange", late.iter().map(named).collect::<Vec<_>>().join(", ")),
        };
        Error::new(ErrorKind::Peer, what).expected(format!("the end of it within {:?}", self.pace.timeout)).help(
            "It hangs, or has more to do than the others: see what it does, or set a longer timeout in DistributedOptions.",
        )
    }

    /// Gathers tensors on the processor.
    fn gathered(&self, own: &Tensor) -> Result<Vec<Tensor>> {
        let like = |_| own.f_zeros_like();
        let mut all = (0..self.environment.part.count).map(like).collect::<std::result::Result<Vec<_>, _>>()?;
        self.exchange(|group| group.gather(own, &mut all))?;
        Ok(all)
    }

    fn gathered_bytes(&self, bytes: Vec<u8>, size: usize) -> Result<Vec<Vec<u8>>> {
        let mut bytes = bytes;
        bytes.resize(size, 0);
        let all = self.gathered(&Tensor::f_from_slice(&bytes)?)?;
        all.iter().map(|tensor| Ok(Vec::<u8>::try_from(tensor)?)).collect()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.watch.end(self.environment.holds_store());
    }
}

/// The number of bytes, and the first of them.
fn headed(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    length.into_iter().chain(bytes.iter().copied().take(SHORT)).collect()
}

/// The number of bytes that a head tells, and those that are in it.
fn head(message: &[u8]) -> (usize, &[u8]) {
    let (length, bytes) = message.split_first_chunk::<OF_LENGTH>().unwrap_or((&[0; OF_LENGTH], &[]));
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    (length, &bytes[..length.min(bytes.len())])
}

impl Peers for Member {
    fn part(&self) -> Part {
        self.environment.part
    }

    fn sum(&self, tensor: &mut Tensor) -> Result<()> {
        if tensor.device() == Device::Cpu {
            return self.exchange(|group| group.sum(tensor));
        }
        let mut staged = tensor.f_to_device(Device::Cpu)?;
        self.exchange(|group| group.sum(&mut staged))?;
        Ok(tensor.f_copy_(&staged)?)
    }

    fn gather(&self, tensor: &Tensor) -> Result<Vec<Tensor>> {
        let device = tensor.device();
        // In another order of memory the others would read other images.
        let all = self.gathered(&tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?)?;
        all.iter().map(|one| Ok(one.f_to_device(device)?)).collect()
    }

    fn gather_bytes(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let heads = self.gathered_bytes(headed(&bytes), OF_LENGTH + SHORT)?;
        let lengths: Vec<usize> = heads.iter().map(|message| head(message).0).collect();
        let most = lengths.iter().copied().max().unwrap_or(0);
        if most <= SHORT {
            return Ok(heads.iter().map(|message| head(message).1.to_vec()).collect());
        }
        let mut all = self.gathered_bytes(bytes, most)?;
        all.iter_mut().zip(lengths).for_each(|(bytes, length)| bytes.truncate(length));
        Ok(all)
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut length = Tensor::f_from_slice(&[bytes.len() as i64])?;
        self.exchange(|group| group.broadcast(&mut length))?;
        let length = length.f_int64_value(&[0])?;
        if length == 0 {
            return Ok(Vec::new());
        }
        let mut all = match self.part().leads() {
            true => Tensor::f_from_slice(&bytes)?,
            false => Tensor::f_zeros([length], (Kind::Uint8, Device::Cpu))?,
        };
        drop(bytes);
        self.exchange(|group| group.broadcast(&mut all))?;
        Ok(Vec::try_from(all)?)
    }

    fn leave(&self, error: &Error) {
        self.watch.fail(&error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_hold_what_is_short() {
        for length in [0, 1, SHORT, SHORT + 1, 5000] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut message = headed(&bytes);
            assert!(message.len() <= OF_LENGTH + SHORT);
            message.resize(OF_LENGTH + SHORT, 0);
            let (found, first) = head(&message);
            assert_eq!((found, first), (length, &bytes[..length.min(SHORT)]));
        }
    }
}
