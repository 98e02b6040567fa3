//! Additions to errors of scenes.

use crate::error::Error;
use crate::raster::Source;

/// Names the scene in an error that names no file, and adds advice if memory ran out.
pub(crate) fn of_scene(error: Error, scene: &Source) -> Error {
    let error = advised(error);
    match scene.path() {
        Some(path) if error.path().is_none() => error.at(path),
        _ => error,
    }
}

/// Adds advice if memory ran out.
pub(crate) fn advised(error: Error) -> Error {
    match error.is_out_of_memory() {
        true => error.help("Choose a smaller RasterOptions::tile_size, or close other programs."),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn errors_name_the_scene_and_what_to_do() {
        let scene = Source::open(Path::new("assets/scenes/bluemarble_asia.tif")).unwrap();
        let full = of_scene(Error::torch("CUDA out of memory. Tried to allocate 2.00 GiB"), &scene);
        assert_eq!(full.kind(), ErrorKind::Limits);
        let text = full.to_string();
        assert!(text.contains("bluemarble_asia.tif") && text.contains("tile_size"), "{text}");
        let of_output = of_scene(Error::new(ErrorKind::Io, "the disk is full").at("out.tif"), &scene);
        assert_eq!(of_output.path(), Some(Path::new("out.tif")));
    }
}
