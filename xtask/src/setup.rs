//! Finds a libtorch that a build can use, or downloads one.

use std::fs;
use std::path::Path;

use crate::checkout::Checkout;
use crate::libtorch::{Kind, Libtorch};
use crate::machine::Machine;
use crate::origin::{Environment, Origin};
use crate::python::Python;
use crate::release::{self, Release};
use crate::store::Store;
use crate::trouble::{Result, Trouble};

const SETUP: &str = "`cargo xtask setup` installs one (as do demo and test)";

/// Returns the libtorch that cargo will use from now on.
pub fn prepare(checkout: &Checkout, asked: Option<Kind>) -> Result<Libtorch> {
    let release = release::locked(&checkout.read("Cargo.lock")?)?;
    let environment = Environment::of_process();
    let origin = environment.origin(checkout);
    if origin == Origin::Checkout {
        let chosen = choose(checkout, release, asked)?;
        checkout.lead_to(&chosen)?;
        return Ok(chosen);
    }
    if let Some(kind) = asked {
        return Err(Trouble::new(format!("a {kind} libtorch was requested, but {} selects one", variable(&origin)))
            .advice("unset it, or omit the flag"));
    }
    let chosen = look(checkout, release)?;
    // Plain cargo commands use it once the variable is unset.
    if chosen.is_of(release) && in_checkout(checkout, release).is_err() {
        checkout.lead_to(&chosen)?;
    }
    Ok(chosen)
}

/// Returns the libtorch that a build would use now; fails if it is unusable.
pub fn look(checkout: &Checkout, release: &Release) -> Result<Libtorch> {
    let environment = Environment::of_process();
    match environment.origin(checkout) {
        Origin::Checkout => in_checkout(checkout, release),
        Origin::Own(dir) => own(&dir, release, &environment),
        Origin::Pytorch => of_pytorch(release, &environment),
    }
}

/// Returns a Python-installed torch of this release, of any kind.
pub fn installed(release: &Release) -> Option<Libtorch> {
    let dir = Python::of_user().torch().ok()??;
    Libtorch::of_release(&dir, release).ok()
}

fn variable(origin: &Origin) -> &'static str {
    if *origin == Origin::Pytorch { "LIBTORCH_USE_PYTORCH" } else { "LIBTORCH" }
}

/// Keeps the checkout's libtorch as long as it is of the requested kind.
fn choose(checkout: &Checkout, release: &Release, asked: Option<Kind>) -> Result<Libtorch> {
    let serves = |libtorch: &Libtorch| asked.is_none_or(|kind| kind == libtorch.kind);
    if let Some(linked) = in_checkout(checkout, release).ok().filter(serves) {
        return Ok(linked);
    }
    if let Some(installed) = installed(release).filter(serves) {
        eprintln!("xtask: using {installed}");
        if installed.kind == Kind::Cpu && asked.is_none() && Machine::this().device.is_some() {
            eprintln!(
                "xtask: it has no CUDA support, but this machine has an NVIDIA device: `cargo xtask setup --cuda` downloads one that has"
            );
        }
        return Ok(installed);
    }
    let kind = fetched_kind(asked)?;
    let store = Store::of_user()?;
    match store.find(release, kind) {
        Some(found) => Ok(found),
        None => store.fetch(release, kind, &Python::of_user()),
    }
}

fn fetched_kind(asked: Option<Kind>) -> Result<Kind> {
    let wheels_have_cuda = cfg!(target_os = "linux");
    match asked {
        Some(Kind::Cuda) if !wheels_have_cuda => {
            Err(Trouble::new("outside Linux, PyTorch's wheels on PyPI have no CUDA")
                .advice("install a CUDA build of PyTorch or libtorch and set LIBTORCH to it"))
        }
        Some(kind) => Ok(kind),
        None if wheels_have_cuda && Machine::this().device.is_some() => Ok(Kind::Cuda),
        None => Ok(Kind::Cpu),
    }
}

/// Returns the target of the checkout's link, as a real path.
fn in_checkout(checkout: &Checkout, release: &Release) -> Result<Libtorch> {
    let link = checkout.link();
    let target = match fs::read_link(&link) {
        Ok(target) => target,
        // A user put a folder there by hand.
        Err(_) if link.is_dir() => link.clone(),
        Err(_) => {
            return Err(Trouble::new(format!("this checkout has no libtorch yet ({} is missing)", link.display()))
                .advice(SETUP));
        }
    };
    Libtorch::of_release(&target, release).map_err(|trouble| {
        Trouble::new(format!("{} does not lead to a usable libtorch: {}", link.display(), trouble.parts().0))
            .advice(SETUP)
    })
}

fn own(dir: &Path, release: &Release, environment: &Environment) -> Result<Libtorch> {
    let advice = format!(
        "set LIBTORCH to the folder of a libtorch {}, or unset it and run `cargo xtask setup`",
        release.libtorch
    );
    if !dir.is_absolute() {
        let found = if dir.as_os_str().is_empty() { "is empty".into() } else { format!("is {}", dir.display()) };
        return Err(Trouble::new(format!("LIBTORCH must be an absolute path, but {found}")).advice(advice));
    }
    usable(dir, release, environment).map_err(|trouble| named("LIBTORCH", &trouble).advice(advice))
}

fn of_pytorch(release: &Release, environment: &Environment) -> Result<Libtorch> {
    let python = Python::of_torch_sys();
    let advice = format!(
        "install it there (`{python} -m pip install torch=={}`), activate an environment that has it, or unset \
         LIBTORCH_USE_PYTORCH (any value counts, 0 too)",
        release.libtorch
    );
    let torch = match python.torch()? {
        Some(dir) => usable(&dir, release, environment),
        None => Err(Trouble::new(format!("{python} has no torch"))),
    };
    torch.map_err(|trouble| named("LIBTORCH_USE_PYTORCH", &trouble).advice(advice))
}

fn usable(dir: &Path, release: &Release, environment: &Environment) -> Result<Libtorch> {
    if environment.bypass.is_some() { Libtorch::at(dir) } else { Libtorch::of_release(dir, release) }
}

fn named(variable: &str, trouble: &Trouble) -> Trouble {
    Trouble::new(format!("{variable} is set, but {}", trouble.parts().0))
}
