//! How a caller follows and ends long work: a stop signal, progress on standard error, and an observer of progress.

use crate::progress::Observer;
use crate::stop::StopSignal;

/// What a caller asked for to follow and end a piece of work. [`control_setters`] writes the setters.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub stop: Option<StopSignal>,
    /// Whether progress is shown on standard error.
    pub progress: bool,
    pub observer: Option<Observer>,
}

impl Default for Control {
    fn default() -> Self {
        Self { stop: None, progress: true, observer: None }
    }
}

impl Control {
    /// Returns whether the caller asked the work to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(StopSignal::is_set)
    }

    /// Tells the observer, if there is one, that `done` of `total` is done.
    pub fn tell(&self, done: u64, total: u64) {
        if let Some(observer) = &self.observer {
            observer.tell(done, total);
        }
    }
}

/// Writes the setters of a type with a field `control`. Each name comes with its documentation, since what ends, and what
/// is counted, differs between types.
macro_rules! control_setters {
    (
        $(#[$stop:meta])* stop_signal,
        $(#[$progress:meta])* progress,
        $(#[$observer:meta])* on_progress $(,)?
    ) => {
        $(#[$stop])*
        pub fn stop_signal(mut self, signal: $crate::stop::StopSignal) -> Self {
            self.control.stop = Some(signal);
            self
        }

        $(#[$progress])*
        pub fn progress(mut self, on: bool) -> Self {
            self.control.progress = on;
            self
        }

        $(#[$observer])*
        pub fn on_progress(mut self, tell: impl FnMut(f64) + Send + 'static) -> Self {
            self.control.observer = Some($crate::progress::Observer::new(tell));
            self
        }
    };
}

pub(crate) use control_setters;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[derive(Default)]
    struct Options {
        control: Control,
    }

    impl Options {
        control_setters! {
            stop_signal,
            progress,
            on_progress,
        }
    }

    #[test]
    fn setters_reach_the_work() {
        let (signal, (told, shares)) = (StopSignal::new(), mpsc::channel());
        let observer = move |share| told.send(share).unwrap();
        let control = Options::default().progress(false).stop_signal(signal.clone()).on_progress(observer).control;
        assert!(!control.progress && !control.is_stopped());
        signal.stop();
        control.tell(1, 4);
        assert!(control.is_stopped());
        assert_eq!(shares.try_iter().collect::<Vec<_>>(), [0.25]);
    }

    #[test]
    fn without_setters_progress_is_shown_and_nothing_stops() {
        let control = Control::default();
        control.tell(1, 1);
        assert!(control.progress && !control.is_stopped());
    }
}
