//! Which process an exchange waits for in vain, and why.

use super::pace::Pace;
use super::word::{Stage, Word};
use crate::error::{Error, ErrorKind};

/// Another process, as its last word leaves it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub word: Word,
    /// Own signs of life since its last one.
    pub quiet: u32,
}

/// Why an exchange cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// A process gives no sign of life.
    Silent { rank: usize },
    /// A process has ended before it came to the exchange.
    Ended { rank: usize },
    /// A process has failed, with this error.
    Failed { rank: usize, why: String },
    /// The store of keys cannot be reached.
    Store { why: String },
}

/// Finds who will not come to an exchange; `most_quiet` signs of life without one of theirs are too many. Of several, one that
/// gives no sign is named before those that failed because of it.
pub(super) fn who_is_lost(others: &[(usize, &Seen)], exchange: u64, most_quiet: u32) -> Option<Lost> {
    let missing = || others.iter().filter(|(_, seen)| seen.word.done < exchange);
    let silent = others
        .iter()
        .filter(|(_, seen)| seen.word.stage == Stage::Here && seen.quiet >= most_quiet)
        .max_by_key(|(_, seen)| seen.quiet);
    if let Some((rank, _)) = silent {
        return Some(Lost::Silent { rank: *rank });
    }
    let failed = missing().find(|(_, seen)| seen.word.stage == Stage::Failed);
    if let Some((rank, seen)) = failed {
        return Some(Lost::Failed { rank: *rank, why: seen.word.why.clone() });
    }
    missing().find(|(_, seen)| seen.word.stage == Stage::Ended).map(|(rank, _)| Lost::Ended { rank: *rank })
}

/// Begins again, for each of these errors.
const AGAIN: &str = "Start all processes again: with resume(true) they go on from the newest checkpoint.";

impl Lost {
    /// The error of a process that waited. `names` says who each rank is; `store` who holds the store.
    pub fn error(&self, names: &[String], store: &str, pace: Pace) -> Error {
        let named = |rank: usize| match names.get(rank) {
            Some(name) => format!("process {rank} ({name})"),
            None => format!("process {rank}"),
        };
        let error = |what: String| Error::new(ErrorKind::Peer, what);
        match self {
            Self::Silent { rank } => error(format!("{} of the fit was lost", named(*rank)))
                .expected(format!("a sign of life within {:?}", pace.silence))
                .found("none")
                .help(format!("It was killed or stopped, or its machine is gone. {AGAIN}")),
            Self::Ended { rank } => error(format!("{} ended before the others", named(*rank)))
                .help("Make the same fits in every process, and see what this one wrote last."),
            Self::Failed { rank, why } => error(format!("{} of the fit failed", named(*rank))).because(why.clone()),
            Self::Store { why } => error(format!("the store of keys, held by {store}, was lost"))
                .because(why.clone())
                .help(format!("Its holder was killed, or cannot be reached. {AGAIN}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(done: u64, stage: Stage, quiet: u32) -> Seen {
        let why = if stage == Stage::Failed { "the disk is full".into() } else { String::new() };
        Seen { word: Word { done, stage, why, ..Word::default() }, quiet }
    }

    fn judged(others: [Seen; 2]) -> Option<Lost> {
        who_is_lost(&[(0, &others[0]), (2, &others[1])], 5, 30)
    }

    #[test]
    fn nobody_is_lost_who_may_yet_come_or_has_been_there() {
        assert_eq!(judged([seen(4, Stage::Here, 29), seen(3, Stage::Here, 0)]), None);
        assert_eq!(judged([seen(5, Stage::Ended, 99), seen(5, Stage::Failed, 99)]), None);
    }

    #[test]
    fn whoever_will_not_come_is_named() {
        let here = || seen(4, Stage::Here, 0);
        assert_eq!(judged([here(), seen(4, Stage::Ended, 0)]), Some(Lost::Ended { rank: 2 }));
        let failed = Lost::Failed { rank: 0, why: "the disk is full".into() };
        assert_eq!(judged([seen(4, Stage::Failed, 0), seen(4, Stage::Ended, 0)]), Some(failed));
        assert_eq!(judged([here(), seen(4, Stage::Here, 30)]), Some(Lost::Silent { rank: 2 }));
        assert_eq!(judged([seen(4, Stage::Failed, 0), seen(4, Stage::Here, 31)]), Some(Lost::Silent { rank: 2 }));
        assert_eq!(judged([seen(4, Stage::Here, 32), seen(4, Stage::Here, 31)]), Some(Lost::Silent { rank: 0 }));
    }

    #[test]
    fn errors_name_the_process_and_say_what_to_do() {
        let names = ["a".to_owned(), "id 7 on b".to_owned()];
        let words =
            |lost: Lost| lost.error(&names, "process 0", Pace::new(std::time::Duration::from_secs(9))).to_string();
        let silent = words(Lost::Silent { rank: 1 });
        assert!(
            silent.contains("process 1 (id 7 on b) of the fit was lost: expected a sign of life within 9s"),
            "{silent}"
        );
        assert!(silent.contains("resume(true)"), "{silent}");
        let failed = words(Lost::Failed { rank: 0, why: "the disk is full".into() });
        assert_eq!(failed, "process 0 (a) of the fit failed (the disk is full)");
        assert!(words(Lost::Ended { rank: 5 }).starts_with("process 5 ended before the others"));
        assert!(words(Lost::Store { why: "reset".into() }).contains("held by process 0, was lost (reset)"));
    }
}
