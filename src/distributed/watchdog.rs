//! A thread that sends this process's heartbeats and watches those of the others. Rank 0 watches all ranks and
//! publishes a summary; the others watch rank 0 and read the summary. The load on the store is therefore linear in the
//! number of ranks.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::failure::{Failure, Names};
use super::heartbeat::{Heartbeat, Stage};
use super::liveness::{Liveness, Observed};
use super::timing::Timing;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::KeyStore;
use crate::peers::Part;

/// Key of the summary that rank 0 publishes.
const LIVENESS: &str = "liveness";

fn heartbeat_key(rank: usize) -> String {
    format!("heartbeat/{rank}")
}

/// Writes the keys that other watchdogs read, which must exist before those start.
pub(super) fn publish_first_heartbeat(store: &KeyStore, part: Part) -> Result<()> {
    if part.leads() {
        store.set(LIVENESS, &Liveness::default().to_bytes()?)?;
    }
    store.set(&heartbeat_key(part.rank), &Heartbeat::default().to_bytes()?)
}

/// Knows which processes of a group are alive, and which collectives they have completed.
#[derive(Debug)]
pub(super) struct Watchdog {
    part: Part,
    timing: Timing,
    names: Names,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Starts the next round early.
    wake_up: Condvar,
}

#[derive(Debug)]
struct State {
    own: Heartbeat,
    /// Completed collectives that come after one still in progress.
    completed_early: BTreeSet<u64>,
    /// The ranks that this process watches.
    watched: BTreeMap<usize, Observed>,
    /// The summary of rank 0; empty in rank 0.
    published: Liveness,
    /// The newest stage of this process that the others can read.
    published_stage: Stage,
    last_round: Instant,
    store_error: Option<String>,
    is_over: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(part: Part) -> Self {
        Self {
            own: Heartbeat::default(),
            completed_early: BTreeSet::new(),
            watched: watched_by(part).map(|rank| (rank, Observed::default())).collect(),
            published: Liveness::default(),
            published_stage: Stage::Active,
            last_round: Instant::now(),
            store_error: None,
            is_over: false,
        }
    }

    /// Returns everything known about all ranks.
    fn liveness(&self, timing: Timing) -> Liveness {
        let mut liveness = self.published.clone();
        self.watched.iter().for_each(|(rank, observed)| liveness.add(*rank, observed, timing));
        liveness
    }

    fn store_failure(&self, timing: Timing, has_failed: bool) -> Option<Failure> {
        let silence = self.last_round.elapsed();
        let no_answer = || (silence > timing.store_timeout(has_failed)).then(|| format!("no answer for {silence:?}"));
        self.store_error.clone().or_else(no_answer).map(|reason| Failure::StoreLost { reason })
    }
}

impl Watchdog {
    /// Starts the thread, once the first heartbeats of all ranks are in the store.
    pub fn start(store: KeyStore, part: Part, timing: Timing, names: Names) -> Result<Self> {
        store.set_patience(timing.heartbeat_timeout)?;
        let shared = Arc::new(Shared { state: Mutex::new(State::new(part)), wake_up: Condvar::new() });
        let of_thread = shared.clone();
        let thread = thread::Builder::new().name("heartbeats".into());
        let thread = thread.spawn(move || run(&of_thread, &store, part, timing));
        let thread = thread.map_err(|e| Error::new(ErrorKind::Io, "a thread cannot be started").because(e))?;
        Ok(Self { part, timing, names, shared, thread: Some(thread) })
    }

    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Records that this process enters its next collective, and returns its number, from 1.
    pub fn enter_collective(&self) -> u64 {
        let mut state = self.shared.state();
        state.own.entered += 1;
        state.own.entered
    }

    /// Records that the collective with this number is completed. Earlier ones may still be in progress.
    pub fn complete_collective(&self, collective: u64) {
        let State { own, completed_early, .. } = &mut *self.shared.state();
        complete(own, completed_early, collective);
    }

    /// Immediately informs the others that this process joins no more collectives, and why.
    pub fn fail(&self, error: &Error) {
        let mut state = self.shared.state();
        if state.own.stage == Stage::Active {
            state.own.fail(error);
            self.shared.wake_up.notify_all();
        }
    }

    /// Returns why the collective with this number cannot complete, as an error that names the process; `None` while it
    /// still can. Once a collective `has_failed`, fewer missed heartbeats are enough.
    pub fn failure_of(&self, collective: u64, has_failed: bool) -> Option<Error> {
        let state = self.shared.state();
        let max_missed = self.timing.max_missed_heartbeats(has_failed);
        let failure = state.liveness(self.timing).failure_of(self.part.rank, collective, max_missed);
        let failure = failure.or_else(|| state.store_failure(self.timing, has_failed))?;
        Some(failure.error(&self.names, self.timing))
    }

    /// Returns why the next collective cannot complete; `None` while it can.
    pub fn failure_of_next(&self) -> Option<Error> {
        let next = self.shared.state().own.entered + 1;
        self.failure_of(next, false)
    }

    /// Returns the ranks that are alive and have not entered the collective with this number.
    pub fn late_ranks(&self, collective: u64) -> Vec<usize> {
        self.shared.state().liveness(self.timing).late_ranks(self.part.rank, collective)
    }

