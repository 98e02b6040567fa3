//! Setters that builders and imports of all kinds of models have: written and documented once.

/// Writes setters into a type with the fields `config` and `device`. In parentheses stands the default where it depends on the
/// type.
macro_rules! setters {
    ($type:ident: $($name:ident $(($default:literal))?),+ $(,)?) => {
        impl $type {
            $($crate::models::core::setters!(@ $name $($default)?);)+
        }
    };
    (@ gen_blocks) => {
        /// Sets the residual blocks of a ResNet generator. Default: 9.
        pub fn gen_blocks(mut self, blocks: usize) -> Self {
            self.config.gen_blocks = blocks;
            self
        }
    };
    (@ gen_features) => {
        /// Sets the feature maps of a generator's first layer. Default: 64.
        pub fn gen_features(mut self, features: usize) -> Self {
            self.config.gen_features = features;
            self
        }
    };
    (@ disc_features) => {
        /// Sets the feature maps of a discriminator's first layer. Default: 64.
        pub fn disc_features(mut self, features: usize) -> Self {
            self.config.disc_features = features;
            self
        }
    };
    (@ lsgan $default:literal) => {
        /// Sets the adversarial loss of all networks: least squares when true, binary cross-entropy when false.
        #[doc = concat!("Default: ", $default, ".")]
        pub fn lsgan(mut self, on: bool) -> Self {
            self.config.adversarial = $crate::loss::AdversarialLoss::of_lsgan(on);
            self
        }
    };
    (@ initialization) => {
        /// Sets how weights begin. Default: as in the paper.
        pub fn initialization(mut self, scheme: $crate::nn::Initialization) -> Self {
            self.config.initialization = scheme;
            self
        }
    };
    (@ seed $default:literal) => {
        #[doc = concat!("Sets the root of all randomness of the model. Default: ", $default, ".")]
        pub fn seed(mut self, seed: u64) -> Self {
            self.config.seed = seed;
            self
        }
    };
    (@ device) => {
        /// Sets where to compute. Default: the first CUDA device that can be used, else the processor.
        pub fn device(mut self, device: $crate::device::Device) -> Self {
            self.device = device;
            self
        }
    };
}

pub(crate) use setters;
