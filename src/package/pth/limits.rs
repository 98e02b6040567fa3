//! Limits of reading a `.pth`.

/// Limits of reading a `.pth`.
///
/// | Name | Default | Bounds |
/// |---|---|---|
/// | `file_bytes` | 8 GiB | the file |
/// | `directory_bytes` | 64 MiB | what finding the entries may read |
/// | `pickle_bytes` | 16 MiB | `data.pkl`, or the pickles of the older form together |
/// | `values` | 2^18 | stack, memo and objects of each pickle; a fourth of what its containers hold together |
/// | `tensor_bytes` | 8 GiB | all storages together, and all tensors together; no more than 64 MiB + 8 times the file |
#[derive(Debug, Clone)]
pub(crate) struct PthLimits {
    pub file_bytes: u64,
    pub directory_bytes: u64,
    pub pickle_bytes: u64,
    pub values: usize,
    pub tensor_bytes: u64,
}

impl Default for PthLimits {
    fn default() -> Self {
        Self {
            file_bytes: 8 << 30,
            directory_bytes: 64 << 20,
            pickle_bytes: 16 << 20,
            values: 1 << 18,
            tensor_bytes: 8 << 30,
        }
    }
}

impl PthLimits {
    pub(super) fn for_file(&self, length: u64) -> Self {
        Self { tensor_bytes: self.tensor_bytes.min(plausible(length)), ..self.clone() }
    }
}

/// Returns how much a file of this length can plausibly contain. torch does not compress, and weights hardly compress
/// anyway: a small file that claims to contain much is an attack.
pub(crate) fn plausible(length: u64) -> u64 {
    length.saturating_mul(8).saturating_add(64 << 20)
}
