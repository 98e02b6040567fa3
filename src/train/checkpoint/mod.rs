//! States of a fit on disk: which are kept, where, and how a fit goes on from one.

mod callback;
mod file;
mod folder;

pub(super) use callback::{Checkpoints, NoteReported};
pub(super) use file::Contents;
pub(crate) use file::read as read_checkpoint;
pub(super) use folder::Folder;

/// Which states of a fit are kept on disk.
///
/// Whatever is kept, `last.safetensors` is the newest state; a fit resumes from it. Each file holds everything: the
/// networks, the moments of Adam, the pools of generated images, the history, the place in the schedule and in the
/// epoch, the options, and the seeds from which all random streams follow. A file is written beside its place, synced
/// and renamed, so what bears a final name is whole.
///
/// ```no_run
/// use geolearn::{Checkpoint, CycleGan, DatasetType, FitOptions, prepare_data};
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
    pub(super) fn watches(self) -> bool {
        matches!(self, Self::Best | Self::All)
    }
}

/// Whether the last of these values, of which lower ones are better, is the lowest and the first to be so low.
fn last_is_best(values: &[f64]) -> bool {
    let Some((last, before)) = values.split_last() else {
        return false;
    };
    before.iter().all(|value| last < value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_first_of_the_lowest() {
        assert!(last_is_best(&[3.0]));
        assert!(last_is_best(&[3.0, 2.0]));
        assert!(!last_is_best(&[2.0, 2.0]));
        assert!(!last_is_best(&[2.0, 3.0]));
        assert!(!last_is_best(&[]));
    }
}
