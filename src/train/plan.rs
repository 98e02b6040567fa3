//! The options of a fit on which its weights depend.

use serde::{Deserialize, Serialize};

use crate::dataset::DataBunch;
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::optim::{AdamOptions, OneCycle, Schedule};
use crate::peers::Part;
use crate::stored::known_fields;

/// Represents a learning rate that has to be found.
pub(super) const TO_BE_FOUND: f64 = 0.0;

/// What must be the same for a fit to resume from a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// All epochs, including those of the decay.
    pub epochs: usize,
    pub lr: f64,
    /// Whether a sweep finds the rate, or has found it; omitted if it was given, as in files from before there was a
    /// choice.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_lr_found: bool,
    #[serde(with = "StoredSchedule")]
    pub schedule: Schedule,
    #[serde(deserialize_with = "known_fields")]
    pub adam: AdamOptions,
    pub precision: Precision,
    /// Batches whose gradients make one update.
    pub accumulate: usize,
    /// The discriminators' rate as a multiple of the generators'; omitted if it is 1, as in files from before there was
    /// one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub disc_lr_ratio: f64,
}

/// A [`Schedule`] in a file that another release may have written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Schedule", rename_all = "snake_case")]
enum StoredSchedule {
    Constant,
    ConstantThenLinear { constant: f64 },
    OneCycle(#[serde(deserialize_with = "known_fields")] OneCycle),
}

fn is_false(value: &bool) -> bool {
    !value
}

fn one() -> f64 {
    1.0
}

fn is_one(value: &f64) -> bool {
    *value == one()
}

/// Position of a step within a group of accumulated ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AccumulationStep {
    /// Share of the images of all processes.
    pub share: f64,
    pub update: bool,
}

impl Plan {
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &str| Error::new(ErrorKind::Usage, what);
        if self.epochs == 0 {
            return Err(wrong("number of epochs is out of range").expected("1 or more").found(0));
        }
        let is_rate = self.lr > 0.0 && self.lr.is_finite();
        if !(is_rate || self.is_to_be_found()) {
            return Err(wrong("learning rate is out of range").expected("a positive number").found(self.lr));
        }
        if !(self.disc_lr_ratio > 0.0 && self.disc_lr_ratio.is_finite()) {
            return Err(wrong("disc_lr_ratio is out of range").expected("a positive number").found(self.disc_lr_ratio));
        }
        if self.accumulate == 0 {
            return Err(wrong("number of batches in an update is out of range").expected("1 or more").found(0));
        }
        self.schedule.check()?;
        self.adam.check()
    }

    /// Returns the rate that a sweep found.
    pub fn lr_found(&self) -> Option<f64> {
        Some(self.lr).filter(|_| self.is_lr_found && !self.is_to_be_found())
    }

    /// Returns whether the rate still has to be found.
    pub fn is_to_be_found(&self) -> bool {
        self.is_lr_found && self.lr == TO_BE_FOUND
    }

    /// Returns learning rate and Adam options of step `step` of `steps`.
    pub(crate) fn rate(&self, step: usize, steps: usize) -> (f64, AdamOptions) {
        let rate = self.schedule.at_step(step as u64, steps as u64);
        (self.lr * rate.factor, AdamOptions { beta1: rate.beta1.unwrap_or(self.adam.beta1), ..self.adam })
    }

    /// Returns the position of batch `batch` of an epoch. Groups start with the epoch; the last group may have fewer
    /// batches, and the last batch fewer chips. The share is that of this process's part.
    pub(super) fn accumulation_step(&self, batch: usize, data: &DataBunch, part: Part) -> AccumulationStep {
        let AccumulationStep { share, update } =
            accumulation_step(self.accumulate, batch, data.joint_batch_size(part), data.draws());
        match part.is_whole() {
            true => AccumulationStep { share, update },
            false => AccumulationStep { share: share * data.portion(part, batch).weight(), update },
        }
    }
}

