//! How long processes wait for each other.

use std::time::Duration;

/// A process that sends no sign of life for so long is lost, whatever the time for an exchange is.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);
const BEATS_IN_SILENCE: u32 = 30;
/// Sooner than that is noise, later is felt.
const BEAT: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];
/// Where an exchange has failed already, somebody is gone, and less silence tells who.
const SOONER: u32 = 6;

/// Times of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// For an exchange to which another process does not come, alive as it is, and for all to gather at first.
    pub timeout: Duration,
    /// Without a sign of life.
    pub silence: Duration,
    /// Between signs of life.
    pub beat: Duration,
}

impl Pace {
    pub fn new(timeout: Duration) -> Self {
        let silence = timeout.min(LONGEST_SILENCE);
        Self { timeout, silence, beat: (silence / BEATS_IN_SILENCE).clamp(BEAT[0], BEAT[1]) }
    }

    /// What libtorch's own wait is bounded by; ours ends before, and knows more.
    pub fn patience(self) -> Duration {
        self.timeout + 2 * self.silence
    }

    /// How long the store may leave a round unanswered; less where an exchange has failed.
    pub fn unanswered(self, has_failed: bool) -> Duration {
        if has_failed { self.silence / SOONER + self.beat } else { self.silence * 2 }
    }

    /// How many of one's own signs of life without one of another process tell that this is lost.
    pub fn quiet_beats(self, has_failed: bool) -> u32 {
        let silence = if has_failed { self.silence / SOONER } else { self.silence };
        let beats = silence.as_millis().div_ceil(self.beat.as_millis().max(1));
        u32::try_from(beats).unwrap_or(u32::MAX).max(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_ends_a_wait_before_the_timeout_does() {
        let usual = Pace::new(Duration::from_secs(1800));
        assert_eq!((usual.silence, usual.beat), (Duration::from_secs(30), Duration::from_millis(500)));
        assert_eq!((usual.quiet_beats(false), usual.quiet_beats(true)), (60, 10));
        let short = Pace::new(Duration::from_secs(3));
        assert_eq!((short.silence, short.beat), (Duration::from_secs(3), Duration::from_millis(100)));
        assert_eq!((short.quiet_beats(false), short.quiet_beats(true)), (30, 5));
        assert_eq!(Pace::new(Duration::ZERO).quiet_beats(true), 2);
    }
}
