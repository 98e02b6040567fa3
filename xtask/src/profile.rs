//! Cargo profiles of the programs that xtask builds and runs.

use std::path::PathBuf;

use crate::checkout::Checkout;
use crate::compare::succeed;
use crate::trouble::Result;

/// A cargo profile.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Profile {
    /// For measurements.
    #[default]
    Release,
    /// For smoke tests, with programs that the tests have built already.
    Dev,
}

impl Profile {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "release" => Some(Self::Release),
            "dev" => Some(Self::Dev),
            _ => None,
        }
    }

    /// Returns cargo's name of the profile, and of its folder.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Release => ["release", "release"],
            Self::Dev => ["dev", "debug"],
        }
    }

    /// Builds an example of the library and returns its path.
    pub fn example(self, checkout: &Checkout, name: &str) -> Result<PathBuf> {
        let [profile, folder] = self.names();
        let mut cargo = checkout.cargo_here();
        cargo.args(["build", "--quiet", "--package", "geolearn", "--profile", profile, "--example", name]);
        succeed(&mut cargo)?;
        Ok(checkout.target().join(folder).join("examples").join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_go_by_cargos_names() {
        assert_eq!(Profile::default(), Profile::Release);
        for profile in [Profile::Release, Profile::Dev] {
            assert_eq!(Profile::parse(profile.names()[0]), Some(profile));
        }
        assert_eq!(Profile::parse("debug"), None);
    }
}
