//! Signs of life: a thread that gives one's own and looks for those of the others. The first process watches all, and tells what it
//! knows of them; the others watch the first one. So each round asks the store as often as there are processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::lost::Lost;
use super::pace::Pace;
use super::roll::{Roll, Seen};
use super::word::{Stage, Word};
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::KeyStore;
use crate::peers::Part;

/// Where the first process tells what it knows of the others.
const ROLL: &str = "roll";

/// Where a process's word lies.
fn key_of(rank: usize) -> String {
    format!("word/{rank}")
}

/// Says for the first time what others look for.
pub(super) fn introduce(store: &KeyStore, part: Part) -> Result<()> {
    if part.leads() {
        store.set(ROLL, &Roll::default().to_bytes()?)?;
    }
    store.set(&key_of(part.rank), &Word::default().to_bytes()?)
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
    /// Those that this process watches, by their ranks.
    seen: BTreeMap<usize, Seen>,
    /// What the first process, where this is another, knows of all others.
    told_of_others: Roll,
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
    /// What is known of all others.
    fn known(&self, pace: Pace) -> Roll {
        let mut roll = self.told_of_others.clone();
        self.seen.iter().for_each(|(rank, seen)| roll.add(*rank, seen, pace));
        roll
    }
}

impl Watch {
    /// Begins, once all words are in the store.
    pub fn begin(store: KeyStore, part: Part, pace: Pace) -> Result<Self> {
        store.set_patience(pace.silence)?;
        let state = State {
            own: Word::default(),
            ahead: BTreeSet::new(),
            seen: watched(part).map(|rank| (rank, Seen::default())).collect(),
            told_of_others: Roll::default(),
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
        finished(own, ahead, exchange);
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
        let most_quiet = self.pace.quiet_beats(has_failed);
        let judged = state.known(self.pace).who_is_lost(self.part.rank, exchange, most_quiet);
        let store = || {
            let unanswered = state.last_round.elapsed() > self.pace.unanswered(has_failed);
            let why = || format!("it has not answered for {:?}", state.last_round.elapsed());
            state.store_lost.clone().or_else(|| unanswered.then(why)).map(|why| Lost::Store { why })
        };
        judged.or_else(store)
    }

    /// Who will not come to the next exchange.
    pub fn who_is_lost_next(&self) -> Option<Lost> {
        let next = self.shared.state().own.entered + 1;
        self.who_is_lost(next, false)
    }

    /// Those that are alive and have not come to the exchange of this number.
    pub fn who_is_late(&self, exchange: u64) -> Vec<usize> {
        self.shared.state().known(self.pace).who_is_late(self.part.rank, exchange)
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
        if state.told != state.own.stage {
            return true;
        }
        let (known, has_failed) = (state.known(self.pace), state.own.stage == Stage::Failed);
        // The first process leaves when all exchanges are over for all, and then tells nothing new.
        let first_has_left = state.seen.get(&0).is_some_and(|first| first.word.stage != Stage::Here);
        match holds_store {
            true => known.has_any(has_failed),
            false => !first_has_left && known.is_behind(state.own.done, has_failed),
        }
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

/// Counts an exchange that is over; `ahead` are those after one that is not.
fn finished(own: &mut Word, ahead: &mut BTreeSet<u64>, exchange: u64) {
    ahead.insert(exchange);
    while ahead.remove(&(own.done + 1)) {
        own.done += 1;
    }
}

/// The ranks that a process looks for.
fn watched(part: Part) -> std::ops::Range<usize> {
    if part.leads() { 1..part.count } else { 0..1 }
}

/// The thread's work: a round with each beat, or sooner when it is woken.
fn look_about(shared: &Shared, store: &KeyStore, part: Part, pace: Pace) {
    let keys: Vec<String> = watched(part).map(key_of).collect();
    loop {
        let round = give_and_read(shared, store, &keys, (part, pace));
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

/// Gives a sign of life, and reads those of whom this process watches.
fn give_and_read(shared: &Shared, store: &KeyStore, keys: &[String], (part, pace): (Part, Pace)) -> Result<()> {
    let word = {
        let mut state = shared.state();
        state.own.beat += 1;
        state.own.clone()
    };
    store.set(&key_of(part.rank), &word.to_bytes()?)?;
    let mut values = if keys.is_empty() { Vec::new() } else { store.get(keys)? };
    let told_of_others = if part.leads() { None } else { store.get(&[ROLL.to_owned()])?.pop() };
    let words = values.drain(..).map(|bytes| Word::from_bytes(&bytes)).collect::<Result<Vec<_>>>()?;
    let mut state = shared.state();
    for (seen, word) in state.seen.values_mut().zip(words) {
        let quiet = if word.beat == seen.word.beat { seen.quiet.saturating_add(1) } else { 0 };
        *seen = Seen { word, quiet };
    }
    if let Some(bytes) = told_of_others {
        state.told_of_others = Roll::from_bytes(&bytes)?;
    }
    let known = part.leads().then(|| state.known(pace));
    (state.told, state.last_round) = (word.stage, Instant::now());
    drop(state);
    known.map_or(Ok(()), |known| store.set(ROLL, &known.to_bytes()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_watch_the_first_one_which_watches_all() {
        let of = |rank| watched(Part { rank, count: 4 });
        assert_eq!([of(0), of(1), of(3)], [1..4, 0..1, 0..1]);
        assert_eq!(watched(Part::WHOLE).len(), 0);
    }

    /// Exchanges that run beside each other end in any order.
    #[test]
    fn an_exchange_is_over_when_all_before_it_are() {
        let (mut own, mut ahead) = (Word::default(), BTreeSet::new());
        let mut done = |exchange| {
            finished(&mut own, &mut ahead, exchange);
            own.done
        };
        assert_eq!([done(1), done(3), done(4), done(2), done(5)], [1, 1, 1, 4, 5]);
    }
}
