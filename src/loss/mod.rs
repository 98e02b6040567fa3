//! Losses, the image pool, and augmentation for discriminators.

mod adversarial;
mod diff_augment;
mod pool;
mod reconstruction;

pub use adversarial::AdversarialLoss;
pub(crate) use adversarial::Verdict;
pub use diff_augment::DiffAugment;
pub(crate) use pool::ImagePool;
pub(crate) use reconstruction::l1;
