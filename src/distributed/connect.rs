//! Gloo and NCCL connections between processes that have found each other.

use std::sync::mpsc::{self, RecvTimeoutError, SendError};
use std::thread;

use super::backend::{Backend, cuda_device};
use super::environment::Environment;
use super::timing::Timing;
use super::transport::{BackendGroups, NcclGroup};
use super::watchdog::Watchdog;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{KeyStore, Listens, TensorGroup};

/// The first collective; no process may be lost before it.
const FIRST_COLLECTIVE: u64 = 1;

/// The store in the form that each backend needs.
pub(super) struct BackendStores {
    pub gloo: KeyStore,
    pub nccl: KeyStore,
}

/// Connects this process to all others with Gloo, and also with NCCL if `backend` says so.
pub(super) fn connect(
    stores: BackendStores,
    (environment, timing): (&Environment, Timing),
    backend: Backend,
    watchdog: &Watchdog,
) -> Result<BackendGroups> {
    let part = environment.part;
    let (ends, timeout) = ((part.rank, part.count), timing.backend_timeout());
    let (own, BackendStores { gloo, nccl }) = (environment.clone(), stores);
    let gloo = move || TensorGroup::connect(&gloo, ends, timeout, listens(&own));
    let gloo = watched(gloo, timing, watchdog)?.map_err(|error| {
        unconnected(error).help("Where machines have several networks, name the interface by GLOO_SOCKET_IFNAME.")
    })?;
    let device = cuda_device(environment.local_rank).filter(|_| backend == Backend::Nccl);
    let Some(device) = device else { return Ok(BackendGroups { gloo, nccl: None }) };
    let nccl = move || TensorGroup::connect_nccl(&nccl, ends, device, timeout);
    let group = watched(nccl, timing, watchdog)?.map_err(|error| {
        unconnected(error).help("NCCL_DEBUG=INFO tells what NCCL does; Backend::Gloo does without it.")
    })?;
    Ok(BackendGroups { gloo, nccl: Some(NcclGroup { device, group }) })
}

fn listens(environment: &Environment) -> Listens<'_> {
    match &environment.interface {
        Some(interface) => Listens::On(interface),
        None if environment.is_on_one_machine() => Listens::At("127.0.0.1"),
        None => Listens::AtItsName,
    }
}

fn unconnected(error: Error) -> Error {
    Error::new(ErrorKind::Peer, "the processes cannot be connected with each other").because(error)
}

/// Connects on another thread, because libtorch would wait until its own timeout for a process that is lost meanwhile.
fn watched(
    connect: impl FnOnce() -> Result<TensorGroup> + Send + 'static,
    timing: Timing,
    watchdog: &Watchdog,
) -> Result<Result<TensorGroup>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // If this process has given up, nobody receives the group, and it must be leaked like any that failed.
        if let Err(SendError(group)) = sender.send(connect()) {
            std::mem::forget(group);
        }
    });
    loop {
        match receiver.recv_timeout(timing.heartbeat_interval) {
            Ok(group) => return Ok(group),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::new(ErrorKind::Peer, "the thread that connects the processes panicked"));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(error) = watchdog.failure_of(FIRST_COLLECTIVE, false) {
                    return Err(error);
                }
            }
        }
    }
}
