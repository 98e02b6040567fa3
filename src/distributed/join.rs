//! How processes find each other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::backend::{Backend, Offer, Wishes, chosen, cuda_device};
use super::environment::Environment;
use super::groups::{Groups, Nccl};
use super::lost::Lost;
use super::pace::Pace;
use super::watch::{self, Watch};
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{KeyStore, Listens, TensorGroup};
use crate::peers::Part;

const FAULT: &str = "fault";
/// Between two looks for those that have not come.
const LOOK: Duration = Duration::from_millis(50);
/// The first exchange, before which nobody may be lost.
const FIRST_EXCHANGE: u64 = 1;

/// What a process tells of itself once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Card {
    version: String,
    count: usize,
    name: String,
    bf16_gradients: bool,
    offer: Offer,
}

impl Card {
    fn own(part: Part, options: Wishes, offer: Offer) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = match host.trim() {
            "" => format!("id {}", std::process::id()),
            host => format!("id {} on {host}", std::process::id()),
        };
        let (version, bf16_gradients) = (env!("CARGO_PKG_VERSION").to_owned(), options.bf16_gradients);
        Self { version, count: part.count, name, bf16_gradients, offer }
    }
}

/// Processes that have found each other.
pub(super) struct Joined {
    pub watch: Watch,
    pub groups: Groups,
    /// Who each rank is, for people.
    pub names: Vec<String>,
}

/// Waits for all processes, at most as long as `pace` lets it, and connects them.
pub(super) fn join(environment: &Environment, pace: Pace, options: Wishes) -> Result<Joined> {
    // A device is tried before the others are kept waiting.
    let own = Card::own(environment.part, options, Offer::of(options.backend, environment.local_rank));
    let doors = Doors::of(environment, pace)?;
    let part = environment.part;
    let met = meet(&doors, part, pace, &own).map_err(|error| match error.kind() {
        ErrorKind::Torch => {
            let lost = Lost::Store { why: error.to_string() };
            lost.error(&[], environment.store_holder(), pace)
        }
        _ => error,
    });
    let (names, backend) = met.and_then(agreed).inspect_err(|error| doors.give_up(error))?;
    let Doors { words, gloo, nccl, .. } = doors;
    let mut watch = Watch::begin(words, part, pace)?;
    match connect((gloo, nccl), (environment, pace, backend), &watch, &names) {
        Ok(groups) => Ok(Joined { watch, groups, names }),
        Err(error) => {
            watch.fail(&error.to_string());
            watch.end(environment.holds_store());
            Err(error)
        }
    }
}

/// The names of all processes and the library that they use between CUDA devices. All come to the same answer.
fn agreed(cards: Vec<Card>) -> Result<(Vec<String>, Backend)> {
    let (names, offers): (Vec<_>, Vec<_>) = cards.into_iter().map(|card| (card.name, card.offer)).unzip();
    let backend = chosen(&offers, &names)?;
    Ok((names, backend))
}

/// Connections to the store, each with keys of its own.
struct Doors {
    /// For finding each other.
    store: KeyStore,
    words: KeyStore,
    gloo: KeyStore,
    nccl: KeyStore,
}

impl Doors {
    fn of(environment: &Environment, pace: Pace) -> Result<Self> {
        /// All processes make their groups in the same order.
        static GROUPS: AtomicUsize = AtomicUsize::new(0);
        let group = GROUPS.fetch_add(1, Ordering::Relaxed);
        hold_store(environment, pace)?;
        let open = |name: &str| {
            let prefix = format!("geolearn/{}/{group}/{name}", environment.attempt);
            open_store(environment, false, &prefix, pace)
        };
        Ok(Self { store: open("join")?, words: open("words")?, gloo: open("gloo")?, nccl: open("nccl")? })
    }

    /// Tells those that still wait, and lets them hear it before the store may be gone.
    fn give_up(&self, error: &Error) {
        if self.store.set(FAULT, error.to_string().as_bytes()).is_ok() {
            thread::sleep(40 * LOOK);
        }
    }
}

/// Holds the store from now on, where that is this process's part: later groups use it too, and others may still read in it.
fn hold_store(environment: &Environment, pace: Pace) -> Result<()> {
    static HELD: Mutex<BTreeMap<u16, KeyStore>> = Mutex::new(BTreeMap::new());
    if !environment.holds_store() {
        return Ok(());
    }
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Entry::Vacant(place) = held.entry(environment.address.1) {
        place.insert(open_store(environment, true, "geolearn", pace)?);
    }
    Ok(())
}

fn open_store(environment: &Environment, is_host: bool, prefix: &str, pace: Pace) -> Result<KeyStore> {
    let (host, port) = &environment.address;
    KeyStore::open((host, *port), is_host, prefix, pace.timeout).map_err(|error| {
        let (what, help) = match is_host {
            true => {
                ("begin", "Another program may have the port: choose another MASTER_PORT, the same for all processes.")
            }
            false => (
                "reach",
                "See that the first process runs, and that MASTER_ADDR and MASTER_PORT are those of its machine.",
            ),
        };
        let what = format!("process {} cannot {what} the store of keys at {host}:{port}", environment.part.rank);
        Error::new(ErrorKind::Peer, what).because(error).help(help)
    })
}

