//! What stands for a bar in a build without the feature `progress`.

/// A bar that nobody ever sees.
#[derive(Debug)]
pub(crate) struct Bar;

impl Bar {
    /// Returns a bar that nobody sees.
    pub fn hidden() -> Self {
        Self
    }

    /// Returns the same.
    pub fn on_stderr(_template: &str, _total: u64) -> Self {
        Self
    }

    /// Whether nobody sees it: always.
    pub fn is_hidden(&self) -> bool {
        true
    }

    /// Does nothing.
    pub fn begin_at(&self, _position: u64) {}

    /// Does nothing.
    pub fn set_position(&self, _position: u64) {}

    /// Does nothing.
    pub fn advance(&self) {}

    /// Does nothing.
    pub fn set_message(&self, _text: String) {}

    /// Does nothing: who has a line to say looks first whether there is a bar.
    pub fn print_line(&self, _text: &str) {}

    /// Does nothing.
    pub fn clear(&self) {}
}