    /// Leaves the group: waits until no other rank needs the connections of this process, or its store if it
    /// `hosts_store`, and ends the thread. A thread that waits for an unresponsive store is abandoned.
    pub fn shut_down(&mut self, hosts_store: bool) {
        let Some(thread) = self.thread.take() else { return };
        self.change(|state| {
            if state.own.stage == Stage::Active {
                state.own.stage = Stage::Left;
            }
        });
        self.wait_for_others(hosts_store);
        self.change(|state| state.is_over = true);
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < 4 * self.timing.heartbeat_interval {
            thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() && thread.join().is_err() {
            tracing::warn!("the thread that sends heartbeats panicked");
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.state());
        self.shared.wake_up.notify_all();
    }

    fn wait_for_others(&self, hosts_store: bool) {
        let Timing { timeout, heartbeat_timeout, heartbeat_interval } = self.timing;
        let longest = if hosts_store { timeout } else { heartbeat_timeout };
        let begun = Instant::now();
        while begun.elapsed() < longest && self.is_needed(hosts_store) {
            thread::sleep(heartbeat_interval / 4);
        }
        if hosts_store {
            // The others read once more that all have left, so the store must still be there.
            thread::sleep(heartbeat_interval * 3 / 2);
        }
    }

    fn is_needed(&self, hosts_store: bool) -> bool {
        let state = self.shared.state();
        if state.store_failure(self.timing, false).is_some() {
            return false;
        }
        if state.published_stage != state.own.stage {
            return true;
        }
        let (liveness, has_failed) = (state.liveness(self.timing), state.own.stage != Stage::Left);
        // Rank 0 leaves when all collectives are completed, and publishes nothing new afterwards.
        let rank_0_has_left = state.watched.get(&0).is_some_and(|first| first.heartbeat.stage != Stage::Active);
        match hosts_store {
            true => liveness.has_active(has_failed),
            false => !rank_0_has_left && liveness.is_pending(state.own.completed, has_failed),
        }
    }
}

/// Counts a completed collective. Overlapping collectives complete in any order.
fn complete(own: &mut Heartbeat, completed_early: &mut BTreeSet<u64>, collective: u64) {
    completed_early.insert(collective);
    while completed_early.remove(&(own.completed + 1)) {
        own.completed += 1;
    }
}

/// Returns the ranks that a process watches.
fn watched_by(part: Part) -> Range<usize> {
    if part.leads() { 1..part.count } else { 0..1 }
}

/// Runs the thread: one round per heartbeat interval, or earlier if it is woken up.
fn run(shared: &Shared, store: &KeyStore, part: Part, timing: Timing) {
    let keys: Vec<String> = watched_by(part).map(heartbeat_key).collect();
    loop {
        let round = exchange_heartbeats(shared, store, &keys, (part, timing));
        let mut state = shared.state();
        if let Err(error) = round {
            state.store_error = Some(error.to_string());
            return;
        }
        if state.published_stage == state.own.stage && !state.is_over {
            let woken = shared.wake_up.wait_timeout(state, timing.heartbeat_interval);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_over {
            return;
        }
    }
}

/// Sends a heartbeat and reads those of the watched ranks.
fn exchange_heartbeats(
    shared: &Shared,
    store: &KeyStore,
    keys: &[String],
    (part, timing): (Part, Timing),
) -> Result<()> {
    let own = {
        let mut state = shared.state();
        state.own.sequence += 1;
        state.own.clone()
    };
    store.set(&heartbeat_key(part.rank), &own.to_bytes()?)?;
    let values = if keys.is_empty() { Vec::new() } else { store.get(keys)? };
    let heartbeats = values.iter().map(|bytes| Heartbeat::from_bytes(bytes)).collect::<Result<Vec<_>>>()?;
    let published = if part.leads() { None } else { store.get(&[LIVENESS.to_owned()])?.pop() };
    let mut state = shared.state();
    for (observed, heartbeat) in state.watched.values_mut().zip(heartbeats) {
        let is_new = heartbeat.sequence != observed.heartbeat.sequence;
        let missed = if is_new { 0 } else { observed.missed.saturating_add(1) };
        *observed = Observed { heartbeat, missed };
    }
    if let Some(bytes) = published {
        state.published = Liveness::from_bytes(&bytes)?;
    }
    (state.published_stage, state.last_round) = (own.stage, Instant::now());
    let summary = part.leads().then(|| state.liveness(timing));
    drop(state);
    summary.map_or(Ok(()), |summary| store.set(LIVENESS, &summary.to_bytes()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_0_watches_all_others_and_they_watch_rank_0() {
        let of = |rank| watched_by(Part { rank, count: 4 });
        assert_eq!([of(0), of(1), of(3)], [1..4, 0..1, 0..1]);
        assert_eq!(watched_by(Part::WHOLE).len(), 0);
    }

    #[test]
    fn a_collective_counts_when_all_before_it_are_completed() {
        let (mut own, mut early) = (Heartbeat::default(), BTreeSet::new());
        let mut completed = |collective| {
            complete(&mut own, &mut early, collective);
            own.completed
        };
        assert_eq!([completed(1), completed(3), completed(4), completed(2), completed(5)], [1, 1, 1, 4, 5]);
    }
}
