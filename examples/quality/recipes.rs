//! The recipes by name.

use geolearn::{CycleGanBuilder, DiffAugment, FitOptions, Upsampling, UpsamplingInit};

use crate::Outcome;

/// What a recipe changes in the published one.
struct Recipe {
    name: &'static str,
    change: &'static str,
    model: fn(CycleGanBuilder) -> CycleGanBuilder,
    fit: fn(FitOptions) -> FitOptions,
}

const RECIPES: [Recipe; 9] = [
    Recipe { name: "paper", change: "the published recipe, nothing changed", model: |model| model, fit: |fit| fit },
    Recipe {
        name: "average",
        change: "running mean of the generators' weights, half-life 500 images",
        model: |model| model.average_half_life(500.0),
        fit: |fit| fit,
    },
    Recipe {
        name: "bilinear",
        change: "bilinear start of the transposed convolutions",
        model: |model| model.upsampling_init(UpsamplingInit::Bilinear),
        fit: |fit| fit,
    },
    Recipe {
        name: "spectral",
        change: "spectral norm in the discriminators",
        model: |model| model.spectral_norm(true),
        fit: |fit| fit,
    },
    Recipe {
        name: "spectral-half-rate",
        change: "spectral norm in the discriminators, at half the generators' rate",
        model: |model| model.spectral_norm(true),
        fit: |fit| fit.disc_lr_ratio(0.5),
    },
    Recipe {
        name: "diff-augment",
        change: "DiffAugment by translation and cutout",
        model: |model| model.diff_augment(DiffAugment::default().translation(true).cutout(true)),
        fit: |fit| fit,
    },
    Recipe {
        name: "cycle-decay",
        change: "weight of the cycle loss from 10 to 1",
        model: |model| model.cycle_weight_end(1.0),
        fit: |fit| fit,
    },
    Recipe {
        name: "resize-convolution",
        change: "resize-convolutions in the place of transposed ones",
        model: |model| model.upsampling(Upsampling::Resize),
        fit: |fit| fit,
    },
    Recipe {
        name: "two-scales",
        change: "a second discriminator of each domain, at half size",
        model: |model| model.disc_scales(2),
        fit: |fit| fit,
    },
];

/// Several recipes at once.
pub struct Mixture(Vec<&'static Recipe>);

impl Mixture {
    /// Finds the recipes of a name such as `average+bilinear`.
    pub fn named(name: &str) -> Outcome<Self> {
        let find = |part: &str| RECIPES.iter().find(|recipe| recipe.name == part).ok_or_else(|| unknown(part).into());
        Ok(Self(name.split('+').map(find).collect::<Outcome<_>>()?))
    }

    pub fn model(&self, model: CycleGanBuilder) -> CycleGanBuilder {
        self.0.iter().fold(model, |model, recipe| (recipe.model)(model))
    }

    pub fn fit(&self, fit: FitOptions) -> FitOptions {
        self.0.iter().fold(fit, |fit, recipe| (recipe.fit)(fit))
    }

    fn change(&self) -> String {
        self.0.iter().map(|recipe| recipe.change).collect::<Vec<_>>().join("; ")
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
    format!("there is no recipe {name:?}; there are {}, and several joined by `+`", names.join(", "))
}

/// Prints a line for each of the recipes.
pub fn describe(names: &str) -> Outcome<()> {
    for name in names.split(',') {
        println!("{name}\t{}", Mixture::named(name)?.change());
    }
    Ok(())
}
