//! Exchanges of a group, each made by all of its processes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::backend::{Backend, Wishes};
use super::environment::Environment;
use super::groups::{Groups, Road};
use super::join::{Joined, join};
use super::pace::Pace;
use super::watch::Watch;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::Exchange;
use crate::peers::{Part, Peers, PendingSum};

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
    /// Index of the CUDA device that NCCL connects.
    nccl: Option<usize>,
    bf16_gradients: bool,
    tensors: Mutex<Tensors>,
}

#[derive(Debug)]
struct Tensors {
    /// `None` once an exchange has failed: libtorch's threads may still be in it.
    groups: Option<Groups>,
    /// Why there are none.
    broken: String,
    /// Time that was spent in exchanges.
    spent: Duration,
}

/// An exchange under way, and its number.
#[derive(Debug)]
struct Underway {
    number: u64,
    work: Exchange,
}

impl Member {
    pub fn join(environment: Environment, options: Wishes) -> Result<Self> {
        let pace = Pace::new(options.timeout);
        let Joined { watch, groups, names } = join(&environment, pace, options)?;
        let nccl = groups.nccl.as_ref().map(|nccl| nccl.device);
        let tensors = Mutex::new(Tensors { groups: Some(groups), broken: String::new(), spent: Duration::ZERO });
        Ok(Self { environment, pace, watch, names, nccl, bf16_gradients: options.bf16_gradients, tensors })
    }

    pub fn local_rank(&self) -> usize {
        self.environment.local_rank
    }

    pub fn backend(&self) -> Backend {
        if self.nccl.is_some() { Backend::Nccl } else { Backend::Gloo }
    }

    pub fn time_in_exchanges(&self) -> Duration {
        self.tensors().spent
    }

    fn tensors(&self) -> MutexGuard<'_, Tensors> {
        self.tensors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all processes have come here.
    pub fn meet(&self) -> Result<()> {
        self.gather_bytes(Vec::new()).map(drop)
    }

    fn exchange(&self, start: impl FnOnce(&mut Groups) -> Result<Exchange>) -> Result<()> {
        let underway = self.begin(start)?;
        self.finish(&underway)
    }

