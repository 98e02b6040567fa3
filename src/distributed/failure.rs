//! Reasons why a collective cannot complete, including the process at fault.

use super::timing::Timing;
use crate::error::{Error, ErrorKind};

/// Why a collective cannot complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// A process sends no heartbeats.
    NoHeartbeat { rank: usize },
    /// A process has left the group before it joined the collective.
    Left { rank: usize },
    /// A process was asked to stop.
    Stopped { rank: usize, reason: String },
    /// A process has failed, with this error.
    Failed { rank: usize, reason: String },
    /// The key-value store cannot be reached.
    StoreLost { reason: String },
}

const RESTART: &str = "Start all processes again: a fit with resume(true) continues from its newest checkpoint.";

/// The names of a group's processes in errors.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// Process ID and host of each rank, if known.
    pub ranks: Vec<String>,
    /// Which process hosts the store.
    pub store_host: &'static str,
}

impl Names {
    /// Returns `process 1 (pid 7 on node3)`.
    pub fn rank(&self, rank: usize) -> String {
        match self.ranks.get(rank) {
            Some(name) => format!("process {rank} ({name})"),
            None => format!("process {rank}"),
        }
    }
}

impl Failure {
    /// Returns the error for a process that waited for the collective.
    pub fn error(&self, names: &Names, timing: Timing) -> Error {
        let peer = |what: String| Error::new(ErrorKind::Peer, what);
        match self {
            Self::NoHeartbeat { rank } => peer(format!("{} is lost", names.rank(*rank)))
                .expected(format!("a heartbeat within {:?}", timing.heartbeat_timeout))
                .found("none")
                .help(format!("It was killed or suspended, or its machine cannot be reached. {RESTART}")),
            Self::Left { rank } => peer(format!("{} left the group before the others", names.rank(*rank)))
                .help("Make the same calls in every process, and see what this one wrote last."),
            Self::Stopped { rank, reason } => {
                Error::new(ErrorKind::Stopped, format!("{} was stopped", names.rank(*rank))).because(reason.clone())
            }
            Self::Failed { rank, reason } => peer(format!("{} failed", names.rank(*rank))).because(reason.clone()),
            Self::StoreLost { reason } => peer(format!("the key-value store of {} is lost", names.store_host))
                .because(reason.clone())
                .help(format!("That process was killed, or cannot be reached. {RESTART}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn errors_name_the_process_and_say_what_to_do() {
        let names = Names { ranks: vec!["a".to_owned(), "pid 7 on b".to_owned()], store_host: "process 0" };
        let error = |failure: Failure| failure.error(&names, Timing::new(Duration::from_secs(18)));
        let text = |failure: Failure| error(failure).to_string();
        let lost = text(Failure::NoHeartbeat { rank: 1 });
        assert!(lost.contains("process 1 (pid 7 on b) is lost: expected a heartbeat within 9s"), "{lost}");
        assert!(lost.contains("resume(true)"), "{lost}");
        let reason = || "the disk is full".to_owned();
        let failed = Failure::Failed { rank: 0, reason: reason() };
        assert_eq!(error(failed.clone()).kind(), ErrorKind::Peer);
        assert_eq!(text(failed), "process 0 (a) failed (the disk is full)");
        assert!(text(Failure::Left { rank: 5 }).starts_with("process 5 left the group before the others"));
        let store = text(Failure::StoreLost { reason: reason() });
        assert!(store.contains("the key-value store of process 0 is lost (the disk is full)"), "{store}");
    }

    #[test]
    fn a_stop_of_another_process_is_a_stop_here() {
        let names = Names::default();
        let error =
            Failure::Stopped { rank: 2, reason: "Ctrl-C".to_owned() }.error(&names, Timing::new(Duration::ZERO));
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Stopped, "process 2 was stopped (Ctrl-C)"));
    }
}
