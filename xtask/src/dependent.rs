//! `cargo xtask dependent`: creates a crate outside the workspace that depends on this one, and runs it in each way
//! that docs/setup.md describes, without any of this workspace's settings.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::checkout::Checkout;
use crate::libtorch::Libtorch;
use crate::origin::{Environment, Origin};
use crate::release::{self, Release};
use crate::scratch::Scratch;
use crate::setup;
use crate::trouble::{Result, Trouble};

const MAIN: &str = include_str!("../templates/main.rs");
const BUILD: &str = include_str!("../templates/build.rs");
/// Names the variable with the folder of chips.
const CHIPS: &str = "GEOLEARN_CHIPS";
const WORKS: &str = "dependent: works";

#[cfg(target_os = "macos")]
const LIBRARY_PATH: &str = "DYLD_LIBRARY_PATH";
#[cfg(windows)]
const LIBRARY_PATH: &str = "PATH";
#[cfg(not(any(target_os = "macos", windows)))]
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

pub fn check(checkout: &Checkout) -> Result<()> {
    let libtorch = setup::prepare(checkout, None)?;
    let scratch = Scratch::new("dependent")?;
    let dependent = Dependent::make(checkout, libtorch, scratch.path())?;
    dependent.runs("by cargo run", dependent.cargo().args(["run", "--quiet"]))?;
    if cfg!(unix) {
        let lib = dependent.libtorch.dir.join("lib");
        dependent
            .runs(&format!("by itself, with {LIBRARY_PATH}"), dependent.started_directly().env(LIBRARY_PATH, lib))?;
    }
    if cfg!(target_os = "linux") {
        dependent.write("build.rs", BUILD)?;
        dependent.succeeds(dependent.cargo().args(["build", "--quiet"]))?;
        dependent.runs("by itself, with a build.rs of three lines", &mut dependent.started_directly())?;
    }
    // The folder is new each time, and so are its builds.
    dependent.succeeds(dependent.cargo().args(["clean", "--quiet", "--package", "dependent"]))
}

struct Dependent {
    folder: PathBuf,
    target: PathBuf,
    libtorch: Libtorch,
    by_pytorch: bool,
    /// Returns the chips to train on, from this checkout.
    chips: PathBuf,
}

impl Dependent {
    fn make(checkout: &Checkout, libtorch: Libtorch, scratch: &Path) -> Result<Self> {
        let origin = Environment::of_process().origin(checkout);
        // Kept between runs, because torch-sys takes a minute to build.
        let target = checkout.target().join("dependent");
        let target = std::path::absolute(&target).map_err(Trouble::file("cannot use", &target))?;
        let folder = scratch.join("dependent");
        let chips = checkout.root().join("assets/bluemarble");
        let this = Self { folder, target, libtorch, by_pytorch: origin == Origin::Pytorch, chips };
        this.succeeds(this.clean("cargo").args(["new", "--quiet", "--vcs", "none"]).arg(&this.folder))?;
        this.write("src/main.rs", MAIN)?;
        this.succeeds(this.cargo().args(["add", "--quiet", "--path"]).arg(checkout.root()))?;
        // The version that cargo selects must match the installed libtorch.
        let (expected, found) = (release::locked(&checkout.read("Cargo.lock")?)?, this.locked_release()?);
        if found != expected {
            let text = format!("a dependent crate gets tch {}, but this checkout has {}", found.tch, expected.tch);
            return Err(Trouble::new(text).advice("narrow the requirement of tch in Cargo.toml"));
        }
        Ok(this)
    }

    /// Returns the release in the dependent's Cargo.lock.
    fn locked_release(&self) -> Result<&'static Release> {
        self.succeeds(self.cargo().args(["generate-lockfile", "--quiet"]))?;
        let path = self.folder.join("Cargo.lock");
        release::locked(&fs::read_to_string(&path).map_err(Trouble::file("cannot read", &path))?)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(Trouble::file("cannot write", &path))
    }

    fn cargo(&self) -> Command {
        let mut cargo = self.clean(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target);
        // Debug information of the C++ in torch-sys takes half a minute to build.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
        if !self.by_pytorch {
            cargo.env("LIBTORCH", &self.libtorch.dir);
        }
        cargo
    }

    fn started_directly(&self) -> Command {
        self.clean(self.target.join("debug/dependent"))
    }

    /// Removes from a command what cargo and this workspace have added to the environment.
    fn clean(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_remove("LIBTORCH").env(CHIPS, &self.chips);
        if LIBRARY_PATH != "PATH" {
            command.env_remove(LIBRARY_PATH);
        }
        command
    }

    fn succeeds(&self, command: &mut Command) -> Result<()> {
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Trouble::new(format!("{command:?} exited with {status}"))),
            Err(e) => Err(Trouble::new(format!("cannot start {command:?}: {e}"))),
        }
    }

    fn runs(&self, way: &str, command: &mut Command) -> Result<()> {
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.map_err(|e| Trouble::new(format!("cannot start {command:?}: {e}")))?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        if output.status.success() && stdout.lines().any(|line| line == WORKS) {
            eprintln!("xtask: a crate that depends on this one works when started {way}");
            return Ok(());
        }
        Err(Trouble::new(format!(
            "a crate that depends on this one should print {WORKS:?} when started {way}; it exited with {} and printed {stdout:?}",
            output.status
        )))
    }
}
