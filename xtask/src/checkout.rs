//! This checkout: its folders, the libtorch link that `.cargo/config.toml` names, and its cargo.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use crate::libtorch::Libtorch;
use crate::origin::Environment;
use crate::trouble::{Result, Trouble};

pub struct Checkout {
    root: PathBuf,
    target: PathBuf,
}

impl Checkout {
    /// Uses the package folder that cargo reports at run time; the one from compile time is wrong if the checkout was
    /// moved or two checkouts share a target folder.
    pub fn of_this_run() -> Result<Self> {
        let package =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        match package.parent() {
            Some(root) if root.join("Cargo.toml").exists() => Ok(Self { root: root.into(), target: target_dir() }),
            _ => Err(Trouble::new(format!("{} is not the xtask folder of a checkout", package.display()))
                .advice("run it as `cargo xtask` inside the checkout")),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the target folder that this program was built into.
    pub fn target(&self) -> &Path {
        &self.target
    }

    pub fn read(&self, name: &str) -> Result<String> {
        let path = self.root.join(name);
        fs::read_to_string(&path).map_err(Trouble::file("cannot read", &path))
    }

    /// Returns the value of LIBTORCH in `.cargo/config.toml`.
    pub fn link(&self) -> PathBuf {
        self.root.join(".libtorch/torch")
    }

    /// Returns the target of the link, so that build scripts can watch it; they do not see changes behind a link.
    fn stamp(&self) -> PathBuf {
        self.root.join(".libtorch/version")
    }

    /// Points the link to a libtorch. Removes builds made for another one first, because cargo does not notice that the
    /// files behind an unchanged LIBTORCH have changed.
    pub fn lead_to(&self, libtorch: &Libtorch) -> Result<()> {
        let stamp = format!("{} {} {}\n", libtorch.version, libtorch.kind, libtorch.dir.display());
        let link = self.link();
        let leads = libtorch.dir == link || fs::read_link(&link).is_ok_and(|target| target == libtorch.dir);
        if leads && fs::read_to_string(self.stamp()).is_ok_and(|s| s == stamp) {
            return Ok(());
        }
        self.forget_builds()?;
        let folder = self.root.join(".libtorch");
        fs::create_dir_all(&folder).map_err(Trouble::file("cannot create", &folder))?;
        if !leads {
            replace_link(&libtorch.dir, &link)?;
        }
        fs::write(self.stamp(), stamp).map_err(Trouble::file("cannot write", &self.stamp()))
    }

    fn forget_builds(&self) -> Result<()> {
        for (profile, folder) in [("dev", "debug"), ("release", "release")] {
            if !has_torch_sys(&self.target.join(folder).join("build")) {
                continue;
            }
            let mut clean = self.cargo_here();
            clean.current_dir(&self.root).args(["clean", "--quiet", "--profile", profile, "--package", "torch-sys"]);
            if !clean.status().is_ok_and(|status| status.success()) {
                return Err(Trouble::new("the build of torch-sys is for another libtorch, and `cargo clean` failed")
                    .advice("run `cargo clean --package torch-sys`, then try again"));
            }
        }
        Ok(())
    }

    /// Returns cargo as the user would run it by hand, in the current folder.
    pub fn cargo_here(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        if !Environment::of_process().names_libtorch(self) {
            // Cargo set it for this process from `.cargo/config.toml`, and will set it again for itself.
            cargo.env_remove("LIBTORCH");
        }
        cargo
    }
}

fn target_dir() -> PathBuf {
    let own = || env::current_exe().ok()?.ancestors().nth(2).map(Path::to_path_buf);
    env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).or_else(own).unwrap_or_else(|| "target".into())
}

fn has_torch_sys(build: &Path) -> bool {
    let entries = fs::read_dir(build).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("torch-sys-"))
}

/// Creates the link under a temporary name and renames it, so that a valid link exists at all times.
fn replace_link(target: &Path, link: &Path) -> Result<()> {
    let fresh = link.with_file_name(format!("torch.{}", process::id()));
    let _ = fs::remove_file(&fresh);
    symlink_dir(target, &fresh)
        .and_then(|()| fs::rename(&fresh, link))
        .map_err(Trouble::file("cannot make the link", link))
        .map_err(|trouble| {
            let _ = fs::remove_file(&fresh);
            trouble.advice(format!("remove {} and run this again", link.display()))
        })
}

#[cfg(unix)]
pub fn symlink_dir(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
pub fn symlink_dir(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_dir(target, link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libtorch::Kind;
    use crate::scratch::Scratch;

    fn libtorch(dir: &Path) -> Libtorch {
        Libtorch { dir: dir.into(), version: "2.11.0".into(), cuda: None, kind: Kind::Cpu }
    }

    #[test]
    fn the_link_follows_the_last_choice() {
        let scratch = Scratch::new("link").unwrap();
        let checkout = Checkout { root: scratch.path().join("checkout"), target: scratch.path().join("target") };
        for name in ["first", "second", "second"] {
            let dir = scratch.path().join(name);
            checkout.lead_to(&libtorch(&dir)).unwrap();
            assert_eq!(fs::read_link(checkout.link()).unwrap(), dir);
            assert!(fs::read_to_string(checkout.stamp()).unwrap().contains(name));
        }
        assert_eq!(fs::read_dir(scratch.path().join("checkout/.libtorch")).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_in_the_place_of_the_link_is_not_removed() {
        let scratch = Scratch::new("folder").unwrap();
        let checkout = Checkout { root: scratch.path().into(), target: scratch.path().join("target") };
        fs::create_dir_all(checkout.link().join("lib")).unwrap();
        let trouble = checkout.lead_to(&libtorch(Path::new("/elsewhere"))).unwrap_err().to_string();
        assert!(trouble.contains("remove"), "{trouble}");
        assert!(checkout.link().join("lib").exists());
    }
}
