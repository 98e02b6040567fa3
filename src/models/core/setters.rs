//! Setters that builders and imports of all kinds of models share: written and documented once.

/// Writes setters for a type with the fields `config` and `device`. A default that depends on the type is given in
/// parentheses.
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
        /// Sets how weights are initialized. Default: as in the paper.
        pub fn initialization(mut self, scheme: $crate::nn::Initialization) -> Self {
            self.config.initialization = scheme;
            self
        }
    };
    (@ seed $default:literal) => {
        #[doc = concat!("Sets the seed of all randomness of the model. Default: ", $default, ".")]
        pub fn seed(mut self, seed: u64) -> Self {
            self.config.seed = seed;
            self
        }
    };
    (@ device) => {
        /// Sets the device to compute on. Default: the first CUDA device that is available, or else the CPU.
        pub fn device(mut self, device: $crate::device::Device) -> Self {
            self.device = device;
            self
        }
    };
}

pub(crate) use setters;
