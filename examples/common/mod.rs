//! Code shared by the examples.

use geolearn::train::StopSignal;

/// Stops the work after the current step or tile on the first Ctrl-C (or SIGTERM, which schedulers send), and exits the
/// program on the second.
pub fn stop_on_ctrl_c() -> Result<StopSignal, ctrlc::Error> {
    let signal = StopSignal::new();
    let handler = signal.clone();
    ctrlc::set_handler(move || {
        if handler.is_set() {
            std::process::exit(130);
        }
        eprintln!("\nStopping after the current step or tile; press Ctrl-C again to quit immediately.");
        handler.stop();
    })?;
    Ok(signal)
}
