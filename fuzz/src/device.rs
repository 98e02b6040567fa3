//! What readers ask of the machine.

/// Nothing is known of it here.
pub(crate) fn available_memory() -> Option<u64> {
    None
}
