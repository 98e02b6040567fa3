//! On/off switches in environment variables.

/// Returns false if the variable is `0`, true if it is `1`, and `default` if it is unset. Any other value is reported
/// and treated as unset.
pub(crate) fn is_switched_on(name: &str, default: bool) -> bool {
    match std::env::var(name).as_deref() {
        Ok("0") => false,
        Ok("1") => true,
        Err(_) => default,
        Ok(other) => {
            tracing::warn!(value = other, "{name} is neither 0 nor 1; using {}", u8::from(default));
            default
        }
    }
}