    /// Comes to an exchange.
    fn begin(&self, start: impl FnOnce(&mut Groups) -> Result<Exchange>) -> Result<Underway> {
        let begun = Instant::now();
        let (number, started) = {
            let mut tensors = self.tensors();
            let Some(groups) = tensors.groups.as_mut() else {
                return Err(Error::new(ErrorKind::Peer, "the group of processes is of no use any more")
                    .because(tensors.broken.clone()));
            };
            let number = self.watch.enter();
            (number, start(groups))
        };
        let started = started.map_err(|error| self.named(number, error));
        self.spend(begun);
        match started {
            Ok(work) => Ok(Underway { number, work }),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Waits for the end of an exchange.
    fn finish(&self, Underway { number, work }: &Underway) -> Result<()> {
        let begun = Instant::now();
        let ended = self.wait(*number, work);
        self.spend(begun);
        match ended {
            Ok(()) => {
                self.watch.finish(*number);
                Ok(())
            }
            Err(error) => Err(self.broken(error)),
        }
    }

    fn spend(&self, since: Instant) {
        self.tensors().spent += since.elapsed();
    }

    /// After this error the groups are of no use.
    fn broken(&self, error: Error) -> Error {
        let mut tensors = self.tensors();
        if let Some(groups) = tensors.groups.take() {
            tensors.broken = error.to_string();
            groups.forget();
        }
        error
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
        // What is known of the others may be old, where whoever tells it was lost.
        if let Some(lost) = self.watch.who_is_lost(number, true) {
            return lost.error(&self.names, self.environment.store_holder(), self.pace);
        }
        let late = self.watch.who_is_late(number);
        let named = |rank: &usize| format!("process {rank} ({})", self.names[*rank]);
        let what = match late.as_slice() {
            [] => "an exchange between the processes does not end".to_owned(),
            late => format!("{} does not come to an exchange", late.iter().map(named).collect::<Vec<_>>().join(", ")),
        };
        let error = Error::new(ErrorKind::Peer, what);
        let error = error.expected(format!("the end of it within {:?}", self.pace.timeout)).help(
            "It hangs, or has more to do than the others: see what it does, or set a longer timeout in DistributedOptions.",
        );
        // All have come, as far as is known: somebody was lost just now, and is found out soon.
        if late.is_empty() { self.named(number, error) } else { error }
    }

    fn road(&self, device: Device) -> Result<Road> {
        Road::of(device, self.nccl)
    }

    /// Gathers tensors, each where this process's is.
    fn gathered(&self, road: Road, own: &Tensor) -> Result<Vec<Tensor>> {
        let like = |_| own.f_zeros_like();
        let mut all = (0..self.environment.part.count).map(like).collect::<std::result::Result<Vec<_>, _>>()?;
        self.exchange(|groups| groups.gather(road, own, &mut all))?;
        Ok(all)
    }

    fn gathered_bytes(&self, bytes: Vec<u8>, size: usize) -> Result<Vec<Vec<u8>>> {
        let mut bytes = bytes;
        bytes.resize(size, 0);
        let all = self.gathered(Road::Gloo, &Tensor::f_from_slice(&bytes)?)?;
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

    fn is_alone(&self) -> bool {
        false
    }

    fn sum(&self, tensor: &mut Tensor) -> Result<()> {
        let road = self.road(tensor.device())?;
        if road != Road::Staged {
            return self.exchange(|groups| groups.sum(road, tensor));
        }
        let mut staged = tensor.f_to_device(Device::Cpu)?;
        self.exchange(|groups| groups.sum(road, &mut staged))?;
        Ok(tensor.f_copy_(&staged)?)
    }

    fn begin_gradients(&self, gradients: Tensor) -> Result<PendingSum<'_>> {
        let (device, kind) = (gradients.device(), gradients.kind());
        let road = self.road(device)?;
        let sent = if self.bf16_gradients { Kind::BFloat16 } else { kind };
        let mut traveling = gradients.f_to_kind(sent)?.f_to_device(road.device(device))?;
        drop(gradients);
        let underway = self.begin(|groups| groups.sum(road, &mut traveling))?;
        Ok(PendingSum::new(move || {
            self.finish(&underway)?;
            Ok(traveling.f_to_device(device)?.f_to_kind(kind)?)
        }))
    }

    fn gather(&self, tensor: &Tensor) -> Result<Vec<Tensor>> {
        let device = tensor.device();
        let road = self.road(device)?;
        // In another order of memory the others would read other images.
        let own = tensor.f_detach()?.f_to_device(road.device(device))?.f_contiguous()?;
        let all = self.gathered(road, &own)?;
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
        self.exchange(|groups| groups.broadcast(Road::Gloo, &mut length))?;
        let length = length.f_int64_value(&[0])?;
        if length == 0 {
            return Ok(Vec::new());
        }
        let mut all = match self.part().leads() {
            true => Tensor::f_from_slice(&bytes)?,
            false => Tensor::f_zeros([length], (Kind::Uint8, Device::Cpu))?,
        };
        drop(bytes);
        self.exchange(|groups| groups.broadcast(Road::Gloo, &mut all))?;
        Ok(Vec::try_from(all)?)
    }

    fn check(&self) -> Result<()> {
        match self.watch.who_is_lost_next() {
            None => Ok(()),
            Some(lost) => Err(self.broken(lost.error(&self.names, self.environment.store_holder(), self.pace))),
        }
    }

    fn leave(&self, error: &Error) {
        self.watch.fail(&error.to_string());
    }
}

#[cfg(test)]
#[path = "exchange/cuda_tests.rs"]
mod cuda_tests;

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
