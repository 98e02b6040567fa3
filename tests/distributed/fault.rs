//! What goes wrong in a child process, and when.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use geolearn::train::{Callback, StopSignal};

use super::processes::FAULT;

/// A fault of this process, which comes when it has been asked so often.
pub struct Fault {
    how: String,
    at: usize,
    asked: AtomicUsize,
    /// Is set when SIGTERM comes.
    signal: StopSignal,
}

impl Fault {
    /// Reads the fault of this rank, which does not come again after a restart; for other ranks, one that never comes.
    pub fn read(rank: usize, signal: StopSignal) -> Self {
        let text = std::env::var(FAULT).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_restarted = std::env::var("TORCHELASTIC_RESTART_COUNT").is_ok_and(|count| count != "0");
        let (how, at) = match words.as_slice() {
            [who, how, at] if who.parse() == Ok(rank) && !is_restarted => (*how, at.parse().unwrap()),
            _ => ("", usize::MAX),
        };
        Self { how: how.to_owned(), at, asked: AtomicUsize::new(0), signal }
    }

    pub fn ask(&self) {
        if self.asked.fetch_add(1, Ordering::SeqCst) + 1 != self.at {
            return;
        }
        match self.how.as_str() {
            "abort" => std::process::abort(),
            "exit" => std::process::exit(3),
            "panic" => panic!("a fault of the test"),
            "hang" => sleep(Duration::from_secs(3600)),
            "freeze" => send_to_self("-STOP"),
            // Goes on once the handler has set the signal, so that it is known where the stop comes.
            "terminate" => {
                send_to_self("-TERM");
                while !self.signal.is_set() {
                    sleep(Duration::from_millis(1));
                }
            }
            other => panic!("there is no fault {other}"),
        }
    }
}

fn send_to_self(signal: &str) {
    assert!(Command::new("kill").args([signal, &std::process::id().to_string()]).status().unwrap().success());
}

impl Callback for Fault {
    fn wants_to_stop(&self) -> bool {
        self.ask();
        false
    }
}
