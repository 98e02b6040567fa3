//! Switches that the environment turns off.

/// Returns false where the variable of this name is `0`, and true without it or where it is `1`. Any other value is told and
/// counts as `1`.
pub(crate) fn is_switched_on(name: &str) -> bool {
    match std::env::var(name).as_deref() {
        Ok("0") => false,
        Ok("1") | Err(_) => true,
        Ok(other) => {
            tracing::warn!(value = other, "{name} is neither 0 nor 1, and is taken for 1");
            true
        }
    }
}
