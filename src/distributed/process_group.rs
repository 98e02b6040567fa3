//! The collectives of a process group. All processes call the same collectives in the same order.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::backend::{Backend, GroupConfig};
use super::environment::Environment;
use super::rendezvous::{Joined, join};
use super::timing::Timing;
use super::transport::{BackendGroups, Transport};
use super::watchdog::Watchdog;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::Exchange;
use crate::peers::{Part, Peers, PendingSum};
use crate::stop::StopSignal;

/// Bytes that an all-gather sends along with their length; longer messages need a second all-gather.
const INLINE_BYTES: usize = 120;
const LENGTH_BYTES: usize = 8;

/// One process of a group, connected to the others.
#[derive(Debug)]
pub(super) struct ProcessGroup {
    environment: Environment,
    timing: Timing,
    watchdog: Watchdog,
    /// Index of the CUDA device that NCCL uses.
    nccl_device: Option<usize>,
    bf16_gradients: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once a collective has failed, because libtorch's threads may still be in it.
    backends: Option<BackendGroups>,
    /// Kind and message of that collective's error.
    failure: (ErrorKind, String),
    time_in_collectives: Duration,
    /// Stops this process from waiting.
    stop: Option<StopSignal>,
}

/// A collective in progress.
#[derive(Debug)]
struct Collective {
    /// Its number in the group, from 1.
    number: u64,
    work: Exchange,
}

impl ProcessGroup {
    /// Waits for all processes and connects them.
    pub fn connect(environment: Environment, config: GroupConfig) -> Result<Self> {
        let timing = Timing::new(config.timeout);
        let Joined { watchdog, backends } = join(&environment, timing, config)?;
        let nccl_device = backends.nccl.as_ref().map(|nccl| nccl.device);
        let state = State {
            backends: Some(backends),
            failure: (ErrorKind::Peer, String::new()),
            time_in_collectives: Duration::ZERO,
            stop: None,
        };
        let GroupConfig { bf16_gradients, .. } = config;
        Ok(Self { environment, timing, watchdog, nccl_device, bf16_gradients, state: Mutex::new(state) })
    }

    pub fn local_rank(&self) -> usize {
        self.environment.local_rank
    }

    pub fn backend(&self) -> Backend {
        if self.nccl_device.is_some() { Backend::Nccl } else { Backend::Gloo }
    }

    pub fn time_in_collectives(&self) -> Duration {
        self.state().time_in_collectives
    }

