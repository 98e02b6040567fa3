//! An image from top to bottom: the next part is read and the last one written while the network works.

use std::ops::{AddAssign, Range};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::progress::Watch;
use super::sink::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Raster, Samples, Source};

/// Rows and columns of an image.
pub(crate) type Area = (Range<usize>, Range<usize>);

/// Of the borders of tiles along a side, as many are told.
pub(crate) const MOST_BORDERS: usize = 1 << 16;

/// Rows and columns of an output at which a tile begins, but for its own edges: where seams would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Borders {
    pub rows: Vec<usize>,
    pub columns: Vec<usize>,
}

/// What there is to do, step by step.
pub(crate) trait Steps: Send {
    fn count(&self) -> usize;

    /// Rows and columns of the image that a step has to see.
    fn reads(&self, index: usize) -> Area;

    /// Rows and columns of the output that a step completes, from the top to the bottom and each row of them from the
    /// left to the right; there may be none.
    fn makes(&self, index: usize) -> Area;
}

/// Makes pieces of the output from parts of the image, in the order that it asks for.
pub(crate) trait Pass {
    fn steps(&self) -> Box<dyn Steps>;

    fn borders(&self) -> Borders;

    /// How many steps before another one have to be done again when the work begins with it.
    fn warm_up(&self) -> usize {
        0
    }

    /// The next piece of the output, which there may not be, from what step `index` sees. Tells `watch` how many
    /// pixels are complete.
    fn make(&mut self, index: usize, seen: &Raster, watch: &mut Watch) -> Result<Option<Samples>>;
}

/// Where the time went. Reading and writing run beside the network, so the sum may be longer than it took.
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

/// Runs all steps of `pass` but the first `skip`.
///
/// # Errors
/// The first that reading, translating or writing gave. The sink is complete only where there was none.
pub(crate) fn run(
    source: &Source,
    pass: &mut dyn Pass,
    skip: usize,
    watch: &mut Watch,
    sink: &mut dyn Sink,
) -> Result<Times> {
    let first = skip.saturating_sub(pass.warm_up());
    let (steps, to_read) = (pass.steps(), pass.steps());
    let pixels = |(rows, columns): Area| rows.len() as u64 * columns.len() as u64;
    watch.found((0..first).map(|index| pixels(steps.makes(index))).sum());
    thread::scope(|scope| {
        // Without room in between: each side holds one piece, and there are two of each at most.
        let (seen, to_see) = sync_channel(0);
        let (made, to_write) = sync_channel(0);
        let reader = scope.spawn(move || read(source, (first, to_read.as_ref()), &seen));
        let writer = scope.spawn(move || write(&to_write, sink));
        let network = translate(pass, (skip, steps.as_ref()), watch, &to_see, &made);
        // The others end when nobody listens or speaks to them any more.
        drop((to_see, made));
        let read = reader.join().unwrap_or_else(|_| Err(ended("reading")));
        let write = writer.join().unwrap_or_else(|_| Err(ended("writing")));
        // A side that found nobody listening says nothing: the one that left has the reason.
        Ok(Times { write: write?, read: read?, network: network? })
    })
}

type Seen = (usize, Raster);
/// The row and column at which a piece begins, and the piece.
type Made = ((usize, usize), Samples);

fn read(source: &Source, (first, steps): (usize, &dyn Steps), seen: &SyncSender<Seen>) -> Result<Duration> {
    let mut time = Duration::ZERO;
    for index in first..steps.count() {
        let (rows, columns) = steps.reads(index);
        let start = Instant::now();
        let band = source.window(rows.start, columns.start, rows.len(), columns.len())?;
        time += start.elapsed();
        if seen.send((index, band)).is_err() {
            break;
        }
    }
    Ok(time)
}

fn translate(
    pass: &mut dyn Pass,
    (skip, steps): (usize, &dyn Steps),
    watch: &mut Watch,
    seen: &Receiver<Seen>,
    made: &SyncSender<Made>,
) -> Result<Duration> {
    let mut time = Duration::ZERO;
    while let Ok((index, band)) = seen.recv() {
        let start = Instant::now();
        let piece = pass.make(index, &band, watch)?;
        time += start.elapsed();
        if let Some(piece) = piece.filter(|_| index >= skip) {
            let (rows, columns) = steps.makes(index);
            if made.send(((rows.start, columns.start), piece)).is_err() {
                break;
            }
        }
    }
    Ok(time)
}

fn write(made: &Receiver<Made>, sink: &mut dyn Sink) -> Result<Duration> {
    let mut time = Duration::ZERO;
    while let Ok((at, piece)) = made.recv() {
        let start = Instant::now();
        sink.write(at, &piece)?;
        time += start.elapsed();
    }
    Ok(time)
}

fn ended(what: &str) -> Error {
    Error::new(ErrorKind::Io, format!("{what} ended unexpectedly")).help("Please report this with the file.")
}
