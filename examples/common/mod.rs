//! What the examples share.

use geolearn::train::StopSignal;

/// The first Ctrl-C (or SIGTERM, as schedulers send it) ends the work after the step or tile that is under way; a second
/// one ends the program.
pub fn stop_on_ctrl_c() -> Result<StopSignal, ctrlc::Error> {
    let signal = StopSignal::new();
    let handler = signal.clone();
    ctrlc::set_handler(move || {
        if handler.is_set() {
            std::process::exit(130);
        }
        eprintln!("\nStopping in good order; press Ctrl-C again to end at once.");
        handler.stop();
    })?;
    Ok(signal)
}
