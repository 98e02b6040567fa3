//! Lists the recipes by name.

use geolearn::FitOptions;
use geolearn::loss::DiffAugment;
use geolearn::models::cyclegan::CycleGanBuilder;
use geolearn::models::pix2pix::{Generator, Pix2PixBuilder};
use geolearn::nn::{Upsampling, UpsamplingInit};

use crate::Outcome;
use crate::model::Kind;

/// A change to the published recipe.
struct Recipe {
    name: &'static str,
    change: &'static str,
    apply: Change,
}

/// What a recipe changes: the model, the training as well, or the kind of model (Pix2Pix, which learns from pairs).
enum Change {
    Nothing,
    Model(fn(CycleGanBuilder) -> CycleGanBuilder),
    Both(fn(CycleGanBuilder) -> CycleGanBuilder, fn(FitOptions) -> FitOptions),
    Pairs(fn(Pix2PixBuilder) -> Pix2PixBuilder),
}

use Change::{Both, Model, Nothing, Pairs};

/// Training done by another program.
const PYTORCH: &str = "pytorch";

const RECIPES: [Recipe; 13] = [
    Recipe { name: "paper", change: "the published recipe, unchanged", apply: Nothing },
    Recipe {
        name: "average",
        change: "running mean of the generators' weights, half-life 500 images",
        apply: Model(|model| model.average_half_life(500.0)),
    },
    Recipe {
        name: "bilinear",
        change: "bilinear initialization of the transposed convolutions",
        apply: Model(|model| model.upsampling_init(UpsamplingInit::Bilinear)),
    },
    Recipe {
        name: "spectral",
        change: "spectral norm in the discriminators",
        apply: Model(|model| model.spectral_norm(true)),
    },
    Recipe {
        name: "spectral-half-rate",
        change: "spectral norm in the discriminators, at half the generators' rate",
        apply: Both(|model| model.spectral_norm(true), |fit| fit.disc_lr_ratio(0.5)),
    },
    Recipe {
        name: "diff-augment",
        change: "DiffAugment by translation and cutout",
        apply: Model(|model| model.diff_augment(DiffAugment::default().translation(true).cutout(true))),
    },
    Recipe {
        name: "light-cycle",
        change: "weight of the cycle loss 3 instead of 10",
        apply: Model(|model| model.cycle_weight(3.0)),
    },
    Recipe {
        name: "cycle-decay",
        change: "weight of the cycle loss from 10 to 1",
        apply: Model(|model| model.cycle_weight_end(1.0)),
    },
    Recipe {
        name: "resize-convolution",
        change: "resize-convolutions instead of transposed ones",
        apply: Model(|model| model.upsampling(Upsampling::Resize)),
    },
    Recipe {
        name: "global-skip",
        change: "a skip connection from the input image to the output of each generator",
        apply: Model(|model| model.global_skip(true)),
    },
    Recipe {
        name: "two-scales",
        change: "a second discriminator for each domain, at half resolution",
        apply: Model(|model| model.disc_scales(2)),
    },
    Recipe { name: "pix2pix", change: "Pix2Pix, which learns from pairs, with its U-Net", apply: Pairs(|model| model) },
    Recipe {
        name: "pix2pix-resnet",
        change: "Pix2Pix with the CycleGAN generator",
        apply: Pairs(|model| model.generator(Generator::Resnet)),
    },
];

/// A combination of recipes.
pub struct Mixture(Vec<&'static Recipe>);

impl Mixture {
    /// Parses a name such as `average+bilinear`; all recipes in it must be of one kind of model.
    pub fn named(name: &str) -> Outcome<Self> {
        let find = |part: &str| RECIPES.iter().find(|recipe| recipe.name == part).ok_or_else(|| unknown(part).into());
        let mixture = Self(name.split('+').map(find).collect::<Outcome<_>>()?);
        let pairs = mixture.0.iter().filter(|recipe| matches!(recipe.apply, Pairs(_))).count();
        if pairs == 0 || pairs == mixture.0.len() {
            return Ok(mixture);
        }
        Err(format!("{name:?} combines recipes for Pix2Pix and CycleGAN; combine recipes of one kind of model").into())
    }

    pub fn kind(&self) -> Kind {
        match self.0.iter().any(|recipe| matches!(recipe.apply, Pairs(_))) {
            true => Kind::Pix2Pix,
            false => Kind::CycleGan,
        }
    }

    pub fn cyclegan(&self, model: CycleGanBuilder) -> CycleGanBuilder {
        self.0.iter().fold(model, |model, recipe| match recipe.apply {
            Nothing | Pairs(_) => model,
            Model(change) | Both(change, _) => change(model),
        })
    }

    pub fn pix2pix(&self, model: Pix2PixBuilder) -> Pix2PixBuilder {
        self.0.iter().fold(model, |model, recipe| match recipe.apply {
            Pairs(change) => change(model),
            Nothing | Model(_) | Both(..) => model,
        })
    }

    pub fn fit(&self, fit: FitOptions) -> FitOptions {
        self.0.iter().fold(fit, |fit, recipe| match recipe.apply {
            Nothing | Model(_) | Pairs(_) => fit,
            Both(_, change) => change(fit),
        })
    }

    fn change(&self) -> String {
        self.0.iter().map(|recipe| recipe.change).collect::<Vec<_>>().join("; ")
    }
}

/// Returns the kind of model that a recipe trains, including PyTorch's.
pub fn kind_of(name: &str) -> Outcome<Kind> {
    if name == PYTORCH { Ok(Kind::CycleGan) } else { Ok(Mixture::named(name)?.kind()) }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
    format!("unknown recipe {name:?}: expected one of {}, or several combined with `+`", names.join(", "))
}

/// Prints one line per recipe.
pub fn describe(names: &str) -> Outcome<()> {
    for name in names.split(',') {
        println!("{name}\t{}", Mixture::named(name)?.change());
    }
    Ok(())
}
