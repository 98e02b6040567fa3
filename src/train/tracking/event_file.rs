//! An event file that grows while TensorBoard reads it.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind as IoErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::event::{Event, Shown, Value, What};
use crate::error::{Error, Result};
use crate::store;

/// Entries reach the disk at the latest with the first one after this time.
const SECONDS_TO_FLUSH: u64 = 30;

#[derive(Debug)]
pub(super) struct EventFile {
    writer: BufWriter<File>,
    path: PathBuf,
    flushed: Instant,
}

impl EventFile {
    /// Creates a file with a unique name in `folder`, which is created if it is missing. TensorBoard reads all event
    /// files of a folder as one run, in the order of their names.
    pub fn create(folder: &Path) -> Result<Self> {
        store::create_dir(folder)?;
        let seconds = now() as u64;
        let (host, process) = (host(), std::process::id());
        // Several fits may start within a second.
        let mut number = 0;
        loop {
            let path = folder.join(format!("events.out.tfevents.{seconds:010}.{host}.{process}.{number}"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut file = Self { writer: BufWriter::new(file), path, flushed: Instant::now() };
                    file.write(0, What::FileVersion)?;
                    file.flush()?;
                    return Ok(file);
                }
                Err(error) if error.kind() == IoErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(Error::io("the event file cannot be created", path, error)),
            }
        }
    }

    /// Adds numbers by name.
    pub fn write_scalars<'a>(&mut self, step: u64, scalars: impl Iterator<Item = (String, &'a f64)>) -> Result<()> {
        let shown = |number: &f64| Shown::Scalar(*number as f32);
        let values = scalars.map(|(tag, number)| Value { tag, shown: shown(number) }).collect();
        self.write(step, What::Summary(values))
    }

    /// Adds an entry; from time to time all entries are flushed to disk.
    pub fn write(&mut self, step: u64, what: What) -> Result<()> {
        let event = Event { wall_time: now(), step: i64::try_from(step).unwrap_or(i64::MAX), what };
        self.writer.write_all(&event.to_record()).map_err(|e| self.failed(e))?;
        if self.flushed.elapsed().as_secs() >= SECONDS_TO_FLUSH { self.flush() } else { Ok(()) }
    }

    /// Makes everything visible to readers.
    pub fn flush(&mut self) -> Result<()> {
        self.flushed = Instant::now();
        self.writer.flush().map_err(|e| self.failed(e))
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::io("the event file cannot be written", &self.path, source).help("Is the disk full?")
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// Returns the machine's name if it is available without calling the C library; it only makes file names informative.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .or_else(|_| std::env::var("COMPUTERNAME"))
        .unwrap_or_default();
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    match name.trim() {
        "" => "localhost".to_string(),
        name => name.chars().take(64).map(kept).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_same_second_have_unique_names() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            EventFile::create(&folder.path().join("run")).unwrap();
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder.path().join("run")).unwrap() {
            names.push(entry.unwrap().file_name().into_string().unwrap());
        }
        assert_eq!(names.len(), 3);
        assert!(names.iter().all(|name| name.starts_with("events.out.tfevents.")), "{names:?}");
    }

    #[test]
    fn an_unusable_path_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let occupied = folder.path().join("file");
        std::fs::write(&occupied, "").unwrap();
        assert_eq!(EventFile::create(&occupied).unwrap_err().path(), Some(occupied.as_path()));
    }

    /// Every write to this device fails as if the disk were full.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_reported_with_the_file() {
        let path = PathBuf::from("/dev/full");
        let writer = BufWriter::new(OpenOptions::new().write(true).open(&path).unwrap());
        let mut file = EventFile { writer, path: path.clone(), flushed: Instant::now() };
        file.write(1, What::Restart).unwrap();
        let error = file.flush().unwrap_err();
        assert_eq!((error.kind(), error.path()), (crate::error::ErrorKind::Io, Some(path.as_path())));
    }
}
