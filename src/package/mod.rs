//! Saved models: a folder with `<name>.pth` (the weights), `<name>.emd` (their description), a report with pictures for
//! people, and `<name>.dlpk`, which contains all of them.
//!
//! All files are untrusted: sizes are limited before anything is read, arithmetic is checked, and a pickle is
//! interpreted as data and never executed.

mod dlpk;
pub(crate) mod emd;
pub(crate) mod export;
pub(crate) mod folder;
mod generation;
pub(crate) mod keys;
mod listing;
mod pickle;
pub(crate) mod pth;
pub(crate) mod report;
pub(crate) mod research;
pub(crate) mod research_unet;
pub(crate) mod safetensors;
pub(crate) mod state_dict;
mod zipped;

#[cfg(test)]
mod tests;
