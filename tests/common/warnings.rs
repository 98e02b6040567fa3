//! Captures warnings.

#[path = "events.rs"]
mod events;

use tracing::Level;

/// Returns the result of `work`, and the warnings on the current thread.
pub fn warnings<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let (made, events) = events::events(Level::WARN, work);
    let text = |fields: &events::Fields| fields.iter().map(|(name, value)| format!("{name}: {value} ")).collect();
    (made, events.iter().map(text).collect())
}
