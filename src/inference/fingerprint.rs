//! What decides the samples of an output, so that a later run knows whether it may go on with what is there.

use std::path::Path;

use serde_json::{Value, json};
use tch::Kind;

use super::job::Job;
use super::options::{NormStatistics, RasterOptions};
use super::sizes::Sizes;
use super::translation::Translation;
use crate::error::Result;
use crate::raster::{Source, files_beside};
use crate::store::Identity;

const SIZES: &str = "sizes";

/// What is the same for all jobs of a call: the weights, and the files where statistics are those of all of them.
pub(crate) struct Shared {
    weights: String,
    files: Option<String>,
}

impl Shared {
    pub fn of(translation: &Translation<'_>, options: &RasterOptions, sources: &[Source]) -> Result<Self> {
        let files = (options.statistics == NormStatistics::Inputs).then(|| {
            let files = sources.iter().map(|source| of_source(source).to_string());
            // Their names would take much room in each of thousands of jobs.
            format!("{:08x}", files.fold(0, |crc, file| crc32c::crc32c_append(crc, file.as_bytes())))
        });
        Ok(Self { weights: of_weights(translation)?, files })
    }
}

/// All that decides the samples of an output but [`Sizes`], which depend on free memory too.
pub(crate) fn of_job(
    translation: &Translation<'_>,
    options: &RasterOptions,
    source: &Source,
    job: &Job,
    Shared { weights, files }: &Shared,
) -> Value {
    let Translation { from, to, precision, device, chip, .. } = translation;
    json!({
        "geolearn": env!("CARGO_PKG_VERSION"),
        "files": files,
        "scene": of_source(source),
        "part": format!("{:?}", job.part),
        "statistics": format!("{:?}", options.statistics),
        "asked_for": [options.tile_size, options.halo],
        "arithmetic": format!("{precision:?} {device:?}"),
        "compression": format!("{:?} {:?}", options.compression, options.overviews),
        "scaling": format!("{from:?} {to:?} {chip:?}"),
        "weights": weights,
    })
}

/// The same with the sizes of tiles.
pub(crate) fn with_sizes(mut job: Value, sizes: Sizes) -> Value {
    job[SIZES] = json!([sizes.side, sizes.halo]);
    job
}

/// The side of the tiles of an unfinished job, where in all else it is this one.
pub(crate) fn side_of(mut known: Value, job: &Value) -> Option<usize> {
    let sizes = known.as_object_mut()?.remove(SIZES)?;
    if known != *job {
        return None;
    }
    sizes.get(0)?.as_u64()?.try_into().ok()
}

fn of_source(source: &Source) -> Value {
    // A name that is no text must not be taken for another one.
    source.path().map_or(Value::Null, |path| {
        let beside = files_beside(path).into_iter().filter(|file| file.exists());
        let beside: Vec<Value> = beside.map(|file| json!([format!("{file:?}"), of_file(&file)])).collect();
        json!([format!("{path:?}"), of_file(path), beside])
    })
}

/// What tells a file from another of its name.
pub(crate) fn of_file(path: &Path) -> Value {
    json!(Identity::of(path))
}

/// Of all weights of the generator.
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

    /// A nodata value or a place that was added beside a scene makes it another one.
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

    /// Less memory is free now: the tiles stay those of the pieces that are there.
    #[test]
    fn a_job_keeps_the_tiles_that_it_was_begun_with() {
        let job = json!({"geolearn": "1", "weights": "a"});
        let begun = with_sizes(job.clone(), Sizes { side: 1024, halo: 36, step_bytes: 1 });
        assert_eq!(side_of(begun.clone(), &job), Some(1024));
        assert_eq!(side_of(begun, &json!({"geolearn": "1", "weights": "b"})), None);
        for hostile in [json!(null), json!([1]), json!({"sizes": "x"}), json!({"sizes": [-1, 2]})] {
            assert_eq!(side_of(hostile, &json!({})), None);
        }
    }
}
