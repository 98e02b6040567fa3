//! The crate's error type.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

/// The result of this crate's fallible functions.
pub type Result<T> = std::result::Result<T, Error>;

/// The category of an [`Error`], which tells who can fix it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system reported an error: missing file, permission denied, disk full.
    Io,
    /// A folder does not have the layout of a data set or a saved model.
    Layout,
    /// A file is malformed: truncated, damaged or inconsistent.
    Format,
    /// A file or request is valid, but not supported by this crate.
    Unsupported,
    /// A file exceeds a limit (size, entries, memory), or memory is exhausted.
    Limits,
    /// The caller's arguments are invalid: option out of range, wrong shape, wrong domain.
    Usage,
    /// The requested device does not exist or cannot be used.
    Device,
    /// Training diverged: a loss became infinite or NaN.
    Diverged,
    /// A callback stopped the work with its own error.
    Callback,
    /// Work was interrupted before it was done, by a [`StopSignal`](crate::train::StopSignal) of this process or of another
    /// process that shares the work.
    Stopped,
    /// libtorch reported an error.
    Torch,
    /// Another process of a [distributed](crate::distributed::Distributed) group failed, was lost, or timed out.
    Peer,
}

/// An error that names the file, what was expected, what was found, and what to do.
///
/// ```
/// use geolearn::{DatasetType, ErrorKind, prepare_data};
///
/// let error = prepare_data("no/such/folder", DatasetType::CycleGan).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Io);
/// assert!(error.to_string().contains("no/such/folder"));
/// ```
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    what: String,
    path: Option<PathBuf>,
    /// The error is about bytes in memory, which have no file.
    is_in_memory: bool,
    expected: Option<String>,
    found: Option<String>,
    help: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// A name from an untrusted file, shortened and made printable.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_debug).collect()
}

impl Error {
    /// Creates an error of `kind`; `what` briefly says what could not be done.
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            what: what.into(),
            path: None,
            is_in_memory: false,
            expected: None,
            found: None,
            help: None,
            source: None,
        }))
    }

    pub(crate) fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.0.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// Marks the error as being about bytes in memory, which the message says in place of a file name.
    pub(crate) fn in_memory(mut self) -> Self {
        self.0.path = None;
        self.0.is_in_memory = true;
        self
    }

    pub(crate) fn expected(mut self, expected: impl fmt::Display) -> Self {
        self.0.expected = Some(expected.to_string());
        self
    }

    pub(crate) fn found(mut self, found: impl fmt::Display) -> Self {
        self.0.found = Some(found.to_string());
        self
    }

    pub(crate) fn help(mut self, help: impl fmt::Display) -> Self {
        self.0.help = Some(help.to_string());
        self
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Creates an error for a failed operation on a file or folder.
    pub(crate) fn io(what: impl Into<String>, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, what).at(path).because(source)
    }

    /// Converts an error of libtorch. Running out of memory gets its own kind, since the caller can do something about
    /// it.
    pub(crate) fn torch(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        let (kind, what) = match tells_of_no_memory(&*source) {
            true => (ErrorKind::Limits, "memory is used up"),
            false => (ErrorKind::Torch, "libtorch failed"),
        };
        Self::new(kind, what).because(source)
    }

    /// Returns whether libtorch ran out of memory.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.0.kind == ErrorKind::Limits && self.0.source.as_deref().is_some_and(tells_of_no_memory)
    }

    /// Creates an error for a user-defined [`Callback`](crate::train::Callback) to return.
    ///
    /// ```
    /// let error = geolearn::Error::callback("the disk quota is used up");
    /// assert_eq!(error.kind(), geolearn::ErrorKind::Callback);
    /// ```
    pub fn callback(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Callback, what)
    }

    /// Creates an error of the given kind, for a user-defined [`Translator`](crate::train::Translator) to return.
    ///
    /// ```
    /// use geolearn::{Error, ErrorKind};
    ///
    /// let error = Error::with_kind(ErrorKind::Usage, "this model takes images of one band");
    /// assert_eq!(error.kind(), ErrorKind::Usage);
    /// ```
    pub fn with_kind(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self::new(kind, what)
    }

    /// Returns a brief description of what could not be done, without the rest of the message.
    ///
    /// ```
    /// use geolearn::{DatasetType, PrepareData};
    ///
    /// let error = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).batch_size(0).prepare().unwrap_err();
    /// assert_eq!(error.summary(), "batch_size is out of range");
    /// assert_eq!(error.finding(), Some("0"));
    /// assert!(error.expectation().is_some() && error.advice().is_none());
    /// ```
    pub fn summary(&self) -> &str {
        &self.0.what
    }

    /// Returns what was expected, if known.
    pub fn expectation(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    /// Returns what was found instead, if known.
    pub fn finding(&self) -> Option<&str> {
        self.0.found.as_deref()
    }

    /// Returns advice on what to do, if any.
    pub fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// Returns the category of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the file or folder concerned, if any.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { what, path, is_in_memory, expected, found, help, source, .. } = &*self.0;
        if let Some(path) = path {
            write!(f, "{}: ", path.display())?;
        }
        if *is_in_memory {
            f.write_str("in memory: ")?;
        }
        f.write_str(what)?;
        match (expected, found) {
            (Some(expected), Some(found)) => write!(f, ": expected {expected}, found {found}")?,
            (Some(expected), None) => write!(f, ": expected {expected}")?,
            (None, Some(found)) => write!(f, ": found {found}")?,
            (None, None) => {}
        }
        if let Some(source) = source {
            write!(f, " ({})", without_frames(&source.to_string()))?;
        }
        if let Some(help) = help {
            write!(f, ". {help}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Lets programs use `?` when they read and write files; this crate's own errors name the file.
///
/// ```
/// fn read() -> geolearn::Result<String> {
///     Ok(std::fs::read_to_string("no/such/file")?)
/// }
/// assert_eq!(read().unwrap_err().kind(), geolearn::ErrorKind::Io);
/// ```
impl From<std::io::Error> for Error {
    fn from(source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, "reading or writing failed").because(source)
    }
}

/// Converts a C++ exception that tch returned as a value.
impl From<tch::TchError> for Error {
    fn from(source: tch::TchError) -> Self {
        Self::torch(source)
    }
}

/// Removes libtorch's stack trace of dozens of lines, which [`StdError::source`] keeps.
fn without_frames(text: &str) -> &str {
    ["\nException raised from", "\nframe #"]
        .iter()
        .fold(text, |text, mark| text.split(mark).next().unwrap_or(text))
        .trim()
}

/// Runs third-party code such as a decoder, and returns its message if it panics. A file must not crash a program.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
    })
}

