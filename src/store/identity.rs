//! The identity of a file: length, times and number.

use std::fmt;
use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Serialize;

/// Length and time of the last change of a file; where the system has them, also the number of the file and the time
/// at which anything about it changed, which no program can set. A file that was replaced by one of the same length,
/// with its times copied, differs in these.
///
/// All of them are absent for a file that is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Identity {
    bytes: Option<u64>,
    modified: Option<String>,
    number: Option<u64>,
    changed: Option<String>,
}

impl Identity {
    /// Of the file at this path as it now is; links are followed.
    pub fn of(path: &Path) -> Self {
        path.metadata().map(|data| Self::told_by(&data)).unwrap_or_default()
    }

    /// Length of the file; 0 where it is not there.
    pub fn bytes(&self) -> u64 {
        self.bytes.unwrap_or(0)
    }

    fn told_by(data: &Metadata) -> Self {
        let modified = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let (number, changed) = number_and_change(data).unzip();
        Self { bytes: Some(data.len()), modified: modified.map(|time| time.as_nanos().to_string()), number, changed }
    }
}

/// Number of the file, and seconds and nanoseconds of the last change of its content, name, owner or rights.
#[cfg(unix)]
fn number_and_change(data: &Metadata) -> Option<(u64, String)> {
    use std::os::unix::fs::MetadataExt;
    Some((data.ino(), format!("{}.{:09}", data.ctime(), data.ctime_nsec())))
}

#[cfg(not(unix))]
fn number_and_change(_: &Metadata) -> Option<(u64, String)> {
    None
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, modified, number, changed } = self;
        write!(f, "{bytes:?} {modified:?} {number:?} {changed:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_itself_and_nothing_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        assert_eq!(Identity::of(&path), Identity::default());
        fs::write(&path, "old").unwrap();
        assert_eq!(Identity::of(&path), Identity::of(&path));
        assert_eq!(Identity::of(&path).bytes(), 3);
        assert_ne!(Identity::of(&path), Identity::default());
    }

    /// By another file under its name, and by other content written into it.
    #[test]
    #[cfg(unix)]
    fn a_file_of_the_same_length_and_time_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "old").unwrap();
        let (before, time) = (Identity::of(&path), path.metadata().unwrap().modified().unwrap());
        let with_old_time = |place: &Path| {
            fs::write(place, "new").unwrap();
            fs::File::options().write(true).open(place).unwrap().set_modified(time).unwrap();
        };
        let other = folder.path().join("g");
        with_old_time(&other);
        fs::rename(&other, &path).unwrap();
        let replaced = Identity::of(&path);
        assert_eq!((&replaced.bytes, &replaced.modified), (&before.bytes, &before.modified));
        assert_ne!(replaced, before);
        // The clock of file times may stand still for some milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(30));
        with_old_time(&path);
        assert_eq!(Identity::of(&path).number, replaced.number);
        assert_ne!(Identity::of(&path), replaced);
    }
}
