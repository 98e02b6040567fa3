//! The steps in which an image is translated from top to bottom.

use super::part::Part;

/// More borders than this are not reported along a side: nobody looks at that many, and a very wide scene would fill
/// the memory with them.
pub(crate) const MOST_BORDERS: usize = 1 << 16;

/// Rows and columns of an output at which a tile begins, except for the output's own edges: where seams would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Borders {
    pub rows: Vec<usize>,
    pub columns: Vec<usize>,
}

/// What there is to do, step by step. Each step is worked out when its turn comes, so that steps need no memory.
pub(crate) trait Steps: Send {
    fn count(&self) -> usize;

    /// Returns the part of the image that a step has to see.
    fn reads(&self, index: usize) -> Part;

    /// Returns the part of the output that a step completes; it may be empty. Parts come from top to bottom, and from
    /// left to right within the same rows.
    fn makes(&self, index: usize) -> Part;
}
