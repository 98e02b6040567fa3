//! The contents of the file with the Inception network's weights. `xtask` compiles this file too, and writes the
//! weights.

use super::graph::{Convolution, Op, inception};

/// The name of the file in the cache.
pub(crate) const FILE: &str = "inception-2015-12-05.safetensors";

/// SHA-256 of the file, as `cargo xtask inception` writes it.
pub(crate) const SHA256: &str = "7a7eb169332838b0161ce19ffc9f160451c95850a57e629e1a75131f641e4910";

/// The tensors of each convolution, in the order of the file. All are f32: a weight of the convolution's shape, and
/// three values for each output channel.
pub(crate) const TENSORS: [&str; 4] = ["weight", "beta", "mean", "var"];

/// Returns the network's convolutions, in the order of the file.
pub(crate) fn convolutions() -> Vec<Convolution> {
    fn of(ops: Vec<Op<Convolution>>) -> Vec<Convolution> {
        let of_op = |op| match op {
            Op::Convolution(convolution) => vec![convolution],
            Op::Branches(branches) => branches.into_iter().flat_map(of).collect(),
            Op::AveragePool | Op::MaxPool { .. } => Vec::new(),
        };
        ops.into_iter().flat_map(of_op).collect()
    }
    of(inception())
}

impl Convolution {
    /// Returns name and shape of each tensor, in the order of the file.
    pub fn tensors(&self) -> [(String, Vec<i64>); 4] {
        TENSORS.map(|part| {
            let shape = if part == "weight" { self.shape.to_vec() } else { vec![self.shape[0]] };
            (format!("{}.{part}", self.name), shape)
        })
    }
}