    /// Waits until all processes have called this.
    pub fn barrier(&self) -> Result<()> {
        self.gather_bytes(Vec::new()).map(drop)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a collective to completion.
    fn run(&self, start: impl FnOnce(&mut BackendGroups) -> Result<Exchange>) -> Result<()> {
        let collective = self.start(start)?;
        self.finish(&collective)
    }

    /// Enters a collective.
    fn start(&self, start: impl FnOnce(&mut BackendGroups) -> Result<Exchange>) -> Result<Collective> {
        self.timed(|| {
            let (number, started) = {
                let mut state = self.state();
                let State { backends: Some(backends), .. } = &mut *state else {
                    let (kind, failure) = state.failure.clone();
                    return Err(Error::new(kind, "the process group cannot be used any more").because(failure));
                };
                let number = self.watchdog.enter_collective();
                (number, start(backends))
            };
            match started {
                Ok(work) => Ok(Collective { number, work }),
                Err(error) => Err(self.abandon(self.cause_of(number, Some(error)))),
            }
        })
    }

    /// Waits until a collective is complete.
    fn finish(&self, collective: &Collective) -> Result<()> {
        self.timed(|| self.wait(collective).map_err(|error| self.abandon(error)))?;
        self.watchdog.complete_collective(collective.number);
        Ok(())
    }

    fn timed<T>(&self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let made = work();
        self.state().time_in_collectives += begun.elapsed();
        made
    }

    /// Abandons the backends after a collective failed with this error, which later collectives repeat.
    fn abandon(&self, error: Error) -> Error {
        let mut state = self.state();
        if let Some(backends) = state.backends.take() {
            state.failure = (error.kind(), error.to_string());
            backends.abandon();
        }
        error
    }

    /// Waits for the other processes as long as all of them may still join and this one is not stopped.
    fn wait(&self, Collective { number, work }: &Collective) -> Result<()> {
        let begun = Instant::now();
        while !work.wait(self.timing.heartbeat_interval).map_err(|error| self.cause_of(*number, Some(error)))? {
            if let Some(error) = self.watchdog.failure_of(*number, false) {
                return Err(error);
            }
            self.check_stop()?;
            if begun.elapsed() > self.timing.timeout {
                return Err(self.cause_of(*number, None));
            }
        }
        Ok(())
    }

    fn check_stop(&self) -> Result<()> {
        if !self.state().stop.as_ref().is_some_and(StopSignal::is_set) {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Stopped, "this process was stopped while it waited for the others");
        self.watchdog.fail(&error);
        Err(error)
    }

    /// Returns the error of a collective that failed with `error`, or that timed out if there is none. The error names
    /// the process at fault, of which libtorch knows at most the address; heartbeats identify it a little later.
    fn cause_of(&self, number: u64, error: Option<Error>) -> Error {
        let begun = Instant::now();
        loop {
            if let Some(lost) = self.watchdog.failure_of(number, true) {
                return lost;
            }
            let late = self.watchdog.late_ranks(number);
            if error.is_none() && !late.is_empty() {
                return self.late(&late);
            }
            if begun.elapsed() >= self.timing.heartbeat_timeout {
                break;
            }
            sleep(self.timing.heartbeat_interval / 4);
        }
        let failed = Error::new(ErrorKind::Peer, "a collective of the process group failed");
        match error {
            Some(error) => failed.because(error),
            None => failed.expected(format!("its end within {:?}", self.timing.timeout)).found("no end"),
        }
    }

    fn late(&self, ranks: &[usize]) -> Error {
        let names: Vec<String> = ranks.iter().map(|rank| self.watchdog.names().rank(*rank)).collect();
        let verb = if names.len() == 1 { "has" } else { "have" };
        Error::new(ErrorKind::Peer, format!("{} {verb} not joined a collective", names.join(", ")))
            .expected(format!("all processes within {:?}", self.timing.timeout))
            .help("It hangs, or has more work than the others: see what it does, or set a longer DistributedOptions::timeout.")
    }

    fn transport(&self, device: Device) -> Result<Transport> {
        Transport::of(device, self.nccl_device)
    }

    /// Gathers tensors of the same shape from all processes, on the device of this process's tensor.
    fn all_gather(&self, transport: Transport, own: &Tensor) -> Result<Vec<Tensor>> {
        let like = |_| own.f_zeros_like();
        let mut all = (0..self.environment.part.count).map(like).collect::<std::result::Result<Vec<_>, _>>()?;
        self.run(|backends| backends.all_gather(transport, own, &mut all))?;
        Ok(all)
    }

    /// Gathers the bytes of all processes, each padded to `size`.
    fn all_gather_bytes(&self, mut bytes: Vec<u8>, size: usize) -> Result<Vec<Vec<u8>>> {
        bytes.resize(size, 0);
        let all = self.all_gather(Transport::Gloo, &Tensor::f_from_slice(&bytes)?)?;
        all.iter().map(|tensor| Ok(Vec::<u8>::try_from(tensor)?)).collect()
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.watchdog.shut_down(self.environment.hosts_store());
    }
}

/// Encodes the length of `bytes`, and as many of them as fit.
fn encode(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    length.into_iter().chain(bytes.iter().copied().take(INLINE_BYTES)).collect()
}

/// Decodes the length that [`encode`] wrote, and the bytes that came with it.
fn decode(message: &[u8]) -> (usize, &[u8]) {
    let (length, bytes) = message.split_first_chunk::<LENGTH_BYTES>().unwrap_or((&[0; LENGTH_BYTES], &[]));
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    (length, &bytes[..length.min(bytes.len())])
}

impl Peers for ProcessGroup {
    fn part(&self) -> Part {
        self.environment.part
    }