/// Returns the position of batch `batch` if an epoch has `chips` in batches of `batch_size`; each chip of a group has
/// the same share.
fn accumulation_step(accumulate: usize, batch: usize, batch_size: usize, chips: usize) -> AccumulationStep {
    let begin = batch / accumulate * accumulate;
    let chips_from = |batch: usize| chips.saturating_sub(batch.saturating_mul(batch_size));
    let in_group = chips_from(begin).min(accumulate.saturating_mul(batch_size)).max(1);
    let own = chips_from(batch).min(batch_size);
    let last = chips_from(batch + 1) == 0 || batch + 1 == begin.saturating_add(accumulate);
    AccumulationStep { share: own as f64 / in_group as f64, update: last }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(accumulate: usize) -> Plan {
        Plan {
            epochs: 1,
            lr: 1e-3,
            is_lr_found: false,
            schedule: Schedule::Constant,
            adam: AdamOptions::default(),
            precision: Precision::F32,
            accumulate,
            disc_lr_ratio: 1.0,
        }
    }

    /// A fit with one rate is written as before there were two, and an older checkpoint belongs to such a fit.
    #[test]
    fn one_rate_for_all_is_not_written() {
        let json = serde_json::to_value(plan(1)).unwrap();
        assert!(json.get("disc_lr_ratio").is_none() && json.get("is_lr_found").is_none());
        assert_eq!(serde_json::from_value::<Plan>(json).unwrap(), plan(1));
        let two = Plan { disc_lr_ratio: 0.5, ..plan(1) };
        let json = serde_json::to_value(&two).unwrap();
        assert_eq!(json["disc_lr_ratio"], 0.5);
        assert_eq!(serde_json::from_value::<Plan>(json).unwrap(), two);
    }

    /// The options of a fit refuse unknown fields as typing errors, but a checkpoint may hold fields that a later
    /// release added.
    #[test]
    fn fields_of_later_releases_are_passed_over() {
        let cycle = OneCycle { rise: 0.2, ..OneCycle::default() };
        for schedule in [Schedule::Constant, Schedule::ConstantThenLinear { constant: 0.25 }, Schedule::OneCycle(cycle)]
        {
            let expected = Plan { schedule, ..plan(2) };
            let mut json = serde_json::to_value(&expected).unwrap();
            assert_eq!(json["schedule"], serde_json::to_value(schedule).unwrap());
            json["added_later"] = true.into();
            json["adam"]["added_later"] = 0.5.into();
            for variant in ["constant_then_linear", "one_cycle"] {
                if let Some(fields) = json["schedule"].get_mut(variant) {
                    fields["added_later"] = 0.5.into();
                }
            }
            assert_eq!(serde_json::from_value::<Plan>(json).unwrap(), expected);
        }
    }

    #[test]
    fn the_last_group_of_an_epoch_may_be_smaller() {
        let turns: Vec<AccumulationStep> = (0..5).map(|batch| accumulation_step(3, batch, 1, 5)).collect();
        let shares: Vec<f64> = turns.iter().map(|accumulation_step| accumulation_step.share).collect();
        assert_eq!(shares, [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.5, 0.5]);
        assert_eq!(
            turns.iter().map(|accumulation_step| accumulation_step.update).collect::<Vec<_>>(),
            [false, false, true, false, true]
        );
        assert_eq!(accumulation_step(1, 4, 1, 5), AccumulationStep { share: 1.0, update: true });
    }

    /// Seven chips in batches of two, two of which make an update: the last update has two chips and one.
    #[test]
    fn each_chip_of_an_update_counts_the_same() {
        let turns: Vec<AccumulationStep> = (0..4).map(|batch| accumulation_step(2, batch, 2, 7)).collect();
        assert_eq!(
            turns.iter().map(|accumulation_step| accumulation_step.share).collect::<Vec<_>>(),
            [0.5, 0.5, 2.0 / 3.0, 1.0 / 3.0]
        );
        assert_eq!(
            turns.iter().map(|accumulation_step| accumulation_step.update).collect::<Vec<_>>(),
            [false, true, false, true]
        );
        assert_eq!(accumulation_step(1, 3, 2, 7), AccumulationStep { share: 1.0, update: true });
        assert!(accumulation_step(usize::MAX, 3, 2, 7).update);
    }

    #[test]
    fn beta1_is_adams_own_unless_the_schedule_sets_it() {
        assert_eq!(plan(1).rate(0, 10).1.beta1, 0.5);
        let cycle = Plan { schedule: Schedule::OneCycle(Default::default()), ..plan(1) };
        assert_eq!(cycle.rate(0, 10).1.beta1, 0.95);
    }
}
