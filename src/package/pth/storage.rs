//! The interface of both formats: the bytes of storages.

use crate::error::Result;

/// A source of the bytes of storages.
pub(crate) trait StorageBytes {
    /// Returns the bytes of a storage, which must be exactly `length`.
    fn storage(&mut self, key: &str, length: u64) -> Result<Vec<u8>>;

    /// Returns the file's fingerprint; older files have none.
    fn fingerprint(&mut self) -> Result<Option<String>>;
}
