//! What readers of either form give: the bytes of storages.

use crate::error::Result;

/// Where the bytes of storages come from.
pub(crate) trait StorageBytes {
    /// The bytes of a storage, which must be exactly `length`.
    fn storage(&mut self, key: &str, length: u64) -> Result<Vec<u8>>;

    /// What the file says to tell it from others; older ones say nothing.
    fn fingerprint(&mut self) -> Result<Option<String>>;
}
