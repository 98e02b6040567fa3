//! Progress of a translation, and whether it should end.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::peers::{Alone, Peers};
use crate::progress::{Bar, Observer};
use crate::train::{StopSignal, spoken};

/// Without a terminal, this many lines are written over the whole work.
const LINES: u64 = 10;

/// Counts pixels, shows progress, and checks the stop signal.
pub(crate) struct Progress {
    stop: Option<StopSignal>,
    /// The other processes.
    peers: Arc<dyn Peers>,
    /// Number of processes that work on the same outputs; this process counts for all of them.
    workers: u64,
    /// `None` if nothing is shown.
    bar: Option<Bar>,
    observer: Option<Observer>,
    total: u64,
    /// Pixels of the output that are complete.
    done: u64,
    /// Of these, pixels that an earlier run completed.
    earlier: u64,
    /// Pixels that went through the network.
    network: u64,
    started: Instant,
}

impl Progress {
    /// Shows progress on standard error: a bar on a terminal, lines elsewhere.
    pub fn new(total: u64, shows: bool, stop: Option<StopSignal>) -> Self {
        let bar = shows.then(|| Bar::on_stderr("{wide_bar} {percent}%  {msg}", total));
        Self {
            stop,
            peers: Arc::new(Alone),
            workers: 1,
            bar,
            observer: None,
            total,
            done: 0,
            earlier: 0,
            network: 0,
            started: Instant::now(),
        }
    }

    /// Also reports to an observer from now on.
    pub fn observed_by(mut self, observer: Option<Observer>) -> Self {
        self.observer = observer;
        self.tell();
        self
    }

    /// Ends the work if one of these processes is lost, from now on.
    pub fn beside(mut self, peers: Arc<dyn Peers>) -> Self {
        self.peers = peers;
        self
    }

    /// Counts each pixel of this process for this many workers, from now on.
    pub fn share_among(&mut self, workers: usize) {
        self.workers = workers as u64;
    }

    /// Counts an output as complete; `until` is the number of pixels then done.
    pub fn complete(&mut self, until: u64) {
        self.done = self.done.min(until);
        self.workers = 1;
        self.add_completed(until - self.done);
    }

    /// Returns how many pixels of the output are complete.
    pub fn completed(&self) -> u64 {
        self.done
    }

    fn tell(&self) {
        if let Some(observer) = &self.observer {
            observer.tell(self.done, self.total);
        }
    }

    /// Returns a progress that shows nothing and never stops.
    pub fn silent() -> Self {
        Self::new(0, false, None)
    }

    /// Checks that no stop was requested.
    ///
    /// # Errors
    /// `Stopped` once the signal is set, `Peer` once another process is lost.
    pub fn check_stop(&self) -> Result<()> {
        check_stop(self.stop.as_ref())?;
        self.peers.check()
    }

    /// Counts pixels of the output that an earlier run completed.
    pub fn add_earlier(&mut self, pixels: u64) {
        self.earlier += pixels;
        self.add_completed(pixels);
    }

    /// Counts pixels of the output that are complete.
    pub fn add_completed(&mut self, pixels: u64) {
        let pixels = (pixels * self.workers).min(self.total.saturating_sub(self.done));
        let tenth = |done: u64| done * LINES / self.total.max(1);
        let is_news = tenth(self.done + pixels) > tenth(self.done);
        self.done += pixels;
        self.tell();
        let Some(bar) = &self.bar else { return };
        bar.set_message(self.text());
        bar.set_position(self.done);
        if bar.is_hidden() && is_news {
            // The terminal may be gone; the work continues.
            let _ = writeln!(std::io::stderr(), "{}", self.text());
        }
    }

    /// Counts pixels that went through the network.
    pub fn add_network(&mut self, pixels: u64) {
        self.network += pixels;
    }

    /// Returns how many pixels have gone through the network.
    pub fn network_pixels(&self) -> u64 {
        self.network
    }

    fn text(&self) -> String {
        let mega = |pixels: u64| pixels as f64 / 1e6;
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        let rate = mega(self.done - self.earlier) / seconds;
        let left = mega(self.total.saturating_sub(self.done)) / rate.max(1e-12);
        let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
        let (done, total) = (mega(self.done), mega(self.total));
        format!("{done:.1} of {total:.1} megapixels, {rate:.2} MP/s, {} left", spoken(left))
    }
}

/// Checks that no stop was requested.
///
/// # Errors
/// `Stopped` once the signal is set.
pub(crate) fn check_stop(stop: Option<&StopSignal>) -> Result<()> {
    if !stop.is_some_and(StopSignal::is_set) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Stopped, "the translation was stopped before its end")
        .help("No incomplete file is left. With RasterOptions::resume, the same call continues from there."))
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_counts_this_run_only() {
        let mut progress = Progress::new(10_000_000, false, None);
        progress.started -= Duration::from_secs(2);
        progress.add_earlier(4_000_000);
        progress.add_completed(4_000_000);
        let text = progress.text();
        assert!(text.starts_with("8.0 of 10.0 megapixels, 2.0") || text.contains("1.99 MP/s"), "{text}");
        assert!(text.ends_with("0 s left") || text.ends_with("1 s left"), "{text}");
    }

    #[test]
    fn a_signal_ends_the_work() {
        let stop = StopSignal::new();
        let progress = Progress::new(1, false, Some(stop.clone()));
        progress.check_stop().unwrap();
        stop.stop();
        assert_eq!(progress.check_stop().unwrap_err().kind(), ErrorKind::Stopped);
    }
}
