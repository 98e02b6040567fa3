//! The steps in which an image is translated from top to bottom.

use super::part::Part;

/// At most this many borders are reported along a side: nobody looks at more, and on a very wide scene they would fill
/// the memory.
pub(crate) const MOST_BORDERS: usize = 1 << 16;

/// Rows and columns of an output at which a tile begins, except for the output's own edges: where seams could appear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Borders {
    pub rows: Vec<usize>,
    pub columns: Vec<usize>,
}

/// The steps of a translation. Each step is computed on demand, so steps need no memory.
pub(crate) trait Steps: Send {
    fn count(&self) -> usize;

    /// Returns the part of the image that a step reads.
    fn reads(&self, index: usize) -> Part;

    /// Returns the part of the output that a step completes; it may be empty. Parts come from top to bottom, and from
    /// left to right within the same rows.
    fn makes(&self, index: usize) -> Part;
}
