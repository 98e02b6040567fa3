//! Timeouts of a process group, all derived from the one set by the user.

use std::time::Duration;

/// Upper limit of the heartbeat timeout, however long the timeout of a collective is.
const MAX_HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(30);
const HEARTBEATS_PER_TIMEOUT: u32 = 30;
/// A shorter interval would load the store needlessly; a longer one would delay the end of a fit.
const HEARTBEAT_INTERVAL: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];
/// Once a collective has failed, some process is gone, and this fraction of the heartbeat timeout is enough to identify
/// it.
const AFTER_FAILURE: u32 = 6;

/// Timeouts of a process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    /// For a collective that a live process does not join, and for the rendezvous.
    pub timeout: Duration,
    /// For a process that sends no heartbeat. Always less than `timeout`, so that a dead process is reported as dead
    /// rather than late.
    pub heartbeat_timeout: Duration,
    /// Between heartbeats.
    pub heartbeat_interval: Duration,
}

impl Timing {
    pub fn new(timeout: Duration) -> Self {
        let heartbeat_timeout = (timeout / 2).min(MAX_HEARTBEAT_TIMEOUT);
        let [shortest, longest] = HEARTBEAT_INTERVAL;
        let heartbeat_interval = (heartbeat_timeout / HEARTBEATS_PER_TIMEOUT).clamp(shortest, longest);
        Self { timeout, heartbeat_timeout, heartbeat_interval }
    }

    /// Returns the timeout to pass to libtorch. It is longer than this crate's own, whose error names the process.
    pub fn backend_timeout(self) -> Duration {
        self.timeout + 2 * self.heartbeat_timeout
    }

    /// Returns how long the store may take to answer; less once a collective `has_failed`.
    pub fn store_timeout(self, has_failed: bool) -> Duration {
        match has_failed {
            true => self.heartbeat_timeout / AFTER_FAILURE + self.heartbeat_interval,
            false => self.heartbeat_timeout * 3 / 2,
        }
    }

    /// Returns how many heartbeats a process may miss, counted in the observer's heartbeats; fewer once a collective
    /// `has_failed`.
    pub fn max_missed_heartbeats(self, has_failed: bool) -> u32 {
        let silence = if has_failed { self.heartbeat_timeout / AFTER_FAILURE } else { self.heartbeat_timeout };
        let missed = silence.as_millis().div_ceil(self.heartbeat_interval.as_millis().max(1));
        u32::try_from(missed).unwrap_or(u32::MAX).max(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heartbeat_timeout_is_at_most_half_the_timeout() {
        let usual = Timing::new(Duration::from_secs(1800));
        assert_eq!(usual.heartbeat_timeout, Duration::from_secs(30));
        assert_eq!(usual.heartbeat_interval, Duration::from_millis(500));
        assert_eq!((usual.max_missed_heartbeats(false), usual.max_missed_heartbeats(true)), (60, 10));
        let short = Timing::new(Duration::from_secs(6));
        assert_eq!(short.heartbeat_timeout, Duration::from_secs(3));
        assert_eq!(short.heartbeat_interval, Duration::from_millis(100));
        assert_eq!((short.max_missed_heartbeats(false), short.max_missed_heartbeats(true)), (30, 5));
        assert_eq!(Timing::new(Duration::ZERO).max_missed_heartbeats(true), 2);
    }

    /// If two timeouts expired at the same time, the error would depend on chance.
    #[test]
    fn no_two_waits_end_together() {
        for seconds in [1, 15, 20, 60, 1800] {
            let timing = Timing::new(Duration::from_secs(seconds));
            let waits = [
                timing.store_timeout(true),
                timing.heartbeat_timeout,
                timing.store_timeout(false),
                timing.timeout,
                timing.backend_timeout(),
            ];
            assert!(waits.is_sorted_by(|one, next| *next > *one + timing.heartbeat_interval), "{seconds} s: {waits:?}");
        }
    }
}
