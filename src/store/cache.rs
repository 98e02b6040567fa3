//! The folder in which what was fetched lies. `xtask`, which fetches it, compiles this file too.

use std::ffi::OsString;
use std::path::PathBuf;

/// Returns `$XDG_CACHE_HOME/geolearn`, or `~/.cache/geolearn` without that variable; `None` where there is no home
/// folder either.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    folder_from(|name| std::env::var_os(name))
}

/// Paths that are not absolute do not count.
fn folder_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = path("XDG_CACHE_HOME")
        .or_else(|| path("HOME").map(|home| home.join(".cache")))
        .or_else(|| path("LOCALAPPDATA"))?;
    Some(cache.join("geolearn"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn the_first_absolute_path_counts() {
        let found = |variables: &[(&str, &str)]| {
            folder_from(|name| variables.iter().find(|(of, _)| *of == name).map(|(_, path)| path.into()))
        };
        let home = ("HOME", "/home/a");
        assert_eq!(found(&[home, ("XDG_CACHE_HOME", "/cache")]), Some("/cache/geolearn".into()));
        assert_eq!(found(&[home, ("XDG_CACHE_HOME", "cache")]), Some("/home/a/.cache/geolearn".into()));
        assert_eq!(found(&[home, ("XDG_CACHE_HOME", "")]), Some("/home/a/.cache/geolearn".into()));
        assert_eq!(found(&[("LOCALAPPDATA", "/local")]), Some("/local/geolearn".into()));
        assert_eq!(found(&[]), None);
    }
}
