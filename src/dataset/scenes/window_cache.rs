//! A cache of windows that were decoded together and wait for use.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::raster::Raster;

/// Decoded groups of windows, each window to be taken once. The number of groups is limited. Shared by the workers.
pub(super) struct WindowCache {
    most: usize,
    /// In the order in which they were requested.
    groups: Mutex<VecDeque<(usize, Arc<Mutex<GroupWindows>>)>>,
}

/// The remaining windows of a group; `None` before it is read.
type GroupWindows = Option<Vec<Option<Raster>>>;

impl WindowCache {
    /// Creates a cache of `most` groups; a group in use may exceed the limit.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), groups: Mutex::default() }
    }

    /// Takes a window of a group, which is read if it is not cached. Requests for other windows of the group wait
    /// meanwhile.
    ///
    /// # Errors
    /// Errors of `read`; `Usage` if the group has no such window.
    pub fn take(&self, group: usize, index: usize, read: impl Fn() -> Result<Vec<Raster>>) -> Result<Raster> {
        let found = self.find(group);
        let mut windows = lock(&found);
        // Read again if the window was taken before, or its group was evicted.
        if windows.as_ref().and_then(|windows| windows.get(index)).is_none_or(Option::is_none) {
            *windows = Some(read()?.into_iter().map(Some).collect());
        }
        let left = windows.get_or_insert_default();
        let taken = left.get_mut(index).and_then(Option::take);
        if left.iter().all(Option::is_none) {
            self.remove(group);
        }
        taken
            .ok_or_else(|| Error::new(ErrorKind::Usage, "a group of windows has no window of this number").found(index))
    }

    fn find(&self, group: usize) -> Arc<Mutex<GroupWindows>> {
        let mut groups = lock(&self.groups);
        if let Some((_, found)) = groups.iter().find(|(number, _)| *number == group) {
            return found.clone();
        }
        while groups.len() >= self.most {
            groups.pop_front();
        }
        let made = Arc::default();
        groups.push_back((group, Arc::clone(&made)));
        made
    }

    fn remove(&self, group: usize) {
        lock(&self.groups).retain(|(number, _)| *number != group);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // The contents are consistent even after a panic in another thread.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use ndarray::Array3;

    use super::*;

    fn windows(group: usize) -> Result<Vec<Raster>> {
        (0..3).map(|index| Raster::new(Array3::from_elem((1, 1, 1), (10 * group + index) as u8))).collect()
    }

    fn value(raster: Raster) -> usize {
        raster.samples().to_f32()[[0, 0, 0]] as usize
    }

    #[test]
    fn a_group_is_read_once_and_goes_when_it_is_used_up() {
        let (cache, reads) = (WindowCache::new(2), Cell::new(0));
        let take = |group, index| {
            let read = || {
                reads.set(reads.get() + 1);
                windows(group)
            };
            value(cache.take(group, index, read).unwrap())
        };
        assert_eq!([take(4, 2), take(7, 0), take(4, 0), take(7, 1), take(4, 1), take(7, 2)], [42, 70, 40, 71, 41, 72]);
        assert_eq!((reads.get(), lock(&cache.groups).len()), (2, 0));
        // The third group evicts the first.
        assert_eq!([take(1, 0), take(2, 0), take(3, 0), take(1, 1), take(1, 0)], [10, 20, 30, 11, 10]);
        assert_eq!((reads.get(), lock(&cache.groups).len()), (6, 2));
    }

    #[test]
    fn errors_are_told_and_leave_nothing() {
        let cache = WindowCache::new(2);
        let refuse = || Err(Error::new(ErrorKind::Io, "gone"));
        assert_eq!(cache.take(0, 0, refuse).unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(cache.take(0, 3, || windows(0)).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(value(cache.take(0, 1, || windows(0)).unwrap()), 1);
    }
}