/// Tells the others that this process is there, and waits for them.
fn meet(Doors { store, words, .. }: &Doors, part: Part, pace: Pace, own: &Card) -> Result<Vec<Card>> {
    if store.add(&format!("claim/{}", part.rank), 1)? > 1 {
        return Err(Error::new(ErrorKind::Usage, format!("several processes have RANK {}", part.rank))
            .help("Give each process a RANK of its own, from 0 to WORLD_SIZE - 1."));
    }
    watch::introduce(words, part)?;
    store.set(&card_key(part.rank), &serde_json::to_vec(own).map_err(unread)?)?;
    let (begun, mut cards) = (Instant::now(), vec![None; part.count]);
    loop {
        for (rank, card) in cards.iter_mut().enumerate().filter(|(_, card)| card.is_none()) {
            *card = found_card(store, rank, own)?;
        }
        if let Some(all) = cards.iter().cloned().collect() {
            return Ok(all);
        }
        if let Some(fault) = store.find(FAULT)? {
            let fault = String::from_utf8_lossy(&fault).into_owned();
            return Err(Error::new(ErrorKind::Peer, "the processes did not come together").because(fault));
        }
        if begun.elapsed() > pace.timeout {
            return Err(missing(&cards, pace));
        }
        thread::sleep(LOOK);
    }
}

fn card_key(rank: usize) -> String {
    format!("card/{rank}")
}

/// The card of a process, once it is there. All run the same program, and count the same processes.
fn found_card(store: &KeyStore, rank: usize, own: &Card) -> Result<Option<Card>> {
    let Some(bytes) = store.find(&card_key(rank))? else { return Ok(None) };
    let card: Card = serde_json::from_slice(&bytes).map_err(unread)?;
    let differs =
        |what: &str| Error::new(ErrorKind::Usage, format!("process {rank} ({}) has another {what}", card.name));
    if card.count != own.count {
        return Err(differs("WORLD_SIZE").expected(own.count).found(card.count).help("Give all processes the same."));
    }
    if card.bf16_gradients != own.bf16_gradients {
        return Err(differs("choice of bf16_gradients")
            .expected(own.bf16_gradients)
            .found(card.bf16_gradients)
            .help("Give all the same options."));
    }
    if card.version != own.version {
        return Err(differs("version of geolearn")
            .expected(&own.version)
            .found(&card.version)
            .help("Run one program."));
    }
    Ok(Some(card))
}

fn unread(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Usage, "processes run other programs").because(error)
}

fn missing(cards: &[Option<Card>], pace: Pace) -> Error {
    let absent = cards.iter().enumerate().filter(|(_, card)| card.is_none());
    let absent: Vec<String> = absent.map(|(rank, _)| rank.to_string()).collect();
    let what = match absent.as_slice() {
        [one] => format!("process {one} has not come"),
        many => format!("processes {} have not come", many.join(", ")),
    };
    Error::new(ErrorKind::Peer, what)
        .expected(format!("all {} processes within {:?}", cards.len(), pace.timeout))
        .found(cards.len() - absent.len())
        .help("See what they wrote last; each needs its RANK and the same WORLD_SIZE, MASTER_ADDR and MASTER_PORT.")
}

/// Connects each with each, by Gloo and where that was chosen by NCCL.
fn connect(
    (gloo, nccl): (KeyStore, KeyStore),
    (environment, pace, backend): (&Environment, Pace, Backend),
    watch: &Watch,
    names: &[String],
) -> Result<Groups> {
    const UNCONNECTED: &str = "the processes cannot be connected with each other";
    let ends = (environment.part.rank, environment.part.count);
    let own = environment.clone();
    let listening = move || {
        let listens = match &own.interface {
            Some(interface) => Listens::On(interface),
            None if own.is_on_one_machine() => Listens::At("127.0.0.1"),
            None => Listens::AtItsName,
        };
        TensorGroup::connect(&gloo, ends, pace.patience(), listens)
    };
    let failed = |error: Error| Error::new(ErrorKind::Peer, UNCONNECTED).because(error);
    let gloo = while_watching(listening, (environment, pace), watch, names)?.map_err(|error| {
        failed(error).help("Where machines have several networks, name the interface by GLOO_SOCKET_IFNAME.")
    })?;
    let device = cuda_device(environment.local_rank).filter(|_| backend == Backend::Nccl);
    let Some(device) = device else { return Ok(Groups { gloo, nccl: None }) };
    let connecting = move || TensorGroup::connect_nccl(&nccl, ends, device, pace.patience());
    match while_watching(connecting, (environment, pace), watch, names) {
        Ok(Ok(group)) => Ok(Groups { gloo, nccl: Some(Nccl { device, group }) }),
        Ok(Err(error)) => {
            Err(failed(error).help("NCCL_DEBUG=INFO tells what NCCL does; Backend::Gloo does without it."))
        }
        Err(error) => Err(error),
    }
}

/// Does what waits for all processes on a thread of its own, since nothing else ends the wait for one that is lost meanwhile.
fn while_watching(
    work: impl FnOnce() -> Result<TensorGroup> + Send + 'static,
    (environment, pace): (&Environment, Pace),
    watch: &Watch,
    names: &[String],
) -> Result<Result<TensorGroup>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more where the wait was given up; then the group must not be freed either.
        if let Err(mpsc::SendError(late)) = sender.send(work()) {
            std::mem::forget(late);
        }
    });
    loop {
        match receiver.recv_timeout(pace.beat) {
            Ok(group) => return Ok(group),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(Error::new(ErrorKind::Peer, "the thread that connects the processes panicked"));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                if let Some(lost) = watch.who_is_lost(FIRST_EXCHANGE, false) {
                    return Err(lost.error(names, environment.store_holder(), pace));
                }
            }
        }
    }
}
