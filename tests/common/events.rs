//! Captures `tracing` events.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::Field;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Names and values of an event's fields, in order.
pub type Fields = Vec<(String, String)>;

/// Records the events of one level.
#[derive(Clone)]
struct Listener {
    level: Level,
    events: Arc<Mutex<Vec<Fields>>>,
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == self.level
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut |field: &Field, value: &dyn Debug| {
            fields.push((field.name().to_owned(), format!("{value:?}")));
        });
        self.events.lock().unwrap().push(fields);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Returns the result of `work`, and the events of this level on the current thread.
pub fn events<T>(level: Level, work: impl FnOnce() -> T) -> (T, Vec<Fields>) {
    let listener = Listener { level, events: Arc::default() };
    let made = tracing::subscriber::with_default(listener.clone(), work);
    let events = listener.events.lock().unwrap().clone();
    (made, events)
}
