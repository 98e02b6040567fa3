//! Tests fits by several processes: what they agree on, and what happens when one is killed, hangs, is asked to stop,
//! or has different options.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up has failed")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "children report, and what is skipped is said")]
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/events.rs"]
mod events;

mod child;
mod failures;
mod fault;
mod gradients;
mod pairs;
mod prepared;
mod processes;
mod restarted;
mod scenes;
mod starting;
mod stopped;