/// Recognizes running out of memory by its messages, since libtorch has no error code for it: from its allocators for
/// CUDA and the CPU, from C++, from oneDNN (which does not say why it has no scratch memory), from cuDNN and cuBLAS,
/// and from its search for a convolution algorithm, which skips each one whose scratch memory it cannot get. Whether a
/// device has kernels at all is tested when it is selected.
fn tells_of_no_memory(error: &(dyn StdError + Send + Sync)) -> bool {
    let text = error.to_string();
    OF_NO_MEMORY.iter().any(|words| text.contains(words))
}

const OF_NO_MEMORY: [&str; 9] = [
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "std::bad_alloc",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "cudaErrorMemoryAllocation",
    "unable to find an engine to execute this computation",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_file_expectation_finding_and_advice() {
        let error = Error::new(ErrorKind::Format, "chip cannot be read")
            .at("a/b.png")
            .expected("3 bands")
            .found("4")
            .help("Drop the alpha band.");
        assert_eq!(error.to_string(), "a/b.png: chip cannot be read: expected 3 bands, found 4. Drop the alpha band.");
        assert_eq!(error.path(), Some(Path::new("a/b.png")));
    }

    #[test]
    fn frames_of_libtorch_are_left_to_the_source() {
        let text = "CUDA out of memory. Tried to allocate 2 GiB\nException raised from malloc at x.cpp:1\nframe #0: y";
        let error = Error::torch(text).help("Less.");
        assert_eq!(error.kind(), ErrorKind::Limits);
        assert!(error.is_out_of_memory());
        assert_eq!(error.to_string(), "memory is used up (CUDA out of memory. Tried to allocate 2 GiB). Less.");
        assert_eq!(StdError::source(&error).unwrap().to_string(), text);
        assert_eq!(Error::torch("shapes differ").kind(), ErrorKind::Torch);
    }

    /// Messages of PyTorch 2.11.
    #[test]
    fn every_form_of_a_lack_of_memory_is_told_apart() {
        for words in [
            "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.10 GiB",
            "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes",
            "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
            "CUDA error: out of memory",
            "GET was unable to find an engine to execute this computation",
            "FIND was unable to find an engine to execute this computation",
            "could not create a primitive: not enough memory",
            "std::bad_alloc",
        ] {
            let error = Error::torch(words);
            assert!(error.kind() == ErrorKind::Limits && error.is_out_of_memory(), "{words}");
        }
        for words in ["CUDNN_STATUS_BAD_PARAM", "CUDA error: device-side assert triggered"] {
            assert_eq!(Error::torch(words).kind(), ErrorKind::Torch, "{words}");
        }
    }

    #[test]
    fn source_is_kept() {
        let error = Error::io("cannot open", "x", std::io::Error::from(std::io::ErrorKind::NotFound));
        assert!(StdError::source(&error).is_some());
        assert!(error.to_string().contains("not found"), "{error}");
    }
}
