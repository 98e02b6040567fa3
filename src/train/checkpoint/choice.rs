//! Which states of a fit are kept.

/// Which states of a fit are kept on disk.
///
/// Whatever is kept, `last.safetensors` is the newest state; a fit resumes from it. Each file holds everything: the
/// networks, the moments of Adam, the pools of generated images, the history, the place in the schedule and in the
/// epoch, the options, and the seeds from which all random streams follow. A file is written beside its place, synced
/// and renamed, so what bears a final name is whole.
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
    /// None. The default: nothing is written unless it is asked for.
    #[default]
    Off,
    /// The newest, and as `best.safetensors` the one with the best monitor.
    Best,
    /// The newest only.
    Last,
    /// Each epoch's as `epoch_0001.safetensors` and so on, the best and the newest.
    All,
}

impl Checkpoint {
    /// Whether it looks at the monitor.
    pub(in crate::train) fn watches(self) -> bool {
        matches!(self, Self::Best | Self::All)
    }
}
