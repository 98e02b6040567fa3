//! Determines which libtorch a build will use, by the same rules as torch-sys.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::checkout::Checkout;

#[derive(Debug, PartialEq)]
pub enum Origin {
    /// `LIBTORCH_USE_PYTORCH`: the torch of the active Python. Takes precedence over LIBTORCH.
    Pytorch,
    /// The user's LIBTORCH.
    Own(PathBuf),
    /// The link in this checkout that `.cargo/config.toml` names.
    Checkout,
}

#[derive(Default)]
pub struct Environment {
    pub libtorch: Option<OsString>,
    pub use_pytorch: Option<OsString>,
    /// `LIBTORCH_BYPASS_VERSION_CHECK`: torch-sys and xtask accept any release.
    pub bypass: Option<OsString>,
}

impl Environment {
    pub fn of_process() -> Self {
        Self {
            libtorch: env::var_os("LIBTORCH"),
            use_pytorch: env::var_os("LIBTORCH_USE_PYTORCH"),
            bypass: env::var_os("LIBTORCH_BYPASS_VERSION_CHECK"),
        }
    }

    pub fn origin(&self, checkout: &Checkout) -> Origin {
        match &self.libtorch {
            // torch-sys accepts any value, even `0`.
            _ if self.use_pytorch.is_some() => Origin::Pytorch,
            Some(dir) if !is_link(Path::new(dir), checkout) => Origin::Own(dir.into()),
            _ => Origin::Checkout,
        }
    }

    /// Returns whether the user set LIBTORCH; cargo sets it too, from `.cargo/config.toml`.
    pub fn names_libtorch(&self, checkout: &Checkout) -> bool {
        self.libtorch.as_ref().is_some_and(|dir| !is_link(Path::new(dir), checkout))
    }
}

/// Compares the locations of the links, not their targets: the checkout's link may not exist yet, and cargo may know
/// the checkout by another path.
fn is_link(dir: &Path, checkout: &Checkout) -> bool {
    let root_of = |link: &Path| link.ancestors().nth(2)?.canonicalize().ok();
    dir.ends_with(".libtorch/torch") && root_of(dir).is_some_and(|root| Some(root) == root_of(&checkout.link()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(libtorch: Option<&Path>, use_pytorch: Option<&str>) -> Environment {
        Environment { libtorch: libtorch.map(Into::into), use_pytorch: use_pytorch.map(Into::into), bypass: None }
    }

    #[test]
    fn cargos_own_setting_is_not_the_users() {
        let checkout = Checkout::of_this_run().unwrap();
        for libtorch in [None, Some(checkout.link()), Some(checkout.root().join("src/../.libtorch/torch"))] {
            let environment = environment(libtorch.as_deref(), None);
            assert_eq!(environment.origin(&checkout), Origin::Checkout);
            assert!(!environment.names_libtorch(&checkout));
        }
    }

    #[test]
    fn the_users_libtorch_is_told_apart() {
        let checkout = Checkout::of_this_run().unwrap();
        for path in ["/opt/libtorch", "", "libtorch", "/elsewhere/.libtorch/torch"] {
            let path = Path::new(path);
            assert_eq!(environment(Some(path), None).origin(&checkout), Origin::Own(path.into()));
        }
    }

    #[test]
    fn pytorch_goes_first_whatever_its_value() {
        let checkout = Checkout::of_this_run().unwrap();
        for value in ["1", "0", ""] {
            assert_eq!(environment(None, Some(value)).origin(&checkout), Origin::Pytorch);
            assert_eq!(environment(Some(Path::new("/opt/libtorch")), Some(value)).origin(&checkout), Origin::Pytorch);
        }
    }
}
