//! Work done ahead of time on background threads, delivered in a fixed order.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use super::batch::Batch;
use crate::error::{Error, ErrorKind, Result, caught};

type Make<T> = Arc<dyn Fn(usize) -> Result<T> + Send + Sync>;

/// Items 0 to `count` in order, regardless of the number of threads that make them.
///
/// Worker w of W makes items w, w + W, w + 2W, and so on, and sends them to its own channel, which buffers `ahead` of
/// them. So at most W * (ahead + 1) items exist that have not been requested yet. Nothing follows an error.
struct Prefetch<T> {
    count: usize,
    next: usize,
    source: Source<T>,
}

enum Source<T> {
    Inline(Make<T>),
    Workers { channels: Vec<Receiver<Result<T>>>, threads: Vec<JoinHandle<()>> },
}

impl<T: Send + 'static> Prefetch<T> {
    fn start(count: usize, workers: usize, ahead: usize, make: Make<T>) -> Result<Self> {
        let workers = workers.min(count);
        if workers == 0 {
            return Ok(Self { count, next: 0, source: Source::Inline(make) });
        }
        let (mut channels, mut threads) = (Vec::new(), Vec::new());
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(ahead);
            let make = make.clone();
            let work = move || {
                for item in (worker..count).step_by(workers) {
                    let made = guarded(&make, item);
                    let last = made.is_err();
                    // Sending fails if the receiver is gone.
                    if sender.send(made).is_err() || last {
                        return;
                    }
                }
            };
            let thread = thread::Builder::new().name(format!("geolearn-loader-{worker}")).spawn(work);
            threads.push(thread.map_err(|e| Error::new(ErrorKind::Io, "loader thread cannot be started").because(e))?);
            channels.push(receiver);
        }
        Ok(Self { count, next: 0, source: Source::Workers { channels, threads } })
    }
}

/// Turns a panic in a decoder into an error of this item; it must not silently end hours of training.
fn guarded<T>(make: &Make<T>, item: usize) -> Result<T> {
    caught(|| make(item)).unwrap_or_else(|words| {
        Err(Error::new(ErrorKind::Format, format!("batch {item} cannot be made: the loader panicked")).found(words))
    })
}

impl<T> Iterator for Prefetch<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if self.next >= self.count {
            return None;
        }
        let made = match &self.source {
            Source::Inline(make) => guarded(make, self.next),
            Source::Workers { channels, .. } => {
                let worker = self.next % channels.len();
                let gone = |_| Err(Error::new(ErrorKind::Format, "the loader thread is gone"));
                channels[worker].recv().unwrap_or_else(gone)
            }
        };
        self.next = if made.is_ok() { self.next + 1 } else { self.count };
        Some(made)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count - self.next;
        (left, Some(left))
    }
}

impl<T> Drop for Prefetch<T> {
    /// Closing the channels wakes the workers; each one stops after the item that it is making.
    fn drop(&mut self) {
        if let Source::Workers { channels, threads } = &mut self.source {
            channels.clear();
            for thread in threads.drain(..) {
                // Panics were already caught in the worker.
                let _ = thread.join();
            }
        }
    }
}

/// The batches of one epoch, read and decoded ahead on background threads.
///
/// The order and the contents of the batches depend only on the seed and the epoch. A batch that cannot be read yields
/// an error that names the file, and ends the epoch. Dropping the loader early stops its threads.
///
/// ```
/// use geolearn::{DatasetType, PrepareData};
///
/// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).batch_size(4).prepare()?;
/// let mut loader = data.epoch(0)?;
/// assert_eq!(loader.len(), data.batches_per_epoch());
/// let batch = loader.next().unwrap()?;
/// assert_eq!(batch.a.size(), [4, 3, 64, 64]);
/// # Ok::<(), geolearn::Error>(())
/// ```
pub struct Loader(Prefetch<Batch>);

impl Loader {
    pub(super) fn start(
        batches: usize,
        workers: usize,
        ahead: usize,
        make: impl Fn(usize) -> Result<Batch> + Send + Sync + 'static,
    ) -> Result<Self> {
        Ok(Self(Prefetch::start(batches, workers, ahead, Arc::new(make))?))
    }
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Loader {}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loader({} batches left)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn start(
        count: usize,
        workers: usize,
        make: impl Fn(usize) -> Result<usize> + Send + Sync + 'static,
    ) -> Prefetch<usize> {
        Prefetch::start(count, workers, 2, Arc::new(make)).unwrap()
    }

    #[test]
    fn items_come_in_order_however_long_each_takes() {
        for workers in [0, 1, 3, 50] {
            let loader = start(20, workers, |item| {
                thread::sleep(Duration::from_micros((item * 7919 % 5) as u64 * 300));
                Ok(item)
            });
            let items: Vec<usize> = loader.map(Result::unwrap).collect();
            assert_eq!(items, (0..20).collect::<Vec<_>>(), "{workers} workers");
        }
    }

    #[test]
    fn an_error_comes_in_its_place_and_ends_the_epoch() {
        for workers in [0, 1, 3] {
            let make = |item| if item == 4 { Err(Error::new(ErrorKind::Format, "bad").at("x.png")) } else { Ok(item) };
            let results: Vec<_> = start(9, workers, make).collect();
            assert_eq!(results.len(), 5);
            assert!(results[..4].iter().all(Result::is_ok));
            assert_eq!(results[4].as_ref().unwrap_err().path(), Some("x.png".as_ref()));
        }
    }

    #[test]
    fn a_panic_comes_as_an_error() {
        for workers in [0, 2] {
            let results: Vec<_> =
                start(5, workers, |item| if item == 1 { panic!("decoder broke") } else { Ok(item) }).collect();
            assert_eq!(results.len(), 2);
            assert!(results[1].as_ref().unwrap_err().to_string().contains("decoder broke"));
        }
    }

    /// The number of items made ahead is bounded, and dropping the loader joins the threads: each thread has a clone of
    /// `made`.
    #[test]
    fn dropping_early_stops_the_workers() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = made.clone();
        let mut loader = start(10_000, 3, move |item| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(item)
        });
        assert_eq!(loader.next().unwrap().unwrap(), 0);
        thread::sleep(Duration::from_millis(50));
        assert!(made.load(Ordering::SeqCst) <= 3 * 3 + 1, "{made:?}");
        drop(loader);
        assert_eq!(Arc::strong_count(&made), 1);
    }
}
