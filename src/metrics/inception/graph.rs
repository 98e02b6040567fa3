//! The graph of the Inception network: its convolutions, in the order in which files store them, and the pooling
//! between them.
//!
//! This is the graph of TensorFlow's archive `inception-2015-12-05` up to `pool_3`, with its names; Szegedy et al. 2015,
//! arXiv:1512.00567, describe the blocks. `xtask` compiles this file too.

/// A convolution without bias, followed by a batch norm without scale and a ReLU.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Convolution {
    pub name: String,
    /// Output channels, input channels, height and width of the kernel.
    pub shape: [i64; 4],
    pub stride: i64,
    /// Padding at the top and bottom, and at the left and right.
    pub padding: [i64; 2],
}

/// An operation of the graph.
#[derive(Debug)]
pub(crate) enum Op<C> {
    Convolution(C),
    /// Average over 3x3 samples with stride 1. At a border, only the samples inside count.
    AveragePool,
    /// Maximum over 3x3 samples.
    MaxPool {
        stride: i64,
        padding: i64,
    },
    /// Runs each branch on the same input and concatenates the channels.
    Branches(Vec<Vec<Op<C>>>),
}

/// Replaces each convolution, in the order of the graph.
pub(crate) fn try_map<C, D, E>(ops: Vec<Op<C>>, replace: &mut impl FnMut(C) -> Result<D, E>) -> Result<Vec<Op<D>>, E> {
    let mut one = |op| {
        Ok(match op {
            Op::Convolution(convolution) => Op::Convolution(replace(convolution)?),
            Op::AveragePool => Op::AveragePool,
            Op::MaxPool { stride, padding } => Op::MaxPool { stride, padding },
            Op::Branches(branches) => {
                Op::Branches(branches.into_iter().map(|branch| try_map(branch, replace)).collect::<Result<_, E>>()?)
            }
        })
    };
    ops.into_iter().map(&mut one).collect()
}

/// Returns the network from three channels in [-1, 1) to the 2048 maps of 8x8 samples, whose means are the features.
pub(crate) fn inception() -> Vec<Op<Convolution>> {
    let stem = Chain { prefix: String::new(), channels: 3, ops: Vec::new() };
    let stem = stem.strided("conv", 32).valid("conv_1", 32, [3, 3]).same("conv_2", 64, [3, 3]).halving_pool();
    let stem = stem.valid("conv_3", 80, [1, 1]).valid("conv_4", 192, [3, 3]).halving_pool();
    let at_35 = stem.block_35("mixed", 32).block_35("mixed_1", 64).block_35("mixed_2", 64);
    let at_17 = at_35.reduction_17("mixed_3").block_17("mixed_4", 128).block_17("mixed_5", 160);
    let at_17 = at_17.block_17("mixed_6", 160).block_17("mixed_7", 192);
    let at_8 = at_17.reduction_8("mixed_8").block_8("mixed_9", Op::AveragePool);
    // TensorFlow's graph uses max pooling here, where the paper uses average pooling.
    at_8.block_8("mixed_10", Op::MaxPool { stride: 1, padding: 1 }).ops
}

/// A sequence of operations under construction.
struct Chain {
    /// Prefix of the names of the next convolutions.
    prefix: String,
    /// Output channels of the last operation.
    channels: i64,
    ops: Vec<Op<Convolution>>,
}

impl Chain {
    fn convolution(mut self, name: &str, output: i64, kernel: [i64; 2], stride: i64, padding: [i64; 2]) -> Self {
        let shape = [output, self.channels, kernel[0], kernel[1]];
        self.ops.push(Op::Convolution(Convolution { name: format!("{}{name}", self.prefix), shape, stride, padding }));
        Self { channels: output, ..self }
    }

    /// Adds a convolution that preserves height and width.
    fn same(self, name: &str, output: i64, kernel: [i64; 2]) -> Self {
        self.convolution(name, output, kernel, 1, kernel.map(|side| side / 2))
    }

    /// Adds a convolution without padding.
    fn valid(self, name: &str, output: i64, kernel: [i64; 2]) -> Self {
        self.convolution(name, output, kernel, 1, [0, 0])
    }

    /// Adds a 3x3 convolution of stride 2 without padding.
    fn strided(self, name: &str, output: i64) -> Self {
        self.convolution(name, output, [3, 3], 2, [0, 0])
    }

