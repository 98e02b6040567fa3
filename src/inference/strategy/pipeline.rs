//! The pipeline: the next part is read and the last one written while the network works.

use std::ops::{AddAssign, Range};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Strategy;
use super::piece_sink::PieceSink;
use super::progress::Progress;
use crate::error::{Error, ErrorKind, Result};
use crate::inference::tiling::Steps;
use crate::raster::{Raster, Samples, Source};

/// Times of reading, translating and writing, which run in parallel, so their sum may exceed the elapsed time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub read: Duration,
    pub network: Duration,
    pub write: Duration,
}

impl AddAssign for Times {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.network += other.network;
        self.write += other.write;
    }
}

/// Runs these steps of `strategy`.
///
/// # Errors
/// The first error of reading, translating or writing. The sink is complete only if there was none.
pub(crate) fn run(
    source: &Source,
    strategy: &mut dyn Strategy,
    wanted: Range<usize>,
    progress: &mut Progress,
    sink: &mut dyn PieceSink,
) -> Result<Times> {
    let (skip, end) = (wanted.start, wanted.end);
    let first = skip.saturating_sub(strategy.warm_up());
    let (steps, to_read) = (strategy.steps(), strategy.steps());
    thread::scope(|scope| {
        // Without buffers, each side holds one piece, so there are at most two of each.
        let (seen, to_translate) = sync_channel(0);
        let (made, to_write) = sync_channel(0);
        let reader = scope.spawn(move || read(source, (first..end, to_read.as_ref()), &seen));
        let writer = scope.spawn(move || write(&to_write, sink));
        let network = translate(strategy, (skip, steps.as_ref()), progress, &to_translate, &made);
        // The other sides end when their channels are closed.
        drop((to_translate, made));
        let read = reader.join().unwrap_or_else(|_| Err(ended("reading")));
        let write = writer.join().unwrap_or_else(|_| Err(ended("writing")));
        // A side that found its channel closed does not report that: the one that closed it has the reason.
        Ok(Times { write: write?, read: read?, network: network? })
    })
}

/// The index of a step, and the part of the image that it reads.
type Seen = (usize, Raster);
/// The row and column at which a piece starts, and the piece.
type Made = ((usize, usize), Samples);

fn read(source: &Source, (wanted, steps): (Range<usize>, &dyn Steps), seen: &SyncSender<Seen>) -> Result<Duration> {
    let mut time = Duration::ZERO;
    for index in wanted {
        let part = steps.reads(index);
        let start = Instant::now();
        let image = source.window(part.rows.start, part.columns.start, part.rows.len(), part.columns.len())?;
        time += start.elapsed();
        if seen.send((index, image)).is_err() {
            break;
        }
    }
    Ok(time)
}

fn translate(
    strategy: &mut dyn Strategy,
    (skip, steps): (usize, &dyn Steps),
    progress: &mut Progress,
    seen: &Receiver<Seen>,
    made: &SyncSender<Made>,
) -> Result<Duration> {
    let mut time = Duration::ZERO;
    while let Ok((index, image)) = seen.recv() {
        let start = Instant::now();
        let piece = strategy.make(index, &image, progress)?;
        time += start.elapsed();
        // Steps before `skip` are repeated only because later ones need them.
        if let Some(piece) = piece.filter(|_| index >= skip)
            && made.send((steps.makes(index).corner(), piece)).is_err()
        {
            break;
        }
    }
    Ok(time)
}

fn write(made: &Receiver<Made>, sink: &mut dyn PieceSink) -> Result<Duration> {
    let mut time = Duration::ZERO;
    while let Ok((corner, piece)) = made.recv() {
        let start = Instant::now();
        sink.put(corner, &piece)?;
        time += start.elapsed();
    }
    Ok(time)
}

fn ended(what: &str) -> Error {
    Error::new(ErrorKind::Io, format!("{what} ended unexpectedly")).help("Please report this with the file.")
}
