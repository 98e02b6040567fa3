//! What each process publishes about itself at regular intervals.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Length of an error message sent to other processes; the beginning is the most important part.
const MAX_REASON_BYTES: usize = 4000;

/// Whether a process still takes part in its group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// It takes part.
    #[default]
    Active,
    /// It dropped the group without an error.
    Left,
    /// It was asked to stop, and no longer joins collectives.
    Stopped,
    /// It has failed.
    Failed,
}

/// One heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heartbeat {
    pub sequence: u64,
    /// Number of collectives that the process has entered.
    pub entered: u64,
    /// The last collective up to which the process has completed all of them.
    pub completed: u64,
    pub stage: Stage,
    /// The error because of which it stopped or failed.
    pub reason: String,
}

impl Heartbeat {
    /// Records the error with which this process ends its participation.
    pub fn fail(&mut self, error: &Error) {
        self.stage = if error.kind() == ErrorKind::Stopped { Stage::Stopped } else { Stage::Failed };
        self.reason = error.to_string();
        let end = (0..=MAX_REASON_BYTES).rev().find(|end| self.reason.is_char_boundary(*end)).unwrap_or(0);
        self.reason.truncate(end);
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(unreadable)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(unreadable)
    }
}

pub(super) fn unreadable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Format, "a heartbeat of another process cannot be read")
        .because(error)
        .help("Run the same program in every process.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_survives_serialization_and_is_short() {
        let mut heartbeat = Heartbeat { sequence: 7, entered: 3, completed: 2, ..Heartbeat::default() };
        heartbeat.fail(&Error::callback("é".repeat(MAX_REASON_BYTES)));
        assert!(heartbeat.reason.len() <= MAX_REASON_BYTES && heartbeat.reason.len() > MAX_REASON_BYTES - 2);
        assert_eq!(Heartbeat::from_bytes(&heartbeat.to_bytes().unwrap()).unwrap(), heartbeat);
        heartbeat.fail(&Error::callback("short"));
        assert_eq!((heartbeat.stage, heartbeat.reason.as_str()), (Stage::Failed, "short"));
        assert!(Heartbeat::from_bytes(b"{}").is_err());
    }

    #[test]
    fn a_stop_is_not_a_failure() {
        let mut heartbeat = Heartbeat::default();
        heartbeat.fail(&Error::new(ErrorKind::Stopped, "the translation was stopped"));
        assert_eq!(heartbeat.stage, Stage::Stopped);
    }
}
