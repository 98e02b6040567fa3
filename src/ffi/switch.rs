//! On/off switches in environment variables.

/// Returns false if the variable is `0`, and true if it is unset or `1`. Any other value is reported and treated as
/// `1`.
pub(crate) fn is_switched_on(name: &str) -> bool {
    match std::env::var(name).as_deref() {
        Ok("0") => false,
        Ok("1") | Err(_) => true,
        Ok(other) => {
            tracing::warn!(value = other, "{name} is neither 0 nor 1; using 1");
            true
        }
    }
}
