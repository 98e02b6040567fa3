//! What a saved model is: a folder of `<name>.pth` with the weights, `<name>.emd` with what they mean, a report with
//! pictures for people, and `<name>.dlpk` with all of it in one file.
//!
//! All files are read as attacks until proven otherwise: sizes are capped first, arithmetic is checked,
//! and a pickle is data that is interpreted, never code that runs.

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
