//! Data-parallel training with several processes on libtorch's c10d: its TCP key-value store, Gloo, and NCCL.
//!
//! [`Distributed::from_env`] connects the processes that a launcher started, and
//! [`FitOptions::distributed`](crate::FitOptions::distributed) trains one model with all of them. The
//! [guide](crate::guide::distributed) describes how to launch them.
// From the bottom up: what a launcher says (`environment`), timeouts (`timing`), heartbeats and what follows from them
// (`heartbeat`, `failure`, `liveness`, `watchdog`), the backends (`backend`, `transport`), how processes meet (`rendezvous`) and
// connect (`connect`), their collectives (`process_group`), and the public face (`group`, `options`).

mod backend;
mod connect;
mod environment;
mod failure;
mod group;
mod heartbeat;
mod liveness;
mod options;
mod process_group;
mod rendezvous;
mod timing;
mod transport;
mod watchdog;

pub use backend::Backend;
pub use group::Distributed;
pub use options::DistributedOptions;
