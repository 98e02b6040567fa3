//! Which process an exchange waits for in vain, and why.

use super::pace::Pace;
use crate::error::{Error, ErrorKind};

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

/// Begins again, for each of these errors.
const AGAIN: &str = "Start all processes again: a fit with resume(true) goes on from its newest checkpoint.";

impl Lost {
    /// The error of a process that waited. `names` says who each rank is; `store` who holds the store.
    pub fn error(&self, names: &[String], store: &str, pace: Pace) -> Error {
        let named = |rank: usize| match names.get(rank) {
            Some(name) => format!("process {rank} ({name})"),
            None => format!("process {rank}"),
        };
        let error = |what: String| Error::new(ErrorKind::Peer, what);
        match self {
            Self::Silent { rank } => error(format!("{} was lost", named(*rank)))
                .expected(format!("a sign of life within {:?}", pace.silence))
                .found("none")
                .help(format!("It was killed or stopped, or its machine is gone. {AGAIN}")),
            Self::Ended { rank } => error(format!("{} ended before the others", named(*rank)))
                .help("Make the same fits and translations in every process, and see what this one wrote last."),
            Self::Failed { rank, why } => error(format!("{} failed", named(*rank))).because(why.clone()),
            Self::Store { why } => error(format!("the store of keys, held by {store}, was lost"))
                .because(why.clone())
                .help(format!("Its holder was killed, or cannot be reached. {AGAIN}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_process_and_say_what_to_do() {
        let names = ["a".to_owned(), "id 7 on b".to_owned()];
        let words =
            |lost: Lost| lost.error(&names, "process 0", Pace::new(std::time::Duration::from_secs(9))).to_string();
        let silent = words(Lost::Silent { rank: 1 });
        assert!(silent.contains("process 1 (id 7 on b) was lost: expected a sign of life within 9s"), "{silent}");
        assert!(silent.contains("resume(true)"), "{silent}");
        let failed = words(Lost::Failed { rank: 0, why: "the disk is full".into() });
        assert_eq!(failed, "process 0 (a) failed (the disk is full)");
        assert!(words(Lost::Ended { rank: 5 }).starts_with("process 5 ended before the others"));
        assert!(words(Lost::Store { why: "reset".into() }).contains("held by process 0, was lost (reset)"));
    }
}
