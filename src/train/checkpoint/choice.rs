//! The choice of which states of a fit are kept.

/// Which states of a fit are kept on disk.
///
/// In every case, `last.safetensors` is the newest state, from which a fit resumes. Each file holds everything: the
/// networks, the moments of Adam, the pools of generated images, the history, the position in the schedule and in the
/// epoch, the options, and the seeds of all random streams. A file is written under a temporary name, synced and
/// renamed, so files under their final names are complete.
///
/// ```no_run
/// use geolearn::train::Checkpoint;
/// use geolearn::{CycleGan, DatasetType, FitOptions, prepare_data};
///
/// let data = prepare_data("chips/", DatasetType::CycleGan)?;
/// let mut model = CycleGan::new(&data)?;
/// // Run the same program again after a kill, and it goes on where it was.
/// model.fit(FitOptions::new(200).checkpoint(Checkpoint::Best).checkpoint_dir("run1").resume(true))?;
/// let best = CycleGan::from_checkpoint("run1/best.safetensors", &data)?;
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checkpoint {
    /// No checkpoints. The default.
    #[default]
    Off,
    /// The newest state, and the one with the best monitor as `best.safetensors`.
    Best,
    /// The newest state only.
    Last,
    /// The state of each epoch as `epoch_0001.safetensors` and so on, the best and the newest.
    All,
}

impl Checkpoint {
    /// Returns whether this choice uses the monitor.
    pub(in crate::train) fn watches(self) -> bool {
        matches!(self, Self::Best | Self::All)
    }
}
