//! libtorch's profiler.

use std::ffi::CString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::linked;
use crate::error::{Error, ErrorKind, Result};

/// libtorch has one profiler per process.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Records libtorch's activity on all threads while it exists.
pub(crate) struct Profiler {
    cuda: bool,
    ended: bool,
}

impl Profiler {
    /// # Errors
    /// `Usage` if another one exists.
    pub fn begin(cuda: bool) -> Result<Self> {
        if RUNNING.swap(true, Ordering::AcqRel) {
            return Err(Error::new(ErrorKind::Usage, "libtorch's profiler is at work already")
                .help("Profile one piece of work at a time in a process, and none within another."));
        }
        // From here on `Drop` releases the profiler.
        let mut profiler = Self { cuda, ended: true };
        linked::profile_begin(cuda)?;
        profiler.ended = false;
        Ok(profiler)
    }

    /// Writes the recording as a trace in Chrome's format.
    pub fn finish(mut self, path: &Path) -> Result<()> {
        let wrong = || Error::new(ErrorKind::Usage, "libtorch cannot write to this path").at(path);
        let text = path.to_str().ok_or_else(wrong)?;
        let text = CString::new(text).map_err(|e| wrong().because(e))?;
        self.ended = true;
        linked::profile_end(self.cuda, Some(&text))
    }
}

impl Drop for Profiler {
    fn drop(&mut self) {
        if !self.ended
            && let Err(error) = linked::profile_end(self.cuda, None)
        {
            tracing::warn!(%error, "libtorch's profiler cannot be ended");
        }
        RUNNING.store(false, Ordering::Release);
    }
}
