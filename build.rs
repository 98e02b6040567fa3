//! Compiles the C++ shim and tells the linker and `cargo run` where libtorch lies.

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/ffi");
    println!("cargo:rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    // Set by torch-sys (links = "tch"); absent with `doc-only`, where nothing is compiled or linked.
    let Some(lib) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        return;
    };
    watch_setup(&lib);
    compile_shim(&lib);
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        show_libraries(&lib);
    }
}

/// `cargo xtask setup` writes a `version` file beside its link when it puts another libtorch there.
fn watch_setup(lib: &Path) {
    if let Some(stamp) = lib.ancestors().nth(2).map(|dir| dir.join("version"))
        && stamp.exists()
    {
        println!("cargo:rerun-if-changed={}", stamp.display());
    }
}

const SHIM: [&str; 10] =
    ["shim", "gradient", "memory", "keep", "script", "profile", "transfer", "graph", "cuda/kernels", "cuda/layers"];
/// Exchange between processes, with what libtorch's packages lack of Gloo's headers.
const C10D: &str = "src/ffi/c10d";

fn compile_shim(lib: &Path) {
    compiler(lib).files(SHIM.map(|name| format!("src/ffi/{name}.cpp"))).compile("geolearn_shim");
    compiler(lib)
        .include(C10D)
        .files(["c10d.cpp", "nccl.cpp"].map(|name| Path::new(C10D).join(name)))
        .compile("geolearn_c10d");
    compile_layers(compiler(lib));
}

/// Inner loops: optimized in every profile, or tests would take minutes.
fn compile_layers(mut build: cc::Build) {
    let tool = build.get_compiler();
    let source = if tool.is_like_msvc() { "absent.cpp" } else { "layers.cpp" };
    if tool.is_like_gnu() {
        // Side by side on libtorch's own threads, which are those of GCC's runtime; another compiler's would be others.
        build.flag("-fopenmp");
    }
    build.opt_level(3).file(Path::new("src/ffi/cpu").join(source)).compile("geolearn_layers");
}

fn compiler(lib: &Path) -> cc::Build {
    let root = env::var_os("LIBTORCH_INCLUDE")
        .map(PathBuf::from)
        .or_else(|| lib.parent().map(Path::to_path_buf))
        .unwrap_or_default();
    let abi = env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".into());
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .pic(true)
        .warnings(false)
        .debug(false)
        .include(root.join("include"))
        .include(root.join("include/torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", abi.as_str());
    build
}

/// Lets programs find libtorch without LD_LIBRARY_PATH: our own by rpath, those that cargo starts
/// (tests, doctests, dependents' too) by a search path inside OUT_DIR.
fn show_libraries(lib: &Path) {
    println!("cargo:libtorch_lib={}", lib.display());
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    let link = out.join("libtorch");
    let _ = std::fs::remove_file(&link);
    // Cargo puts only search paths inside the target folder on the library path of what it starts.
    #[cfg(unix)]
    if std::os::unix::fs::symlink(lib, &link).is_ok() {
        println!("cargo:rustc-link-search=native={}", link.display());
    }
}