    fn op(mut self, op: Op<Convolution>) -> Self {
        self.ops.push(op);
        self
    }

    fn halving_pool(self) -> Self {
        self.op(Op::MaxPool { stride: 2, padding: 0 })
    }

    /// Starts a branch from the output of the last operation.
    fn branch(&self, prefix: &str) -> Self {
        Self { prefix: format!("{}{prefix}", self.prefix), channels: self.channels, ops: Vec::new() }
    }

    fn join(mut self, branches: Vec<Self>) -> Self {
        let channels = branches.iter().map(|branch| branch.channels).sum();
        self.ops.push(Op::Branches(branches.into_iter().map(|branch| branch.ops).collect()));
        Self { channels, ..self }
    }

    /// Adds a block of 35x35 maps (for images of 299x299).
    fn block_35(self, name: &str, pooled: i64) -> Self {
        let branch = |tower: &str| self.branch(&format!("{name}.{tower}"));
        let branches = vec![
            branch("").same("conv", 64, [1, 1]),
            branch("tower.").same("conv", 48, [1, 1]).same("conv_1", 64, [5, 5]),
            branch("tower_1.").same("conv", 64, [1, 1]).same("conv_1", 96, [3, 3]).same("conv_2", 96, [3, 3]),
            branch("tower_2.").op(Op::AveragePool).same("conv", pooled, [1, 1]),
        ];
        self.join(branches)
    }

    /// Reduces 35x35 maps to 17x17.
    fn reduction_17(self, name: &str) -> Self {
        let branch = |tower: &str| self.branch(&format!("{name}.{tower}"));
        let branches = vec![
            branch("").strided("conv", 384),
            branch("tower.").same("conv", 64, [1, 1]).same("conv_1", 96, [3, 3]).strided("conv_2", 96),
            branch("").halving_pool(),
        ];
        self.join(branches)
    }

    /// Adds a block of 17x17 maps, with convolutions of 7 samples along one side.
    fn block_17(self, name: &str, inner: i64) -> Self {
        let branch = |tower: &str| self.branch(&format!("{name}.{tower}"));
        let (wide, high) = ([1, 7], [7, 1]);
        let twice = branch("tower_1.").same("conv", inner, [1, 1]).same("conv_1", inner, high);
        let branches = vec![
            branch("").same("conv", 192, [1, 1]),
            branch("tower.").same("conv", inner, [1, 1]).same("conv_1", inner, wide).same("conv_2", 192, high),
            twice.same("conv_2", inner, wide).same("conv_3", inner, high).same("conv_4", 192, wide),
            branch("tower_2.").op(Op::AveragePool).same("conv", 192, [1, 1]),
        ];
        self.join(branches)
    }

    /// Reduces 17x17 maps to 8x8.
    fn reduction_8(self, name: &str) -> Self {
        let branch = |tower: &str| self.branch(&format!("{name}.{tower}"));
        let long = branch("tower_1.").same("conv", 192, [1, 1]).same("conv_1", 192, [1, 7]).same("conv_2", 192, [7, 1]);
        let branches = vec![
            branch("tower.").same("conv", 192, [1, 1]).strided("conv_1", 320),
            long.strided("conv_3", 192),
            branch("").halving_pool(),
        ];
        self.join(branches)
    }

    /// Adds a block of 8x8 maps.
    fn block_8(self, name: &str, pool: Op<Convolution>) -> Self {
        let branch = |tower: &str| self.branch(&format!("{name}.{tower}"));
        let branches = vec![
            branch("").same("conv", 320, [1, 1]),
            branch("tower_").same("conv", 384, [1, 1]).crossed(),
            branch("tower_1_").same("conv", 448, [1, 1]).same("conv_1", 384, [3, 3]).crossed(),
            branch("tower_2_").op(pool).same("conv", 192, [1, 1]),
        ];
        self.join(branches)
    }

    /// Adds a 1x3 and a 3x1 convolution side by side.
    fn crossed(self) -> Self {
        let wide = self.branch("mixed_").same("conv", 384, [1, 3]);
        let high = self.branch("mixed_").same("conv_1", 384, [3, 1]);
        self.join(vec![wide, high])
    }
}
