//! What a process says of itself to the others, again and again.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Bytes of an error that are passed on; the first ones say it.
const LONGEST_TEXT: usize = 4000;

/// How a process stands to its group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// It takes part.
    #[default]
    Here,
    /// It has let the group go, in good order.
    Ended,
    /// It has failed.
    Failed,
}

/// One sign of life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Word {
    /// Number of the sign.
    pub beat: u64,
    /// Exchanges that the process has come to.
    pub entered: u64,
    /// Those of them that are over for it.
    pub done: u64,
    pub stage: Stage,
    /// Why it failed.
    pub why: String,
}

impl Word {
    pub fn fail(&mut self, why: &str) {
        let end = why.char_indices().map(|(at, _)| at).take_while(|at| *at <= LONGEST_TEXT).last().unwrap_or(0);
        let end = if why.len() <= LONGEST_TEXT { why.len() } else { end };
        (self.stage, self.why) = (Stage::Failed, why[..end].to_owned());
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(unread)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(unread)
    }
}

pub(super) fn unread(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Format, "a sign of life of another process cannot be read")
        .because(error)
        .help("Run the same program in every process.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_way_and_is_short() {
        let mut word = Word { beat: 7, entered: 3, done: 2, ..Word::default() };
        word.fail(&"é".repeat(LONGEST_TEXT));
        assert!(word.why.len() <= LONGEST_TEXT && word.why.len() > LONGEST_TEXT - 2);
        assert_eq!(Word::from_bytes(&word.to_bytes().unwrap()).unwrap(), word);
        word.fail("short");
        assert_eq!(word.why, "short");
        assert!(Word::from_bytes(b"{}").is_err());
    }
}
