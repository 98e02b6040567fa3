//! What a network does, step by step, for writers of formats that other programs run.

/// A network as a list of steps, with what it does about sizes that do not fit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outline {
    pub steps: Vec<Step>,
    /// Height and width that the steps can take: multiples of this one ...
    pub factor: i64,
    /// ... and no less than that. Other images are extended at their ends by mirroring, again and again where they are
    /// short, and what comes out is cut back.
    pub smallest_side: i64,
}

/// One layer. `name` is that of its parameters, without `.weight` and `.bias`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Reflects so many pixels over each border.
    Reflect(i64),
    /// A convolution with bias.
    Convolution {
        name: String,
        stride: i64,
        padding: i64,
    },
    /// A transposed convolution with bias that doubles height and width: stride 2, padding 1, output padding 1.
    Upsampling {
        name: String,
    },
    /// Makes four of each pixel, so that height and width double.
    Double,
    /// Instance normalisation without parameters, with this epsilon.
    InstanceNorm(f64),
    Relu,
    Tanh,
    /// Adds what these steps make of an input to that input.
    Residual(Vec<Step>),
    /// Adds the image that the first step took in.
    AddImage,
}
