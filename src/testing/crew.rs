//! Processes of one fit, played by threads.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use tch::Tensor;

use crate::error::{Error, ErrorKind, Result};
use crate::peers::{Part, Peers};

/// After so long a thread has not come. Only a fault takes that long, also on a machine that is paused for a while.
const LONGEST: Duration = Duration::from_secs(3600);

/// Runs `work` on `count` threads, each with its own [`Peers`], and gives what they return by rank.
pub(crate) fn crew<T: Send>(count: usize, work: impl Fn(&Member) -> T + Sync) -> Vec<T> {
    crew_with(count, |member| work(&member))
}

/// The same, where each thread owns its [`Peers`].
pub(crate) fn crew_with<T: Send>(count: usize, work: impl Fn(Member) -> T + Sync) -> Vec<T> {
    let table = Arc::new(Table::default());
    thread::scope(|scope| {
        let member = |rank| Member { part: Part { rank, count }, table: table.clone() };
        let run = |rank| {
            let (member, work) = (member(rank), &work);
            scope.spawn(move || {
                tch::set_num_threads(1);
                work(member)
            })
        };
        let threads: Vec<_> = (0..count).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// One of the threads.
#[derive(Debug)]
pub(crate) struct Member {
    part: Part,
    table: Arc<Table>,
}

#[derive(Debug)]
enum Item {
    Summand(Tensor),
    Tensor(Tensor),
    Bytes(Vec<u8>),
    FromFirst(Vec<u8>),
}

impl Clone for Item {
    /// Tensors in memory of their own, for another thread.
    fn clone(&self) -> Self {
        match self {
            Self::Summand(tensor) => Self::Summand(tensor.copy()),
            Self::Tensor(tensor) => Self::Tensor(tensor.copy()),
            Self::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Self::FromFirst(bytes) => Self::FromFirst(bytes.clone()),
        }
    }
}

/// Where things are laid down and picked up.
#[derive(Debug, Default)]
struct Table {
    round: Mutex<Round>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Round {
    laid: Vec<Option<Item>>,
    /// Those that have yet to pick up what was laid down.
    to_go: usize,
    left: Option<(ErrorKind, String)>,
}

impl Round {
    fn is_full(&self, count: usize) -> bool {
        self.laid.len() == count && self.laid.iter().all(Option::is_some)
    }
}

impl Member {
    /// Lays `item` down and returns those of all, once they are there.
    fn exchange(&self, item: Item) -> Result<Vec<Item>> {
        let Part { rank, count } = self.part;
        let mut round = self.wait(self.table.round.lock().unwrap(), |round| round.to_go == 0)?;
        round.laid.resize(count, None);
        assert!(round.laid[rank].is_none(), "a thread is a round ahead");
        round.laid[rank] = Some(item);
        if round.is_full(count) {
            round.to_go = count;
            self.table.changed.notify_all();
        }
        let mut round = self.wait(round, |round| round.to_go > 0)?;
        let items: Vec<Item> = round.laid.iter().flatten().cloned().collect();
        round.to_go -= 1;
        if round.to_go == 0 {
            round.laid.clear();
            self.table.changed.notify_all();
        }
        Ok(items)
    }

    fn wait<'a>(&self, round: MutexGuard<'a, Round>, until: impl Fn(&Round) -> bool) -> Result<MutexGuard<'a, Round>> {
        let waits = |round: &mut Round| !until(round) && round.left.is_none();
        let (round, timeout) = self.table.changed.wait_timeout_while(round, LONGEST, waits).unwrap();
        assert!(!timeout.timed_out(), "process {} waits for ever", self.part.rank);
        match &round.left {
            Some((kind, words)) if !until(&round) => {
                Err(Error::new(*kind, "another process left").because(words.clone()))
            }
            _ => Ok(round),
        }
    }
}

/// Unwraps the items of one kind; another kind is a thread at another place.
macro_rules! all {
    ($items:expr, $kind:path) => {
        $items.into_iter().map(|item| if let $kind(inner) = item { inner } else { panic!("calls differ: {item:?}") })
    };
}

impl Peers for Member {
    fn part(&self) -> Part {
        self.part
    }

    fn sum(&self, tensor: &mut Tensor) -> Result<()> {
        assert!(tensor.is_contiguous());
        let all = self.exchange(Item::Summand(tensor.copy()))?;
        let sum = all!(all, Item::Summand).fold(tensor.zeros_like(), |sum, one| sum + one);
        tensor.copy_(&sum);
        Ok(())
    }

    fn gather(&self, tensor: &Tensor) -> Result<Vec<Tensor>> {
        assert!(tensor.is_contiguous());
        let all = self.exchange(Item::Tensor(tensor.copy()))?;
        let all: Vec<Tensor> = all!(all, Item::Tensor).collect();
        assert!(all.iter().all(|one| one.size() == tensor.size()), "shapes differ");
        Ok(all)
    }

    fn gather_bytes(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        Ok(all!(self.exchange(Item::Bytes(bytes))?, Item::Bytes).collect())
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(all!(self.exchange(Item::FromFirst(bytes))?, Item::FromFirst).next().unwrap())
    }

    fn leave(&self, error: &Error) {
        // A thread that failed holds no lock by now.
        let kind = if error.kind() == ErrorKind::Stopped { ErrorKind::Stopped } else { ErrorKind::Peer };
        self.table.round.lock().unwrap().left.get_or_insert((kind, error.to_string()));
        self.table.changed.notify_all();
    }
}
