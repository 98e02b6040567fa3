//! A worker process that waits between requests, so that several can be timed in alternation.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::trouble::{Result, Trouble};

pub struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    shown: String,
    /// Description that the process gave when it became ready.
    pub words: String,
}

/// The answer to a request for steps.
pub struct Answer {
    /// Seconds per step.
    pub seconds: Vec<f64>,
    /// Losses of the last step.
    pub losses: Vec<f64>,
}

impl Peer {
    /// Starts a program that first prints `ready`, then reads step counts and answers each with two lines.
    pub fn start(command: &mut Command) -> Result<Self> {
        let shown = format!("{command:?}");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = child.map_err(|e| Trouble::new(format!("cannot start {shown}: {e}")))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Trouble::new(format!("{shown} has no pipes")));
        };
        let mut peer = Self { process, input, output: BufReader::new(output), shown, words: String::new() };
        let words = peer.line()?;
        peer.words = words.strip_prefix("ready").unwrap_or(&words).trim().to_string();
        Ok(peer)
    }

    pub fn steps(&mut self, count: usize) -> Result<Answer> {
        writeln!(self.input, "{count}").map_err(|e| Trouble::new(format!("cannot write to {}: {e}", self.shown)))?;
        Ok(Answer { seconds: self.numbers()?, losses: self.numbers()? })
    }

    /// Returns the peak memory of the process, in MiB; 0 if the system does not report it.
    pub fn peak_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: f64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0);
        kib / 1024.0
    }

    fn numbers(&mut self) -> Result<Vec<f64>> {
        let line = self.line()?;
        let numbers = line.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>();
        numbers.map_err(|_| Trouble::new(format!("{}: expected numbers, found {:?}", self.shown, line.trim())))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        if read.map_err(|e| Trouble::new(format!("cannot read from {}: {e}", self.shown)))? == 0 {
            let status = self.process.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
            return Err(Trouble::new(format!("{} exited without an answer: {status}", self.shown)));
        }
        Ok(line)
    }
}

impl Drop for Peer {
    /// Kills the process, which would exit by itself when its input closes, but perhaps not immediately.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Peer> {
        Peer::start(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn a_peer_answers_each_line() {
        let mut peer = shell("echo ready on a shell; while read n; do echo 0.5 $n; echo 1 2; done").unwrap();
        assert_eq!(peer.words, "on a shell");
        for count in [1, 3] {
            let answer = peer.steps(count).unwrap();
            assert_eq!((answer.seconds, answer.losses), (vec![0.5, count as f64], vec![1.0, 2.0]));
        }
        assert!(peer.peak_mib() > 0.0);
    }

    #[test]
    fn a_peer_that_fails_is_named() {
        let of = |script| shell(script).err().unwrap().to_string();
        assert!(of("exit 3").contains("exit status: 3"));
        let mut peer = shell("echo ready; read n; echo nonsense").unwrap();
        assert!(peer.steps(1).err().unwrap().to_string().contains("nonsense"));
    }
}
