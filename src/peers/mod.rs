//! Several processes that train one model together: which part each has, and what they tell each other.
//!
//! A fit sees the others through [`Peers`] alone. [`Alone`] is a fit of one process.

mod batch;
mod group;
mod part;
mod words;

#[cfg(test)]
pub(crate) use batch::sum_all;
pub(crate) use batch::{JointBatch, PendingGradients, begin_gradients};
pub(crate) use group::{Alone, Peers, PendingSum};
pub(crate) use part::{Part, Portion};
pub(crate) use words::{any, in_turn, sum_values};
