//! The same modules as `src/package/pth/mod.rs`, except those that use libtorch.

#[path = "../../../src/package/pth/archive.rs"]
mod archive;
#[path = "../../../src/package/pth/container.rs"]
pub(crate) mod container;
#[path = "../../../src/package/pth/legacy.rs"]
mod legacy;
#[path = "../../../src/package/pth/limits.rs"]
mod limits;
#[path = "../../../src/package/pth/storage.rs"]
mod storage;
#[path = "../../../src/package/pth/views.rs"]
mod views;

pub(crate) use limits::{PthLimits, plausible};
pub(crate) use views::tensor_views;
