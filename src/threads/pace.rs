//! Which number of threads is the fastest, found by trying.

use std::collections::VecDeque;

/// Calls that settle what a number of threads costs; older ones do not count.
const RECENT: usize = 4;
/// Calls before the first trial.
const FIRST_PAUSE: usize = 2;
/// The fewest calls between two trials, and the most.
const SHORTEST_PAUSE: usize = 4;
const LONGEST_PAUSE: usize = 2000;
/// Share of the time that trials of slower numbers may take.
const LOST: f64 = 0.02;
/// Seconds that a trial may last, and calls.
const TRIAL_SECONDS: f64 = 0.2;
const TRIAL_CALLS: usize = 6;
/// What another number must save to be taken.
const GAIN: f64 = 0.95;
/// A call of a trial that takes so many times as long ends it.
const HOPELESS: f64 = 2.5;
/// Calls that take so many times as long as they did tell that the machine has changed.
const CHANGED: f64 = 1.4;

/// The numbers that are tried for one kind of work, and what they cost.
#[derive(Debug)]
pub(super) struct Pace {
    /// From the most to one, each about half of the one before; and one less than the most, for a program beside this one.
    numbers: Vec<usize>,
    /// Place of the number that is used.
    used: usize,
    /// Seconds a pixel, newest last.
    recent: VecDeque<f64>,
    /// What calls cost when a trial last confirmed the number.
    settled: Option<f64>,
    /// Place of the number that is on trial, and what its calls cost.
    trial: Option<(usize, Vec<f64>)>,
    /// Calls until the next trial.
    left: usize,
    /// Whether the next trial is of fewer threads.
    goes_down: bool,
    /// Calls that do not count: the first one compiles and allocates.
    uncounted: usize,
}

impl Pace {
    /// Begins with the most threads.
    pub fn new(most: usize) -> Self {
        let mut numbers: Vec<_> = std::iter::successors(Some(most.max(1)), |&n| (n > 1).then_some(n / 2)).collect();
        if most > 3 {
            numbers.insert(1, most - 1);
        }
        Self {
            numbers,
            used: 0,
            recent: VecDeque::new(),
            settled: None,
            trial: None,
            left: FIRST_PAUSE,
            goes_down: true,
            uncounted: 1,
        }
    }

    /// The number for the next call.
    pub fn threads(&self) -> usize {
        let place = self.trial.as_ref().map_or(self.used, |(place, _)| *place);
        self.numbers[place]
    }

    /// Takes note of what a call with a number took.
    pub fn took(&mut self, threads: usize, seconds: f64, pixels: f64) {
        let cost = seconds / pixels;
        if self.uncounted > 0 {
            self.uncounted -= 1;
            return;
        }
        match &mut self.trial {
            Some((place, costs)) if self.numbers[*place] == threads => {
                costs.push(cost);
                let usual = mean(self.recent.iter());
                let wanted = (TRIAL_SECONDS / seconds.max(1e-9)).clamp(1.0, TRIAL_CALLS as f64) as usize;
                if costs.len() >= wanted || cost > HOPELESS * usual {
                    self.judge(usual);
                }
            }
            // A call that began before the trial, on another thread.
            Some(_) => {}
            None if self.numbers[self.used] == threads => self.count(cost),
            None => {}
        }
    }

    fn count(&mut self, cost: f64) {
        self.recent.push_back(cost);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        self.left = self.left.saturating_sub(1);
        let now = mean(self.recent.iter().rev().take(2));
        let has_changed = self.recent.len() >= 2 && self.settled.is_some_and(|then| now > CHANGED * then);
        if has_changed {
            self.settled = Some(now);
        }
        if self.left == 0 || has_changed {
            self.begin_trial();
        }
    }

    fn begin_trial(&mut self) {
        let (down, up) = (self.used + 1, self.used.wrapping_sub(1));
        let wanted = if self.goes_down { [down, up] } else { [up, down] };
        match wanted.into_iter().find(|&place| place < self.numbers.len()) {
            Some(place) => self.trial = Some((place, Vec::new())),
            None => self.left = LONGEST_PAUSE,
        }
    }

