//! A summary of the heartbeats of all processes in a group, whose size does not grow with their number: rank 0 watches
//! all others and publishes it to them.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::heartbeat::{Heartbeat, Stage, unreadable};
use super::timing::Timing;
use crate::error::Result;

/// Number of ranks with the most missed heartbeats to keep. If a rank is one of them itself, it ignores its own entry.
const MAX_SILENT: usize = 2;
/// Number of late ranks to keep by number.
const MAX_LATE: usize = 8;

/// The latest heartbeat of a process, as seen by the process that watches it.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    pub heartbeat: Heartbeat,
    /// Number of the observer's heartbeats since then.
    pub missed: u32,
}

/// A process that no longer takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Departed {
    rank: usize,
    /// The last collective that it completed.
    completed: u64,
    is_stopped: bool,
    reason: String,
}

/// Summary of the heartbeats of several processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Liveness {
    /// Active ranks with the most missed heartbeats, and their numbers, in descending order.
    silent: Vec<(usize, u32)>,
    /// Among the ranks that failed or were stopped, one that completed the fewest collectives.
    failed: Option<Departed>,
    /// The same for those that left without an error.
    left: Option<Departed>,
    /// The fewest collectives completed by an active rank that is not lost, under the usual limit and under the one
    /// after a failure.
    fewest_completed: [Option<u64>; 2],
    /// The fewest collectives that any rank has entered, and those ranks.
    fewest_entered: Option<(u64, Vec<usize>)>,
}

impl Liveness {
    /// Summarizes these processes.
    #[cfg(test)]
    pub fn of<'a>(observed: impl IntoIterator<Item = (usize, &'a Observed)>, timing: Timing) -> Self {
        let mut liveness = Self::default();
        observed.into_iter().for_each(|(rank, observed)| liveness.add(rank, observed, timing));
        liveness
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(unreadable)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(unreadable)
    }

    /// Adds a process to the summary.
    pub fn add(&mut self, rank: usize, Observed { heartbeat, missed }: &Observed, timing: Timing) {
        match heartbeat.stage {
            Stage::Active => self.add_active(rank, heartbeat, *missed, timing),
            Stage::Failed | Stage::Stopped => keep_earliest(&mut self.failed, rank, heartbeat),
            Stage::Left => keep_earliest(&mut self.left, rank, heartbeat),
        }
        match &mut self.fewest_entered {
            Some((entered, ranks)) if *entered == heartbeat.entered && ranks.len() < MAX_LATE => ranks.push(rank),
            Some((entered, _)) if *entered <= heartbeat.entered => {}
            fewest => *fewest = Some((heartbeat.entered, vec![rank])),
        }
    }

    fn add_active(&mut self, rank: usize, Heartbeat { completed, .. }: &Heartbeat, missed: u32, timing: Timing) {
        self.silent.push((rank, missed));
        self.silent.sort_by_key(|(_, missed)| Reverse(*missed));
        self.silent.truncate(MAX_SILENT);
        for (fewest, has_failed) in self.fewest_completed.iter_mut().zip([false, true]) {
            if missed < timing.max_missed_heartbeats(has_failed) {
                *fewest = Some(fewest.map_or(*completed, |fewest| fewest.min(*completed)));
            }
        }
    }

    /// Returns why a collective cannot complete, from the point of view of rank `own`; `max_missed` heartbeats are too
    /// many. A rank that sends none is blamed before those that failed because of it.
    pub fn failure_of(&self, own: usize, collective: u64, max_missed: u32) -> Option<Failure> {
        let silent = self.silent.iter().find(|(rank, missed)| *rank != own && *missed >= max_missed);
        if let Some((rank, _)) = silent {
            return Some(Failure::NoHeartbeat { rank: *rank });
        }
        let never_joins = |departed: &&Departed| departed.rank != own && departed.completed < collective;
        if let Some(Departed { rank, is_stopped, reason, .. }) = self.failed.as_ref().filter(never_joins) {
            let (rank, reason) = (*rank, reason.clone());
            return Some(if *is_stopped {
                Failure::Stopped { rank, reason }
            } else {
                Failure::Failed { rank, reason }
            });
        }
        self.left.as_ref().filter(never_joins).map(|departed| Failure::Left { rank: departed.rank })
    }

    /// Returns the ranks that have not entered a collective, as far as their numbers are known.
    pub fn late_ranks(&self, own: usize, collective: u64) -> Vec<usize> {
        let fewest = self.fewest_entered.iter().filter(|(entered, _)| *entered < collective);
        fewest.flat_map(|(_, ranks)| ranks.iter().copied()).filter(|rank| *rank != own).collect()
    }

    /// Returns whether an active rank has yet to complete a collective.
    pub fn is_pending(&self, collective: u64, has_failed: bool) -> bool {
        self.fewest_completed[usize::from(has_failed)].is_some_and(|completed| completed < collective)
    }

    /// Returns whether any rank is active.
    pub fn has_active(&self, has_failed: bool) -> bool {
        self.fewest_completed[usize::from(has_failed)].is_some()
    }
}

