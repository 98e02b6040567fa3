//! Environment variables, the only way to set some options of libtorch and its libraries.

use std::env;

/// Sets these variables to `value`, unless another thread is running that could access the environment meanwhile.
/// Returns whether it did.
pub(super) fn set_where_alone(names: &[&str], value: &str) -> bool {
    if !is_only_thread() {
        return false;
    }
    for name in names {
        // SAFETY: this is the only thread of the process, and it starts no other within the call; so nobody reads or writes
        // the environment meanwhile.
        unsafe { env::set_var(name, value) };
    }
    true
}

/// Returns whether the process has no other thread; false if the kernel does not say.
fn is_only_thread() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_set_beside_another_thread() {
        const NAME: &str = "GEOLEARN_TEST_NEVER_SET";
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || ended.recv());
        assert!(!set_where_alone(&[NAME], "1") && env::var_os(NAME).is_none());
        drop(end);
        assert!(other.join().unwrap().is_err());
    }
}
