//! What a saved model is: `<name>.pth` with the weights and `<name>.emd` with everything else.
//!
//! Both files are read as attacks until proven otherwise: sizes are capped first, arithmetic is checked,
//! and a pickle is data that is interpreted, never code that runs.

pub(crate) mod emd;
pub(crate) mod export;
pub(crate) mod folder;
pub(crate) mod keys;
mod pickle;
pub(crate) mod pth;

#[cfg(test)]
mod tests;
