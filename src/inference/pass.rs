//! An image from top to bottom: the next rows are read and the last ones written while the network works.

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

/// Rows and columns of an output at which a tile begins, but for its own edges: where seams would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Borders {
    pub rows: Vec<usize>,
    pub columns: Vec<usize>,
}

/// Makes rows of rows, in the order that it asks for.
pub(crate) trait Pass {
    /// Rows and columns of the image that each step has to see.
    fn reads(&self) -> Vec<Area>;

    fn borders(&self) -> Borders;

    /// How many rows of the output are complete after so many steps.
    fn rows_after(&self, steps: usize) -> usize;

    /// How many steps before another one have to be done again when the work begins with it.
    fn warm_up(&self) -> usize {
        0
    }

    /// The next rows of the output, of which there may be none, from what step `index` sees. Tells `watch` how many
    /// pixels are complete.
    fn make(&mut self, index: usize, seen: &Raster, watch: &mut Watch) -> Result<Option<Samples>>;
}

/// The steps that made so many rows; none where those are not the rows of whole steps.
pub(crate) fn steps_for(pass: &dyn Pass, rows: usize) -> Option<usize> {
    let steps = (0..=pass.reads().len()).take_while(|&steps| pass.rows_after(steps) <= rows).last()?;
    (pass.rows_after(steps) == rows).then_some(steps)
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

/// Runs all steps of `pass`, whose output has `width` columns, but the first `skip`.
///
/// # Errors
/// The first that reading, translating or writing gave. The sink is complete only where there was none.
pub(crate) fn run(
    source: &Source,
    pass: &mut dyn Pass,
    (skip, width): (usize, usize),
    watch: &mut Watch,
    sink: &mut dyn Sink,
) -> Result<Times> {
    let first = skip.saturating_sub(pass.warm_up());
    let steps: Vec<_> = pass.reads().into_iter().enumerate().skip(first).collect();
    watch.found((pass.rows_after(first) * width) as u64);
    thread::scope(|scope| {
        // Without room in between: each side holds one band, and there are two of each at most.
        let (seen, to_see) = sync_channel(0);
        let (made, to_write) = sync_channel(0);
        let reader = scope.spawn(move || read(source, steps, &seen));
        let writer = scope.spawn(move || write(&to_write, sink));
        let network = translate(pass, skip, watch, &to_see, &made);
        // The others end when nobody listens or speaks to them any more.
        drop((to_see, made));
        let read = reader.join().unwrap_or_else(|_| Err(ended("reading")));
        let write = writer.join().unwrap_or_else(|_| Err(ended("writing")));
        // A side that found nobody listening says nothing: the one that left has the reason.
        Ok(Times { write: write?, read: read?, network: network? })
    })
}

type Seen = (usize, Raster);

fn read(source: &Source, steps: Vec<(usize, Area)>, seen: &SyncSender<Seen>) -> Result<Duration> {
    let mut time = Duration::ZERO;
    for (index, (rows, columns)) in steps {
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
    skip: usize,
    watch: &mut Watch,
    seen: &Receiver<Seen>,
    made: &SyncSender<Samples>,
) -> Result<Duration> {
    let mut time = Duration::ZERO;
    while let Ok((index, band)) = seen.recv() {
        let start = Instant::now();
        let rows = pass.make(index, &band, watch)?;
        time += start.elapsed();
        if let Some(rows) = rows.filter(|_| index >= skip)
            && made.send(rows).is_err()
        {
            break;
        }
    }
    Ok(time)
}

fn write(made: &Receiver<Samples>, sink: &mut dyn Sink) -> Result<Duration> {
    let mut time = Duration::ZERO;
    while let Ok(rows) = made.recv() {
        let start = Instant::now();
        sink.write(&rows)?;
        time += start.elapsed();
    }
    Ok(time)
}

fn ended(what: &str) -> Error {
    Error::new(ErrorKind::Io, format!("{what} ended unexpectedly")).help("Please report this with the file.")
}
