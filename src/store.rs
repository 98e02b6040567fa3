//! Files that are either whole or not there: written beside their place, synced, then renamed.

mod abandoned;
mod cache;
mod capped;
mod identity;
mod lock;
mod older;
mod paths;
mod pending;
mod scratch;

pub(crate) use abandoned::{folder_of, is_temporary, remove_abandoned, remove_abandoned_of};
pub(crate) use cache::cache_folder;
pub(crate) use capped::{check_length, read_capped};
pub(crate) use identity::Identity;
pub(crate) use lock::Lock;
pub(crate) use older::{aside, clear, publish_all};
pub(crate) use paths::{create_dir, extension, path_of_file};
pub(crate) use pending::{Pending, Ready, ready, write};
pub(crate) use scratch::Scratch;
