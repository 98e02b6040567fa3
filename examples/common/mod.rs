//! What the examples share.

use geolearn::StopSignal;

/// The first Ctrl-C (or SIGTERM, as schedulers send it) ends the fit after its step; a second one ends the program.
pub fn stop_on_ctrl_c() -> Result<StopSignal, ctrlc::Error> {
    let signal = StopSignal::new();
    let handler = signal.clone();
    ctrlc::set_handler(move || {
        if handler.is_set() {
            std::process::exit(130);
        }
        eprintln!("\nStopping after this step; press Ctrl-C again to end at once.");
        handler.stop();
    })?;
    Ok(signal)
}
