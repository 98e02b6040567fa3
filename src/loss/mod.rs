//! Losses: pure functions of tensors, and the pool of generated images.

mod adversarial;
mod pool;
mod reconstruction;

pub use adversarial::AdversarialLoss;
pub(crate) use adversarial::Verdict;
pub(crate) use pool::ImagePool;
pub(crate) use reconstruction::l1;
