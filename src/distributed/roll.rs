//! What the first process, which watches all, tells the others of them: of constant length, however many they are.

use serde::{Deserialize, Serialize};

use super::lost::Lost;
use super::pace::Pace;
use super::word::{Stage, Word, unread};
use crate::error::Result;

/// How many that give no sign of life are told: one who is among them does not count itself.
const QUIET: usize = 2;
/// How many that are late are told by name.
const LATE: usize = 8;

/// A process, as its last word leaves it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub word: Word,
    /// Signs of life of the process that watches it since its last one.
    pub quiet: u32,
}

/// A process that has ended or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Gone {
    rank: usize,
    /// The last exchange that is over for it.
    done: u64,
    why: String,
}

/// What is known of processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Roll {
    /// Those that take part and were quiet the longest, and how long; the longest first.
    quiet: Vec<(usize, u32)>,
    /// Of those that failed, one for which the fewest exchanges are over.
    failed: Option<Gone>,
    /// The same of those that ended in good order.
    ended: Option<Gone>,
    /// The last exchange that is over for all that take part and are not lost; then, for all that are not feared to be.
    behind: [Option<u64>; 2],
    /// The fewest exchanges that one has come to, and who.
    late: Option<(u64, Vec<usize>)>,
}

impl Roll {
    /// Puts what is known of these processes together.
    #[cfg(test)]
    pub fn of<'a>(seen: impl IntoIterator<Item = (usize, &'a Seen)>, pace: Pace) -> Self {
        let mut roll = Self::default();
        seen.into_iter().for_each(|(rank, seen)| roll.add(rank, seen, pace));
        roll
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(unread)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(unread)
    }

    /// Adds a process.
    pub fn add(&mut self, rank: usize, Seen { word, quiet }: &Seen, pace: Pace) {
        match word.stage {
            Stage::Here => {
                self.quiet.push((rank, *quiet));
                self.quiet.sort_by_key(|(_, quiet)| std::cmp::Reverse(*quiet));
                self.quiet.truncate(QUIET);
                for (behind, has_failed) in self.behind.iter_mut().zip([false, true]) {
                    if *quiet < pace.quiet_beats(has_failed) {
                        *behind = Some(behind.map_or(word.done, |behind| behind.min(word.done)));
                    }
                }
            }
            Stage::Failed => put(&mut self.failed, rank, word),
            Stage::Ended => put(&mut self.ended, rank, word),
        }
        match &mut self.late {
            Some((entered, ranks)) if *entered == word.entered && ranks.len() < LATE => ranks.push(rank),
            Some((entered, _)) if *entered <= word.entered => {}
            late => *late = Some((word.entered, vec![rank])),
        }
    }

    /// Finds who will not come to an exchange, for the process of rank `own`; `most_quiet` signs of life without one of theirs are too
    /// many. Of several, one that gives no sign is named before those that failed because of it.
    pub fn who_is_lost(&self, own: usize, exchange: u64, most_quiet: u32) -> Option<Lost> {
        let silent = self.quiet.iter().find(|(rank, quiet)| *rank != own && *quiet >= most_quiet);
        if let Some((rank, _)) = silent {
            return Some(Lost::Silent { rank: *rank });
        }
        let missing = |gone: &&Gone| gone.rank != own && gone.done < exchange;
        if let Some(gone) = self.failed.as_ref().filter(missing) {
            return Some(Lost::Failed { rank: gone.rank, why: gone.why.clone() });
        }
        self.ended.as_ref().filter(missing).map(|gone| Lost::Ended { rank: gone.rank })
    }

    /// Those that have not come to an exchange, as far as they are known by name.
    pub fn who_is_late(&self, own: usize, exchange: u64) -> Vec<usize> {
        let late =
            self.late.iter().filter(|(entered, _)| *entered < exchange).flat_map(|(_, ranks)| ranks.iter().copied());
        late.filter(|rank| *rank != own).collect()
    }

    /// Whether an exchange is still under way for a process that is not lost; sooner sure that it is where something has failed.
    pub fn is_behind(&self, exchange: u64, has_failed: bool) -> bool {
        self.behind[usize::from(has_failed)].is_some_and(|done| done < exchange)
    }

    /// Whether any takes part that is not lost.
    pub fn has_any(&self, has_failed: bool) -> bool {
        self.behind[usize::from(has_failed)].is_some()
    }
}

