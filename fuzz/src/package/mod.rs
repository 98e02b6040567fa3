//! The readers of saved models, without the code that creates tensors.

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

static KIND: emd::ModelKind = emd::ModelKind {
    name: "CycleGAN",
    configuration: "_cyclegan",
    parameters: &[],
    takes_any_tile: true,
    opened_by: "CycleGan",
};
/// Kinds of models that definitions can be opened as.
pub(crate) const OPENING: emd::Opening = emd::Opening { kind: &KIND, known: &[&KIND], reach: emd::Reach::Folder };

/// Returns the number of bytes of weights in a package.
pub(crate) fn unpacked(path: &std::path::Path, most: u64) -> Option<u64> {
    let unpacked = dlpk::unpack_within(path, OPENING, most).ok()?;
    std::fs::metadata(unpacked.weights).ok().map(|found| found.len())
}
