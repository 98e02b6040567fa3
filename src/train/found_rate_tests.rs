//! Fits that find their learning rate, with threads standing in for processes.

use super::peers_tests::{Brightness, FitResult, Follower, chips, data, quiet, together};
use super::{LearningRate, LrFindOptions, lr_find};
use crate::error::ErrorKind;
use crate::testing::Tolerance;

fn found(left: &FitResult) -> f64 {
    left.history.epochs()[0].lr_found.unwrap()
}

/// Processes sweep over the batches of one process with as many chips, so they find the same rate.
#[test]
fn processes_find_the_rate_of_one_process() {
    let chips = chips();
    for (count, size) in [(2, 2), (4, 1), (3, 2)] {
        let whole = data(chips.path(), count * size);
        let options = LrFindOptions::default().progress(false);
        let curve = lr_find(&mut Brightness::new(), &whole, 0, options).unwrap();
        let one = FitResult::of(Brightness::new(), &whole, quiet(4).lr(LearningRate::Find));
        assert_eq!(Some(found(&one)), curve.suggestion());
        for left in together(chips.path(), (count, size), |_, model, options| (model, options.lr(LearningRate::Find))) {
            assert_eq!(found(&left), found(&one));
            // Sums over processes have another order than sums over a batch.
            Tolerance::abs(1e-12).number("weights", left.value, one.value);
        }
    }
}

/// Losses that are NaN from the start suggest nothing.
#[test]
fn a_fit_without_a_suggestion_is_refused_and_changes_nothing() {
    let chips = chips();
    for count in [1, 2] {
        let left = together(chips.path(), (count, 2), |_, model, options| {
            (Brightness { spoils: |_| true, ..model }, options.lr(LearningRate::Find))
        });
        for left in left {
            assert_eq!((left.kind(), left.value, left.history.epochs().len()), (ErrorKind::Usage, 0.25, 0));
            let text = left.result.unwrap_err().to_string();
            assert!(text.contains("suggests no rate") && text.contains("lr(2e-4)"), "{text}");
        }
    }
}

/// Whichever process is asked to stop, all end their sweep.
#[test]
fn a_sweep_can_be_stopped() {
    let chips = chips();
    for (count, asked) in [(1, 0), (2, 0), (2, 1)] {
        let left = together(chips.path(), (count, 2), |rank, model, options| {
            let follower = Follower::new(if rank == asked { 5 } else { usize::MAX });
            (model, options.lr(LearningRate::Find).callback(follower))
        });
        for left in left {
            assert_eq!((left.kind(), left.value, left.history.epochs().len()), (ErrorKind::Stopped, 0.25, 0));
        }
    }
}
