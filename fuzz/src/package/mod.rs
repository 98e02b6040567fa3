//! The readers of saved models, without what makes tensors of them.

#[path = "../../../src/package/dlpk.rs"]
mod dlpk;
#[path = "../../../src/package/emd/mod.rs"]
pub(crate) mod emd;
#[path = "../../../src/package/pickle/mod.rs"]
pub(crate) mod pickle;
pub(crate) mod pth;
#[path = "../../../src/package/safetensors.rs"]
pub(crate) mod safetensors;
#[path = "../../../src/package/zipped.rs"]
mod zipped;

/// How many bytes of weights come out of a package.
pub(crate) fn unpacked(path: &std::path::Path, most: u64) -> Option<u64> {
    let unpacked = dlpk::unpack_within(path, most).ok()?;
    std::fs::metadata(unpacked.weights).ok().map(|found| found.len())
}
