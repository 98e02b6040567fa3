//! Processes that train one model together, over libtorch's own exchange (c10d): its store of keys, Gloo and NCCL.
//!
//! [`Distributed::from_env`] finds the others; [`FitOptions::distributed`](crate::FitOptions::distributed) shares a fit out
//! among them. The [guide](crate::guide::distributed) tells how to start them.
// From the bottom: what a starter says (`environment`), times (`pace`), signs of life (`word`, `lost`, `roll`:
// what the first process tells of all, `watch`), which library
// carries tensors (`backend`) and by what groups (`groups`), how processes find each other (`join`), their exchanges
// (`exchange`), and the public face (`group`, `options`).

mod backend;
mod environment;
mod exchange;
mod group;
mod groups;
mod join;
mod lost;
mod options;
mod pace;
mod roll;
mod watch;
mod word;

pub use backend::Backend;
pub use group::Distributed;
pub use options::DistributedOptions;
