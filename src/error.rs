//! The one error type of the crate.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

/// What every fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of trouble an [`Error`] reports; decides who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused: missing file, permission, full disk.
    Io,
    /// A folder does not have any of the forms that a data set or a saved model can have.
    Layout,
    /// A file is broken: truncated, damaged, or it contradicts itself.
    Format,
    /// A file or request is valid, but this crate cannot do it.
    Unsupported,
    /// A file asks for more than the budget set for it (size, entries, memory).
    Limits,
    /// The caller's arguments do not fit: option out of range, wrong shape, wrong domain.
    Usage,
    /// The device asked for is not there or cannot be used.
    Device,
    /// Training diverged: a loss became infinite or not a number.
    Diverged,
    /// A callback asked to stop with an error of its own.
    Callback,
    /// Work was ended from outside, by a [`StopSignal`](crate::train::StopSignal) of this process or of another one that shares the
    /// work, before it was done.
    Stopped,
    /// libtorch reported an error.
    Torch,
    /// Another process of a [distributed](crate::distributed::Distributed) group failed, was lost, or did not answer in time.
    Peer,
}

/// An error that names the file, what was expected, what was found and what to do.
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
    /// What it is about came as bytes, and has no file.
    is_in_memory: bool,
    expected: Option<String>,
    found: Option<String>,
    help: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// A name from a file that nobody vouches for, short enough and printable.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_debug).collect()
}

impl Error {
    /// An error of `kind`; `what` says in a few words what could not be done.
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

    /// The same about bytes that are in no file: says so in the place of a file's name.
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

    /// Shorthand for a failed operation on a file or folder.
    pub(crate) fn io(what: impl Into<String>, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, what).at(path).because(source)
    }

    /// What libtorch reported. A lack of memory is told apart, since the caller can do something about it.
    pub(crate) fn torch(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        let (kind, what) = match tells_of_no_memory(&*source) {
            true => (ErrorKind::Limits, "memory is used up"),
            false => (ErrorKind::Torch, "libtorch failed"),
        };
        Self::new(kind, what).because(source)
    }

    /// Whether libtorch could not get the memory that it asked for.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.0.kind == ErrorKind::Limits && self.0.source.as_deref().is_some_and(tells_of_no_memory)
    }

    /// An error for a user's own [`Callback`](crate::train::Callback) to return.
    ///
    /// ```
    /// let error = geolearn::Error::callback("the disk quota is used up");
    /// assert_eq!(error.kind(), geolearn::ErrorKind::Callback);
    /// ```
    pub fn callback(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Callback, what)
    }

    /// An error of a kind, for a [`Translator`](crate::train::Translator) of one's own to return.
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

    /// Says in a few words what could not be done, without the rest of the message.
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

    /// What would have been right, where that can be said.
    pub fn expectation(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    /// What was there instead.
    pub fn finding(&self) -> Option<&str> {
        self.0.found.as_deref()
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The kind of trouble.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file or folder concerned, where there is one.
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

/// For the `?` of programs that read and write files of their own; errors of this crate name the file.
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

/// A C++ exception that tch turned into a value.
impl From<tch::TchError> for Error {
    fn from(source: tch::TchError) -> Self {
        Self::torch(source)
    }
}

/// libtorch adds dozens of lines of its own stack; [`StdError::source`] has them.
fn without_frames(text: &str) -> &str {
    ["\nException raised from", "\nframe #"]
        .iter()
        .fold(text, |text, mark| text.split(mark).next().unwrap_or(text))
        .trim()
}

/// Runs work of others, such as a decoder; where it panics, gives what it said. A file must not end a program.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
    })
}

/// libtorch has no code for it, only these words: of its allocators for CUDA and for the processor, of C++, of oneDNN, which
/// does not say why it has no scratch memory, of cuDNN and cuBLAS, and of its search for a convolution, which passes over
/// each algorithm whose scratch memory it cannot get. That a device has kernels at all is tried when it is chosen.
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

    /// As PyTorch 2.11 words them.
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
