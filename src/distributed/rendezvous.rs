//! The rendezvous: processes meet at the key-value store and exchange what they need to connect.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::backend::{Backend, BackendSupport, GroupConfig, choose_backend};
use super::connect::{BackendStores, connect};
use super::environment::Environment;
use super::failure::{Failure, Names};
use super::timing::Timing;
use super::transport::BackendGroups;
use super::watchdog::{Watchdog, publish_first_heartbeat};
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::KeyStore;
use crate::peers::Part;

/// Key of the error of a process that cannot continue.
const ERROR: &str = "error";
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Key of the number of processes that have read the error.
const ERROR_READERS: &str = "error_readers";
/// How long the host of the store waits for processes to read the error; some may never start.
const ERROR_STAYS: Duration = Duration::from_secs(10);

/// What each process publishes about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ProcessInfo {
    version: String,
    world_size: usize,
    /// Process id and host.
    name: String,
    bf16_gradients: bool,
    backend: BackendSupport,
}

impl ProcessInfo {
    fn own(environment: &Environment, config: GroupConfig) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let pid = std::process::id();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            world_size: environment.part.count,
            name: if host.trim().is_empty() { format!("pid {pid}") } else { format!("pid {pid} on {}", host.trim()) },
            bf16_gradients: config.bf16_gradients,
            backend: BackendSupport::probe(config.backend, environment.local_rank),
        }
    }

    /// Checks that another process runs the same program with the same options.
    fn check(&self, rank: usize, other: &Self) -> Result<()> {
        let compared = |Self { world_size, bf16_gradients, version, .. }: &Self| {
            [
                ("WORLD_SIZE", world_size.to_string()),
                ("choice of bf16_gradients", bf16_gradients.to_string()),
                ("version of geolearn", version.clone()),
            ]
        };
        let mut pairs = compared(self).into_iter().zip(compared(other));
        let Some(((what, expected), (_, found))) = pairs.find(|(own, other)| own != other) else { return Ok(()) };
        Err(Error::new(ErrorKind::Usage, format!("process {rank} ({}) has another {what}", other.name))
            .expected(expected)
            .found(found)
            .help("Run the same program with the same WORLD_SIZE and options in every process."))
    }
}

/// Processes that are connected.
pub(super) struct Joined {
    pub watchdog: Watchdog,
    pub backends: BackendGroups,
}

/// Waits for all processes, at most until the timeout, and connects them.
pub(super) fn join(environment: &Environment, timing: Timing, config: GroupConfig) -> Result<Joined> {
    let part = environment.part;
    // Probing a device takes a while, so it happens before the others wait for this process.
    let own = ProcessInfo::own(environment, config);
    let stores = Stores::open(environment, timing)?;
    let store_host = environment.store_host();
    let met = meet(&stores, part, timing, &own).map_err(|error| match error.kind() {
        ErrorKind::Torch => {
            let names = Names { ranks: Vec::new(), store_host };
            Failure::StoreLost { reason: error.to_string() }.error(&names, timing)
        }
        _ => error,
    });
    let agreed = met.and_then(|infos| agree(infos, store_host));
    let (names, backend) = agreed.inspect_err(|error| stores.report(error, environment))?;
    let mut watchdog = Watchdog::start(stores.heartbeats, part, timing, names)?;
    match connect(stores.backends, (environment, timing), backend, &watchdog) {
        Ok(backends) => Ok(Joined { watchdog, backends }),
        Err(error) => {
            watchdog.fail(&error);
            watchdog.shut_down(environment.hosts_store());
            Err(error)
        }
    }
}

/// Returns the names of all processes and the backend to use. All processes get the same result.
fn agree(infos: Vec<ProcessInfo>, store_host: &'static str) -> Result<(Names, Backend)> {
    let (ranks, supports): (_, Vec<_>) = infos.into_iter().map(|info| (info.name, info.backend)).unzip();
    let names = Names { ranks, store_host };
    let backend = choose_backend(&supports, &names)?;
    Ok((names, backend))
}

/// Connections to the key-value store, each with its own key prefix.
struct Stores {
    rendezvous: KeyStore,
    heartbeats: KeyStore,
    backends: BackendStores,
}

impl Stores {
    fn open(environment: &Environment, timing: Timing) -> Result<Self> {
        /// Counts the groups of this process; all processes create them in the same order.
        static GROUPS: AtomicUsize = AtomicUsize::new(0);
        let group = GROUPS.fetch_add(1, Ordering::Relaxed);
        host_store(environment, timing)?;
        let open = |name: &str| {
            let prefix = format!("geolearn/{}/{group}/{name}", environment.restart_count);
            open_store(environment, false, &prefix, timing)
        };
        let backends = BackendStores { gloo: open("gloo")?, nccl: open("nccl")? };
        Ok(Self { rendezvous: open("rendezvous")?, heartbeats: open("heartbeats")?, backends })
    }

