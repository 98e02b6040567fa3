//! Stub of the machine facts that readers query.

/// Reports nothing.
pub(crate) fn available_memory() -> Option<u64> {
    None
}
