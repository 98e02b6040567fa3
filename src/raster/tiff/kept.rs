//! A cache of decoded blocks for the next part of an image.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most recently used blocks: up to a number of bytes, or a single block that is larger.
#[derive(Default)]
pub(super) struct Kept {
    /// From the least to the most recently used.
    blocks: Mutex<Vec<(usize, Arc<Vec<u8>>)>>,
}

impl Kept {
    /// Memory for blocks that are smaller than this.
    pub const BYTES: usize = 16 << 20;

    pub fn get(&self, index: usize) -> Option<Arc<Vec<u8>>> {
        let mut blocks = self.lock();
        let position = blocks.iter().position(|(kept, _)| *kept == index)?;
        let found = blocks.remove(position);
        let samples = found.1.clone();
        blocks.push(found);
        Some(samples)
    }

    pub fn keep(&self, index: usize, samples: Arc<Vec<u8>>) {
        let mut blocks = self.lock();
        blocks.retain(|(kept, _)| *kept != index);
        blocks.push((index, samples));
        while blocks.len() > 1 && blocks.iter().map(|(_, samples)| samples.len()).sum::<usize>() > Self::BYTES {
            blocks.remove(0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(usize, Arc<Vec<u8>>)>> {
        // The contents are consistent even after a panic in another thread.
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_used_last_are_kept() {
        let kept = Kept::default();
        let block = |mebibytes: usize| Arc::new(vec![0; mebibytes << 20]);
        (0..3).for_each(|index| kept.keep(index, block(5)));
        assert!(kept.get(0).is_some());
        kept.keep(3, block(5));
        let are_kept = [0, 1, 2, 3].map(|index| kept.get(index).is_some());
        assert_eq!(are_kept, [true, false, true, true]);
        kept.keep(4, block(20));
        assert!(kept.get(4).is_some() && kept.get(3).is_none());
    }
}