    /// Reports an error to the processes that are still waiting. The host of the store stays until they have read it.
    fn report(&self, error: &Error, environment: &Environment) {
        let report = || {
            if self.rendezvous.find(ERROR)?.is_none() {
                self.rendezvous.set(ERROR, error.to_string().as_bytes())?;
            }
            self.rendezvous.add(ERROR_READERS, 1)
        };
        let begun = Instant::now();
        let all = i64::try_from(environment.part.count).unwrap_or(i64::MAX);
        // A failing store cannot inform anyone.
        let mut readers = report();
        while environment.hosts_store() && begun.elapsed() < ERROR_STAYS && readers.as_ref().is_ok_and(|n| *n < all) {
            sleep(POLL_INTERVAL);
            readers = self.rendezvous.add(ERROR_READERS, 0);
        }
    }
}

/// Hosts the store in this process, if that is its role. The store exists until the process ends, because later groups
/// use it too.
fn host_store(environment: &Environment, timing: Timing) -> Result<()> {
    static HOSTED: Mutex<BTreeMap<u16, KeyStore>> = Mutex::new(BTreeMap::new());
    if !environment.hosts_store() {
        return Ok(());
    }
    let mut hosted = HOSTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Entry::Vacant(place) = hosted.entry(environment.store_address.1) {
        place.insert(open_store(environment, true, "geolearn", timing)?);
    }
    Ok(())
}

fn open_store(environment: &Environment, is_host: bool, prefix: &str, timing: Timing) -> Result<KeyStore> {
    let (host, port) = &environment.store_address;
    KeyStore::open((host, *port), is_host, prefix, timing.timeout).map_err(|error| {
        let (verb, help) = match is_host {
            true => {
                ("host", "Another program may use the port: choose another MASTER_PORT, the same in all processes.")
            }
            false => {
                ("reach", "Check that process 0 runs, and that MASTER_ADDR and MASTER_PORT are those of its machine.")
            }
        };
        let what = format!("process {} cannot {verb} the key-value store at {host}:{port}", environment.part.rank);
        Error::new(ErrorKind::Peer, what).because(error).help(help)
    })
}

fn info_key(rank: usize) -> String {
    format!("process/{rank}")
}

/// Registers this process and waits for the others.
fn meet(stores: &Stores, part: Part, timing: Timing, own: &ProcessInfo) -> Result<Vec<ProcessInfo>> {
    let store = &stores.rendezvous;
    if store.add(&format!("claim/{}", part.rank), 1)? > 1 {
        return Err(Error::new(ErrorKind::Usage, format!("several processes have RANK {}", part.rank))
            .help("Give each process a RANK of its own, from 0 to WORLD_SIZE - 1."));
    }
    publish_first_heartbeat(&stores.heartbeats, part)?;
    store.set(&info_key(part.rank), &serde_json::to_vec(own).map_err(unreadable)?)?;
    let (begun, mut infos) = (Instant::now(), vec![None; part.count]);
    loop {
        for (rank, info) in infos.iter_mut().enumerate().filter(|(_, info)| info.is_none()) {
            *info = find_info(store, rank, own)?;
        }
        if let Some(all) = infos.iter().cloned().collect() {
            return Ok(all);
        }
        if let Some(error) = store.find(ERROR)? {
            let error = String::from_utf8_lossy(&error).into_owned();
            return Err(Error::new(ErrorKind::Peer, "the processes cannot form a group").because(error));
        }
        if begun.elapsed() > timing.timeout {
            return Err(not_started(&infos, timing));
        }
        sleep(POLL_INTERVAL);
    }
}

/// Reads what a process has published about itself; `None` if it has not registered yet.
fn find_info(store: &KeyStore, rank: usize, own: &ProcessInfo) -> Result<Option<ProcessInfo>> {
    let Some(bytes) = store.find(&info_key(rank))? else { return Ok(None) };
    let info = serde_json::from_slice(&bytes).map_err(unreadable)?;
    own.check(rank, &info)?;
    Ok(Some(info))
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Usage, "processes run different programs").because(error)
}

fn not_started(infos: &[Option<ProcessInfo>], timing: Timing) -> Error {
    let missing = infos.iter().enumerate().filter(|(_, info)| info.is_none());
    let missing: Vec<String> = missing.map(|(rank, _)| rank.to_string()).collect();
    let what = match missing.as_slice() {
        [rank] => format!("process {rank} has not started"),
        ranks => format!("processes {} have not started", ranks.join(", ")),
    };
    Error::new(ErrorKind::Peer, what)
        .expected(format!("all {} processes within {:?}", infos.len(), timing.timeout))
        .found(infos.len() - missing.len())
        .help("See what they wrote last; each needs its RANK and the same WORLD_SIZE, MASTER_ADDR and MASTER_PORT.")
}
