//! Stops of fits by several processes, with threads for processes: all end after the same step.

use super::peers_tests::{At, Brightness, Follower, Left, chips, data, together};
use super::{EarlyStopping, Flow, StopSignal};

/// All processes have ended without an error and with the same record.
fn check_alike(left: &[Left]) {
    assert!(left.iter().all(|other| other.result.is_ok() && other.is_like(&left[0])), "{left:?}");
}

#[test]
fn a_stop_of_one_is_one_of_all() {
    let chips = chips();
    let all_steps = data(chips.path(), 3).batches_per_epoch() as u64 * 4;
    for asked in 0..3 {
        let left = together(chips.path(), (3, 1), |rank, model, options| {
            (model, options.callback(Follower::new(if rank == asked { 9 } else { usize::MAX })))
        });
        let steps = left[0].history.steps();
        assert!((1..all_steps).contains(&steps), "{steps} steps, where process {asked} was asked");
        check_alike(&left);
    }
    let left = together(chips.path(), (3, 1), |_, model, options| (model, options.callback(At(7, || Ok(Flow::Stop)))));
    assert!(left.iter().all(|left| left.result.is_ok() && left.history.steps() == 7), "{left:?}");
}

/// The epoch that is validated is the last.
#[test]
fn a_stop_within_a_validation_is_one_of_all() {
    let chips = chips();
    for asked in 0..3 {
        let left = together(chips.path(), (3, 1), |rank, model, options| {
            let signal = StopSignal::new();
            let stops = (rank == asked).then(|| signal.clone());
            (Brightness { stops, ..model }, options.callback(signal))
        });
        let steps = data(chips.path(), 3).batches_per_epoch() as u64;
        assert_eq!((left[0].history.epochs().len(), left[0].history.steps()), (1, steps), "process {asked}");
        check_alike(&left);
    }
}

/// Before the first step, as by a signal while the data are prepared.
#[test]
fn a_stop_before_the_fit_is_one_of_all() {
    let chips = chips();
    for asked in 0..3 {
        let left = together(chips.path(), (3, 1), |rank, model, options| {
            let signal = StopSignal::new();
            if rank == asked {
                signal.stop();
            }
            (model, options.callback(signal))
        });
        assert_eq!(left[0].history.steps(), 0, "process {asked}");
        check_alike(&left);
    }
}

/// The metric is the brightness of the chips, which does not get better.
#[test]
fn early_stopping_ends_all_after_the_same_epoch() {
    let chips = chips();
    let options =
        |options: super::FitOptions| options.monitor("valid_mean").early_stopping(EarlyStopping::default().patience(2));
    for (count, size) in [(1, 4), (2, 2), (4, 1)] {
        let left = together(chips.path(), (count, size), |_, model, own| (model, options(own)));
        assert_eq!(left[0].history.epochs().len(), 3, "{count} processes");
        check_alike(&left);
    }
}