    fn is_alone(&self) -> bool {
        false
    }

    fn sum(&self, tensor: &mut Tensor) -> Result<()> {
        let transport = self.transport(tensor.device())?;
        if transport != Transport::GlooStaged {
            return self.run(|backends| backends.all_reduce(transport, tensor));
        }
        let mut staged = tensor.f_to_device(Device::Cpu)?;
        self.run(|backends| backends.all_reduce(transport, &mut staged))?;
        Ok(tensor.f_copy_(&staged)?)
    }

    fn begin_gradients(&self, gradients: Tensor) -> Result<PendingSum<'_>> {
        let (device, kind) = (gradients.device(), gradients.kind());
        let transport = self.transport(device)?;
        let sent_kind = if self.bf16_gradients { Kind::BFloat16 } else { kind };
        let mut sent = gradients.f_to_kind(sent_kind)?.f_to_device(transport.device(device))?;
        drop(gradients);
        let collective = self.start(|backends| backends.all_reduce(transport, &mut sent))?;
        Ok(PendingSum::new(move || {
            self.finish(&collective)?;
            Ok(sent.f_to_device(device)?.f_to_kind(kind)?)
        }))
    }

    fn gather(&self, tensor: &Tensor) -> Result<Vec<Tensor>> {
        let device = tensor.device();
        let transport = self.transport(device)?;
        // Memory is sent as is: with different memory formats, the others would read different images.
        let own = tensor.f_detach()?.f_to_device(transport.device(device))?.f_contiguous()?;
        let all = self.all_gather(transport, &own)?;
        all.iter().map(|one| Ok(one.f_to_device(device)?)).collect()
    }

    fn gather_bytes(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let messages = self.all_gather_bytes(encode(&bytes), LENGTH_BYTES + INLINE_BYTES)?;
        let lengths: Vec<usize> = messages.iter().map(|message| decode(message).0).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        if longest <= INLINE_BYTES {
            return Ok(messages.iter().map(|message| decode(message).1.to_vec()).collect());
        }
        let mut all = self.all_gather_bytes(bytes, longest)?;
        all.iter_mut().zip(lengths).for_each(|(bytes, length)| bytes.truncate(length));
        Ok(all)
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut length = Tensor::f_from_slice(&[bytes.len() as i64])?;
        self.run(|backends| backends.broadcast(Transport::Gloo, &mut length))?;
        let length = length.f_int64_value(&[0])?;
        if length == 0 {
            return Ok(Vec::new());
        }
        let mut all = match self.part().leads() {
            true => Tensor::f_from_slice(&bytes)?,
            false => Tensor::f_zeros([length], (Kind::Uint8, Device::Cpu))?,
        };
        drop(bytes);
        self.run(|backends| backends.broadcast(Transport::Gloo, &mut all))?;
        Ok(Vec::try_from(all)?)
    }

    fn check(&self) -> Result<()> {
        match self.watchdog.failure_of_next() {
            None => Ok(()),
            Some(error) => Err(self.abandon(error)),
        }
    }

    fn stop_waiting_on(&self, signal: Option<StopSignal>) {
        self.state().stop = signal;
    }

    fn leave(&self, error: &Error) {
        self.watchdog.fail(error);
    }
}

#[cfg(test)]
#[path = "process_group/cuda_tests.rs"]
mod cuda_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_messages_come_with_their_length() {
        for length in [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 5000] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut message = encode(&bytes);
            assert!(message.len() <= LENGTH_BYTES + INLINE_BYTES);
            message.resize(LENGTH_BYTES + INLINE_BYTES, 0);
            assert_eq!(decode(&message), (length, &bytes[..length.min(INLINE_BYTES)]));
        }
    }
}
