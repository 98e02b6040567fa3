//! How far a translation has come, and whether it is to end.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Bar, Observer};
use crate::train::{StopSignal, spoken};

/// Without a terminal, a line is written each time that another so-manieth part is done.
const LINES: u64 = 10;

/// Counts pixels, shows them, and looks for a wish to stop.
pub(crate) struct Watch {
    stop: Option<StopSignal>,
    /// None where nothing is to be shown.
    bar: Option<Bar>,
    observer: Option<Observer>,
    total: u64,
    /// Pixels that are done, and those that were when the count began.
    done: u64,
    before: u64,
    /// Pixels that the network saw.
    network: u64,
    started: Instant,
}

impl Watch {
    /// Shows progress on standard error: a bar on a terminal, lines elsewhere.
    pub fn new(total: u64, shows: bool, stop: Option<StopSignal>) -> Self {
        let bar = shows.then(|| Bar::on_stderr("{wide_bar} {percent}%  {msg}", total));
        Self { stop, bar, observer: None, total, done: 0, before: 0, network: 0, started: Instant::now() }
    }

    /// The same, which tells a caller of its progress too, from now on.
    pub fn observed_by(mut self, observer: Option<Observer>) -> Self {
        self.observer = observer;
        self.tell();
        self
    }

    fn tell(&self) {
        if let Some(observer) = &self.observer {
            observer.tell(self.done, self.total);
        }
    }

    /// Shows and heeds nothing.
    pub fn silent() -> Self {
        Self::new(0, false, None)
    }

    /// # Errors
    /// `Stopped` once the signal is set.
    pub fn check(&self) -> Result<()> {
        stopped(self.stop.as_ref())
    }

    /// Pixels of the output that an earlier run made.
    pub fn found(&mut self, pixels: u64) {
        self.before += pixels;
        self.made(pixels);
    }

    /// Pixels of the output that are done.
    pub fn made(&mut self, pixels: u64) {
        let tenth = |done: u64| done * LINES / self.total.max(1);
        let is_news = tenth(self.done + pixels) > tenth(self.done);
        self.done += pixels;
        self.tell();
        let Some(bar) = &self.bar else { return };
        bar.set_message(self.text());
        bar.set_position(self.done);
        if bar.is_hidden() && is_news {
            // Nobody may be listening any more; the work goes on.
            let _ = writeln!(std::io::stderr(), "{}", self.text());
        }
    }

    /// Pixels that went through the network.
    pub fn saw(&mut self, pixels: u64) {
        self.network += pixels;
    }

    /// Pixels that the network saw so far.
    pub fn network_pixels(&self) -> u64 {
        self.network
    }

    fn text(&self) -> String {
        let mega = |pixels: u64| pixels as f64 / 1e6;
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        let rate = mega(self.done - self.before) / seconds;
        let left = mega(self.total.saturating_sub(self.done)) / rate.max(1e-12);
        let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
        let (done, total) = (mega(self.done), mega(self.total));
        format!("{done:.1} of {total:.1} megapixels, {rate:.2} MP/s, {} left", spoken(left))
    }
}

/// # Errors
/// `Stopped` once the signal is set.
pub(crate) fn stopped(stop: Option<&StopSignal>) -> Result<()> {
    if !stop.is_some_and(StopSignal::is_set) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Stopped, "the translation was stopped before its end")
        .help("There is no new file. With RasterOptions::resume it could go on from here."))
}

impl Drop for Watch {
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
    fn the_rate_is_of_this_run_alone() {
        let mut watch = Watch::new(10_000_000, false, None);
        watch.started -= Duration::from_secs(2);
        watch.found(4_000_000);
        watch.made(4_000_000);
        let text = watch.text();
        assert!(text.starts_with("8.0 of 10.0 megapixels, 2.0") || text.contains("1.99 MP/s"), "{text}");
        assert!(text.ends_with("0 s left") || text.ends_with("1 s left"), "{text}");
    }

    #[test]
    fn a_signal_ends_the_work() {
        let stop = StopSignal::new();
        let watch = Watch::new(1, false, Some(stop.clone()));
        watch.check().unwrap();
        stop.stop();
        assert_eq!(watch.check().unwrap_err().kind(), ErrorKind::Stopped);
    }
}