    /// Ends a trial: keeps the number on trial where it was faster. Else the next trial comes the later, the more this one lost.
    fn judge(&mut self, usual: f64) {
        let Some((place, costs)) = self.trial.take() else { return };
        let tried = mean(costs.iter());
        if tried < GAIN * usual {
            self.goes_down = place > self.used;
            self.used = place;
            self.recent = costs.into();
            self.left = SHORTEST_PAUSE;
            self.settled = Some(tried);
        } else {
            self.goes_down = !self.goes_down;
            let lost = costs.iter().map(|cost| cost / usual - 1.0).sum::<f64>();
            self.left = ((lost / LOST) as usize).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            self.settled = Some(usual);
        }
    }
}

fn mean<'a>(costs: impl ExactSizeIterator<Item = &'a f64>) -> f64 {
    let count = costs.len().max(1);
    costs.sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls that take what `seconds` says for a number of threads; returns the sum, and the number at the end.
    fn run(pace: &mut Pace, calls: usize, seconds: impl Fn(usize) -> f64) -> (f64, usize) {
        let mut sum = 0.0;
        for _ in 0..calls {
            let threads = pace.threads();
            sum += seconds(threads);
            pace.took(threads, seconds(threads), 4096.0);
        }
        (sum, pace.numbers[pace.used])
    }

    #[test]
    fn numbers_halve_down_to_one() {
        assert_eq!(Pace::new(12).numbers, [12, 11, 6, 3, 1]);
        assert_eq!(Pace::new(2).numbers, [2, 1]);
        assert_eq!(Pace::new(1).numbers, [1]);
    }

    /// The figures of two idle cores: trials cost little.
    #[test]
    fn an_idle_machine_keeps_all_threads() {
        let mut pace = Pace::new(2);
        let (sum, threads) = run(&mut pace, 2000, |threads| if threads == 2 { 0.05 } else { 0.07 });
        assert_eq!(threads, 2);
        assert!(sum < 2000.0 * 0.05 * 1.025, "{sum}");
    }

    /// The figures of two cores of which another program has one.
    #[test]
    fn a_busy_machine_gets_one_thread() {
        let mut pace = Pace::new(2);
        let (sum, threads) = run(&mut pace, 1000, |threads| if threads == 2 { 0.4 } else { 0.075 });
        assert_eq!(threads, 1);
        assert!(sum < 1000.0 * 0.075 * 1.1, "{sum}");
    }

    #[test]
    fn the_best_of_many_is_found() {
        let mut pace = Pace::new(16);
        let cost = |threads: usize| (threads as f64 - 4.0).abs() + 1.0;
        assert_eq!(run(&mut pace, 200, cost).1, 4);
    }

    #[test]
    fn another_program_that_comes_and_goes_is_noticed() {
        let mut pace = Pace::new(2);
        assert_eq!(run(&mut pace, 3000, |threads| if threads == 2 { 0.05 } else { 0.07 }).1, 2);
        assert_eq!(run(&mut pace, 20, |threads| if threads == 2 { 0.4 } else { 0.075 }).1, 1);
        assert_eq!(run(&mut pace, 1200, |threads| if threads == 2 { 0.05 } else { 0.07 }).1, 2);
    }

    /// Steps of many seconds are not tried for longer than one of them.
    #[test]
    fn long_work_is_tried_seldom() {
        let mut pace = Pace::new(2);
        let (sum, threads) = run(&mut pace, 200, |threads| if threads == 2 { 7.0 } else { 14.0 });
        assert_eq!(threads, 2);
        assert!(sum < 200.0 * 7.0 * 1.05, "{sum}");
    }

    /// Work that another thread began before a trial does not count for it.
    #[test]
    fn calls_of_other_numbers_do_not_count_in_a_trial() {
        let mut pace = Pace::new(2);
        run(&mut pace, FIRST_PAUSE + 1, |_| 1.0);
        assert_eq!(pace.threads(), 1);
        pace.took(2, 1.0, 1.0);
        assert!(pace.trial.as_ref().is_some_and(|(_, costs)| costs.is_empty()));
    }
}
