//! Signs of life: a thread that gives one's own and looks for those of the others.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::lost::{Lost, Seen, who_is_lost};
use super::pace::Pace;
use super::word::{Stage, Word};
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::KeyStore;
use crate::peers::Part;

/// Where a process's word lies.
pub(super) fn key_of(rank: usize) -> String {
    format!("word/{rank}")
}

/// What this process knows of itself and the others.
#[derive(Debug)]
pub(super) struct Watch {
    part: Part,
    pace: Pace,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the thread before its time.
    woken: Condvar,
}

#[derive(Debug)]
struct State {
    own: Word,
    /// Exchanges that are over, while one before them is not.
    ahead: BTreeSet<u64>,
    /// By rank, this process included.
    seen: Vec<Seen>,
    /// The stage that the others can read.
    told: Stage,
    last_round: Instant,
    store_lost: Option<String>,
    is_over: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn others(&self, own: usize) -> Vec<(usize, &Seen)> {
        self.seen.iter().enumerate().filter(|(rank, _)| *rank != own).collect()
    }
}

impl Watch {
    /// Begins, once all words are in the store.
    pub fn begin(store: KeyStore, part: Part, pace: Pace) -> Result<Self> {
        store.set_patience(pace.silence)?;
        let state = State {
            own: Word::default(),
            ahead: BTreeSet::new(),
            seen: vec![Seen::default(); part.count],
            told: Stage::Here,
            last_round: Instant::now(),
            store_lost: None,
            is_over: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), woken: Condvar::new() });
        let of_thread = shared.clone();
        let run = move || look_about(&of_thread, &store, part, pace);
        let thread = thread::Builder::new().name("signs of life".into()).spawn(run);
        let thread = thread.map_err(|e| Error::new(ErrorKind::Io, "a thread cannot be started").because(e))?;
        Ok(Self { part, pace, shared, thread: Some(thread) })
    }

    /// Comes to the next exchange; its number, from 1.
    pub fn enter(&self) -> u64 {
        let mut state = self.shared.state();
        state.own.entered += 1;
        state.own.entered
    }

    /// The exchange of this number is over. Others that began before it may still be under way.
    pub fn finish(&self, exchange: u64) {
        let State { own, ahead, .. } = &mut *self.shared.state();
        ahead.insert(exchange);
        while ahead.remove(&(own.done + 1)) {
            own.done += 1;
        }
    }

    /// Tells the others at once that this process has failed.
    pub fn fail(&self, why: &str) {
        let mut state = self.shared.state();
        if state.own.stage == Stage::Here {
            state.own.fail(why);
            self.shared.woken.notify_all();
        }
    }

    /// Who will not come to the exchange of this number; sooner sure of it where something has failed already.
    pub fn who_is_lost(&self, exchange: u64, has_failed: bool) -> Option<Lost> {
        let state = self.shared.state();
        let judged = who_is_lost(&state.others(self.part.rank), exchange, self.pace.quiet_beats(has_failed));
        let store = || {
            let unanswered = state.last_round.elapsed() > self.pace.silence * 2;
            let why = || format!("it has not answered for {:?}", state.last_round.elapsed());
            state.store_lost.clone().or_else(|| unanswered.then(why)).map(|why| Lost::Store { why })
        };
        judged.or_else(store)
    }

    /// Those that are alive and have not come to the exchange of this number.
    pub fn who_is_late(&self, exchange: u64) -> Vec<usize> {
        let state = self.shared.state();
        state
            .others(self.part.rank)
            .iter()
            .filter(|(_, seen)| seen.word.entered < exchange)
            .map(|(rank, _)| *rank)
            .collect()
    }

    /// Takes leave of the others, and waits until none needs this process any more: its ends of connections, or where it
    /// `holds_store`, that.
    fn take_leave(&self, holds_store: bool) {
        let wake = |change: fn(&mut State)| {
            change(&mut self.shared.state());
            self.shared.woken.notify_all();
        };
        wake(|state| {
            if state.own.stage == Stage::Here {
                state.own.stage = Stage::Ended;
            }
        });
        let longest = if holds_store { self.pace.timeout } else { self.pace.silence };
        let begun = Instant::now();
        while begun.elapsed() < longest && self.is_needed(holds_store) {
            thread::sleep(self.pace.beat / 4);
        }
        if holds_store {
            // The others read once more that all have ended, and find the store there.
            thread::sleep(self.pace.beat * 3 / 2);
        }
        wake(|state| state.is_over = true);
    }

    fn is_needed(&self, holds_store: bool) -> bool {
        let state = self.shared.state();
        if state.store_lost.is_some() || state.last_round.elapsed() > self.pace.silence * 2 {
            return false;
        }
        let quiet = self.pace.quiet_beats(state.own.stage == Stage::Failed);
        let needs = |seen: &Seen| {
            let is_there = seen.word.stage == Stage::Here && seen.quiet < quiet;
            is_there && (holds_store || seen.word.done < state.own.done)
        };
        state.told != state.own.stage || state.others(self.part.rank).iter().any(|(_, seen)| needs(seen))
    }

    /// Ends the watch. A thread that waits for a store which does not answer is left to itself.
    pub fn end(&mut self, holds_store: bool) {
        let Some(thread) = self.thread.take() else { return };
        self.take_leave(holds_store);
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < 4 * self.pace.beat {
            thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() && thread.join().is_err() {
            tracing::warn!("the thread that gives signs of life panicked");
        }
    }
}

/// The thread's work: a round with each beat, or sooner when it is woken.
fn look_about(shared: &Shared, store: &KeyStore, part: Part, pace: Pace) {
    let keys: Vec<String> = (0..part.count).map(key_of).collect();
    loop {
        let round = give_and_read(shared, store, &keys, part.rank);
        let mut state = shared.state();
        if let Err(error) = round {
            state.store_lost = Some(error.to_string());
            return;
        }
        if state.told == state.own.stage && !state.is_over {
            let woken = shared.woken.wait_timeout(state, pace.beat);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_over {
            return;
        }
    }
}

/// Gives a sign of life and reads those of all.
fn give_and_read(shared: &Shared, store: &KeyStore, keys: &[String], rank: usize) -> Result<()> {
    let word = {
        let mut state = shared.state();
        state.own.beat += 1;
        state.own.clone()
    };
    store.set(&keys[rank], &word.to_bytes()?)?;
    let words = store.get(keys)?.iter().map(|bytes| Word::from_bytes(bytes)).collect::<Result<Vec<_>>>()?;
    let mut state = shared.state();
    for (seen, word) in state.seen.iter_mut().zip(words) {
        let quiet = if word.beat == seen.word.beat { seen.quiet.saturating_add(1) } else { 0 };
        *seen = Seen { word, quiet };
    }
    (state.told, state.last_round) = (word.stage, Instant::now());
    Ok(())
}