fn put(place: &mut Option<Gone>, rank: usize, word: &Word) {
    if place.as_ref().is_none_or(|gone| word.done < gone.done) {
        *place = Some(Gone { rank, done: word.done, why: word.why.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// No sign for 30 of one's own.
    fn pace() -> Pace {
        Pace::new(Duration::from_secs(3))
    }

    fn seen(done: u64, stage: Stage, quiet: u32) -> Seen {
        let why = if stage == Stage::Failed { "the disk is full".into() } else { String::new() };
        Seen { word: Word { done, entered: done + 1, stage, why, ..Word::default() }, quiet }
    }

    fn roll(others: &[Seen]) -> Roll {
        Roll::of([0, 2, 3].into_iter().zip(others), pace())
    }

    fn judged(others: [Seen; 2]) -> Option<Lost> {
        roll(&others).who_is_lost(1, 5, 30)
    }

    #[test]
    fn nobody_is_lost_who_may_yet_come_or_has_been_there() {
        assert_eq!(judged([seen(4, Stage::Here, 29), seen(3, Stage::Here, 0)]), None);
        assert_eq!(judged([seen(5, Stage::Ended, 99), seen(5, Stage::Failed, 99)]), None);
    }

    #[test]
    fn whoever_will_not_come_is_named() {
        let here = || seen(4, Stage::Here, 0);
        assert_eq!(judged([here(), seen(4, Stage::Ended, 0)]), Some(Lost::Ended { rank: 2 }));
        let failed = Lost::Failed { rank: 0, why: "the disk is full".into() };
        assert_eq!(judged([seen(4, Stage::Failed, 0), seen(4, Stage::Ended, 0)]), Some(failed));
        assert_eq!(judged([here(), seen(4, Stage::Here, 30)]), Some(Lost::Silent { rank: 2 }));
        assert_eq!(judged([seen(4, Stage::Failed, 0), seen(4, Stage::Here, 31)]), Some(Lost::Silent { rank: 2 }));
        assert_eq!(judged([seen(4, Stage::Here, 32), seen(4, Stage::Here, 31)]), Some(Lost::Silent { rank: 0 }));
    }

    /// Whoever was frozen and wakes is told that it was lost, and looks for others.
    #[test]
    fn nobody_names_itself() {
        let all = [seen(4, Stage::Here, 40), seen(4, Stage::Here, 35), seen(4, Stage::Here, 0)];
        assert_eq!(roll(&all).who_is_lost(0, 5, 30), Some(Lost::Silent { rank: 2 }));
        assert_eq!(roll(&all).who_is_lost(2, 5, 30), Some(Lost::Silent { rank: 0 }));
        assert_eq!(roll(&all[1..]).who_is_lost(0, 5, 30), None);
    }

    #[test]
    fn the_one_that_left_first_is_told() {
        let all = [seen(6, Stage::Failed, 0), seen(3, Stage::Failed, 0), seen(4, Stage::Failed, 0)];
        let failed = Lost::Failed { rank: 2, why: "the disk is full".into() };
        assert_eq!(roll(&all).who_is_lost(1, 4, 30), Some(failed));
    }

    #[test]
    fn who_is_late_and_who_is_behind() {
        let all = [seen(4, Stage::Here, 0), seen(6, Stage::Here, 0), seen(4, Stage::Here, 7)];
        let roll = roll(&all);
        assert_eq!(
            (roll.who_is_late(1, 6), roll.who_is_late(3, 6), roll.who_is_late(1, 5)),
            (vec![0, 3], vec![0], vec![])
        );
        assert!(roll.is_behind(5, false) && !roll.is_behind(4, false) && roll.has_any(true));
        let lost = Roll::of([(2, &seen(4, Stage::Here, 7))], pace());
        // 5 signs are enough after a failure, and 30 else.
        assert!(lost.is_behind(5, false) && !lost.is_behind(5, true) && !lost.has_any(true));
    }

    /// It is told again and again, and to everybody.
    #[test]
    fn it_does_not_grow_with_the_number_of_processes() {
        let all: Vec<Seen> =
            (0..2000).map(|i| seen(4, if i % 2 == 0 { Stage::Here } else { Stage::Ended }, 9)).collect();
        let roll = Roll::of(all.iter().enumerate(), pace());
        assert!(serde_json::to_vec(&roll).unwrap().len() < 300);
    }
}