/// Keeps the process that completed fewer collectives, because the cause of a failure stops before the processes that
/// it affects.
fn keep_earliest(kept: &mut Option<Departed>, rank: usize, heartbeat: &Heartbeat) {
    if kept.as_ref().is_none_or(|kept| heartbeat.completed < kept.completed) {
        let (completed, reason) = (heartbeat.completed, heartbeat.reason.clone());
        *kept = Some(Departed { rank, completed, is_stopped: heartbeat.stage == Stage::Stopped, reason });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// 30 missed heartbeats are too many, or 5 after a failure.
    fn timing() -> Timing {
        Timing::new(Duration::from_secs(6))
    }

    fn observed(completed: u64, stage: Stage, missed: u32) -> Observed {
        let reason = match stage {
            Stage::Failed | Stage::Stopped => "the disk is full".to_owned(),
            Stage::Active | Stage::Left => String::new(),
        };
        let entered = completed + 1;
        Observed { heartbeat: Heartbeat { completed, entered, stage, reason, ..Heartbeat::default() }, missed }
    }

    fn summary(others: &[Observed]) -> Liveness {
        Liveness::of([0, 2, 3].into_iter().zip(others), timing())
    }

    /// Returns the failure of collective 5 as seen by rank 1.
    fn failure(others: [Observed; 2]) -> Option<Failure> {
        summary(&others).failure_of(1, 5, 30)
    }

    #[test]
    fn ranks_that_may_still_join_or_have_completed_are_not_lost() {
        assert_eq!(failure([observed(4, Stage::Active, 29), observed(3, Stage::Active, 0)]), None);
        assert_eq!(failure([observed(5, Stage::Left, 99), observed(5, Stage::Failed, 99)]), None);
    }

    #[test]
    fn a_rank_that_never_joins_is_named() {
        let active = |missed| observed(4, Stage::Active, missed);
        let gone = |stage| observed(4, stage, 0);
        assert_eq!(failure([active(0), gone(Stage::Left)]), Some(Failure::Left { rank: 2 }));
        let reason = "the disk is full".to_owned();
        let failed = Failure::Failed { rank: 0, reason: reason.clone() };
        assert_eq!(failure([gone(Stage::Failed), gone(Stage::Left)]), Some(failed));
        assert_eq!(failure([active(0), gone(Stage::Stopped)]), Some(Failure::Stopped { rank: 2, reason }));
        assert_eq!(failure([active(0), active(30)]), Some(Failure::NoHeartbeat { rank: 2 }));
        assert_eq!(failure([gone(Stage::Failed), active(31)]), Some(Failure::NoHeartbeat { rank: 2 }));
        assert_eq!(failure([active(32), active(31)]), Some(Failure::NoHeartbeat { rank: 0 }));
    }

    /// A process that was suspended reads that it is lost itself, and looks for others.
    #[test]
    fn no_rank_blames_itself() {
        let all = [40, 35, 0].map(|missed| observed(4, Stage::Active, missed));
        assert_eq!(summary(&all).failure_of(0, 5, 30), Some(Failure::NoHeartbeat { rank: 2 }));
        assert_eq!(summary(&all).failure_of(2, 5, 30), Some(Failure::NoHeartbeat { rank: 0 }));
        assert_eq!(summary(&all[1..]).failure_of(0, 5, 30), None);
    }

    #[test]
    fn the_first_failure_is_reported() {
        let all = [6, 3, 4].map(|completed| observed(completed, Stage::Failed, 0));
        let failed = Failure::Failed { rank: 2, reason: "the disk is full".to_owned() };
        assert_eq!(summary(&all).failure_of(1, 4, 30), Some(failed));
    }

    #[test]
    fn late_ranks_and_pending_collectives_are_known() {
        let all = [(4, 0), (6, 0), (4, 7)].map(|(completed, missed)| observed(completed, Stage::Active, missed));
        let liveness = summary(&all);
        let late = [(1, 6), (3, 6), (1, 5)].map(|(own, collective)| liveness.late_ranks(own, collective));
        assert_eq!(late, [vec![0, 3], vec![0], vec![]]);
        assert!(liveness.is_pending(5, false) && !liveness.is_pending(4, false) && liveness.has_active(true));
        let silent = Liveness::of([(2, &observed(4, Stage::Active, 7))], timing());
        assert!(silent.is_pending(5, false) && !silent.is_pending(5, true) && !silent.has_active(true));
    }

    /// Every rank reads it twice per second.
    #[test]
    fn it_does_not_grow_with_the_number_of_ranks() {
        let stage = |i: usize| if i.is_multiple_of(2) { Stage::Active } else { Stage::Left };
        let all: Vec<Observed> = (0..2000).map(|i| observed(4, stage(i), 9)).collect();
        assert!(Liveness::of(all.iter().enumerate(), timing()).to_bytes().unwrap().len() < 350);
    }
}
