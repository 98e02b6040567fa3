//! Fingerprints of everything that decides the samples of an output, so that a later call knows whether it can resume.
//!
//! Fingerprints are compared with those written by other builds of the same version, so changing their form discards
//! unfinished work; a test keeps the form.

use std::path::Path;

use serde_json::{Value, json};
use tch::Kind;

use super::outputs::Output;
use super::settings::Settings;
use crate::error::Result;
use crate::inference::strategy::{NormStatistics, Translation};
use crate::inference::tiling::{SIDES, TileSize};
use crate::raster::{Source, files_beside};
use crate::store::Identity;

/// The key of the tile size.
const SIZES: &str = "sizes";

/// What all outputs of a call have in common: the weights, and the files if they share statistics.
struct Shared {
    weights: String,
    files: Option<String>,
}

impl Shared {
    fn of(translation: &Translation<'_>, settings: &Settings, sources: &[Source]) -> Result<Self> {
        let files = (settings.statistics == NormStatistics::Inputs).then(|| {
            let files = sources.iter().map(|source| of_source(source).to_string());
            // The names would take much space in each of thousands of outputs.
            format!("{:08x}", files.fold(0, |crc, file| crc32c::crc32c_append(crc, file.as_bytes())))
        });
        Ok(Self { weights: of_weights(translation)?, files })
    }
}

/// Returns, for each output, everything that decides its samples except the tile size, which also depends on free
/// memory.
///
/// # Errors
/// `Torch` if the weights cannot be read.
pub(super) fn of_outputs(
    translation: &Translation<'_>,
    settings: &Settings,
    sources: &[Source],
    outputs: &[Output],
) -> Result<Vec<Value>> {
    let shared = Shared::of(translation, settings, sources)?;
    let of = |output: &Output| of_output(translation, settings, &sources[output.scene], output, &shared);
    Ok(outputs.iter().map(of).collect())
}

fn of_output(
    translation: &Translation<'_>,
    settings: &Settings,
    source: &Source,
    output: &Output,
    Shared { weights, files }: &Shared,
) -> Value {
    let Translation { from, to, precision, device, chip, .. } = translation;
    json!({
        "geolearn": env!("CARGO_PKG_VERSION"),
        "files": files,
        "scene": of_source(source),
        "part": format!("{:?}", output.part),
        "statistics": format!("{:?}", settings.statistics),
        "asked_for": settings.asked_for,
        "arithmetic": format!("{precision:?} {device:?}"),
        "compression": format_of(settings),
        "scaling": format!("{from:?} {to:?} {chip:?}"),
        "weights": weights,
    })
}

/// Describes how the file is written. Plain files are described as before there were others.
fn format_of(settings: &Settings) -> String {
    match settings.overviews {
        Some(overviews) => format!("{:?} {overviews:?}", settings.compression),
        None => format!("{:?}", settings.compression),
    }
}

/// Adds the tile size.
pub(super) fn with_tiles(mut fingerprint: Value, tiles: TileSize) -> Value {
    fingerprint[SIZES] = json!([tiles.side, tiles.halo.pixels]);
    fingerprint
}

/// Returns the tile size of unfinished work, if everything else in its fingerprint equals this one.
pub(super) fn side_of(mut known: Value, fingerprint: &Value) -> Option<usize> {
    let sizes = known.as_object_mut()?.remove(SIZES)?;
    if known != *fingerprint {
        return None;
    }
    sizes.get(0)?.as_u64()?.try_into().ok().filter(|side| SIDES.contains(side))
}

fn of_source(source: &Source) -> Value {
    // A name that is not valid text must not be confused with another one.
    source.path().map_or(Value::Null, |path| {
        let beside = files_beside(path).into_iter().filter(|file| file.exists());
        let beside: Vec<Value> = beside.map(|file| json!([format!("{file:?}"), of_file(&file)])).collect();
        json!([format!("{path:?}"), of_file(path), beside])
    })
}

/// Returns what distinguishes a file from others with the same name.
pub(super) fn of_file(path: &Path) -> Value {
    json!(Identity::of(path))
}

/// Returns a checksum of all weights of the network.
fn of_weights(translation: &Translation<'_>) -> Result<String> {
    let mut crc = 0;
    for (name, tensor) in translation.generator.parameters() {
        crc = crc32c::crc32c_append(crc, name.as_bytes());
        let flat = tensor.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?.f_reshape([-1])?;
        let bytes: Vec<u8> = Vec::<f32>::try_from(flat)?.iter().flat_map(|value| value.to_le_bytes()).collect();
        crc = crc32c::crc32c_append(crc, &bytes);
    }
    Ok(format!("{crc:08x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::tiling::Halo;

    /// A nodata value or georeference that was added beside a scene makes it a different scene.
    #[test]
    fn files_beside_a_scene_count() {
        let folder = tempfile::tempdir().unwrap();
        let scene = folder.path().join("scene.png");
        std::fs::copy("assets/bluemarble/A/images/y0300_x0900.png", &scene).unwrap();
        let told = || of_source(&Source::open(&scene).unwrap());
        let mut known = vec![told()];
        assert_eq!(told(), known[0]);
        for name in ["scene.png.aux.xml", "scene.pgw"] {
            std::fs::write(folder.path().join(name), "<PAMDataset></PAMDataset>").unwrap();
            assert!(!known.contains(&told()), "{name}");
            known.push(told());
        }
    }

    /// If less memory is free now, the tiles keep the size of the existing pieces.
    #[test]
    fn a_resumed_job_keeps_its_tile_size() {
        let job = json!({"geolearn": "1", "weights": "a"});
        let begun = with_tiles(job.clone(), TileSize { side: 1024, halo: Halo { pixels: 36 }, step_bytes: 1 });
        assert_eq!(side_of(begun.clone(), &job), Some(1024));
        assert_eq!(side_of(begun, &json!({"geolearn": "1", "weights": "b"})), None);
        for hostile in
            [json!(null), json!([1]), json!({"sizes": "x"}), json!({"sizes": [-1, 2]}), json!({"sizes": [0, 2]})]
        {
            assert_eq!(side_of(hostile, &json!({})), None);
        }
    }
}
