//! Translates scenes of any size.

use std::path::Path;

use super::learner::Learner;
use super::model::Model;
use crate::error::Result;
use crate::inference::{RasterOptions, RasterReport};

impl<M: Model> Learner<M> {
    /// Translates a scene of any size, from a file to a GeoTIFF, in memory that does not depend on its size.
    ///
    /// The output has the grid and reference system of the scene, the bands and sample type of the target domain, and
    /// no data where no band of the scene has any. It is written under a temporary name and renamed when it is
    /// complete. Reading and writing run in parallel with the network.
    ///
    /// `input` may be a folder: each image in it becomes `NAME.tif` in the folder `output`. With several
    /// [windows](RasterOptions::window), each becomes `NAME_ROW_COLUMN.tif`. Existing files with these names are
    /// replaced.
    ///
    /// `docs/raster-inference.md` explains how tiles, halos and norm statistics are chosen, and compares the
    /// alternatives.
    ///
    /// ```
    /// use geolearn::raster::RasterFile;
    /// use geolearn::{CycleGan, Domain, RasterOptions};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let output = folder.path().join("relief.tif");
    /// let model = CycleGan::from_model("tests/fixtures/models/sat2relief", None)?;
    /// let scene = "assets/scenes/bluemarble_asia.tif";
    /// let options = RasterOptions::new(Domain::B).window(10, 20, 90, 100).progress(false);
    /// let report = model.predict_raster(scene, &output, options)?;
    /// println!("{:.2} megapixels a second", report.megapixels_per_second());
    /// let (from, to) = (RasterFile::open(scene)?, RasterFile::open(&output)?);
    /// assert_eq!((to.info().bands(), to.info().height(), to.info().width()), (3, 90, 100));
    /// assert_eq!(to.info().place(), &from.info().place().shifted(10, 20));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Shapes
    /// Files of any height and width from 1, with all the bands that the domain's files had, or only the used ones.
    /// Bands that the model knows by name are looked up in each file that names its bands.
    ///
    /// # Errors
    /// All inputs are opened and all settings checked before anything is written: `Usage` for an option or window out
    /// of range, a wrong number of bands, or an output that is not a `.tif`, is a folder or an input, appears twice or
    /// has too long a name; `Io`, `Format`, `Unsupported` or `Limits` for a file that cannot be read; `Io` for an
    /// output that cannot be written; `Layout` for a folder without images; `Limits` if tiles need more memory than
    /// there is; `Usage` if another process is writing the same output, or its folder for
    /// [resuming](RasterOptions::resume) contains other files. Later, `Peer` if one of [several
    /// processes](RasterOptions::distributed) fails or is lost, `Stopped` if the [signal](RasterOptions::stop_signal)
    /// is set, and `Io` if the disk is full. No incomplete file is left behind, and outputs that are already complete
    /// stay.
    pub fn predict_raster(
        &self,
        input: impl AsRef<Path>,
        output: impl AsRef<Path>,
        options: RasterOptions,
    ) -> Result<RasterReport> {
        self.direction(options.to)?.predict_raster(input.as_ref(), output.as_ref(), &options)
    }
}

#[cfg(test)]
mod tests {
    use super::super::LoadOptions;
    use super::*;
    use crate::CycleGan;
    use crate::arrays::array_to_tensor;
    use crate::dataset::Domain;
    use crate::dataset::Values;
    use crate::device::{Device, Precision};
    use crate::error::ErrorKind;
    use crate::inference::{self, Halo, NormStatistics, TileSize, Translation, in_tiles};
    use crate::raster::{Raster, Samples, Source};
    use crate::testing::npy;

    /// On the CPU, because bits are compared.
    fn bundled() -> CycleGan {
        let options = LoadOptions::new().device(Device::Cpu);
        CycleGan::from_model_with("tests/fixtures/models/sat2relief", options).unwrap()
    }

    const TILES: TileSize = TileSize { side: 128, halo: Halo { pixels: 36 }, step_bytes: 256 << 20 };

    /// The path of an image in memory that the network cannot take at once. Values are not rounded and range to 255;
    /// the halo leaves an average error of 0.001.
    #[test]
    fn an_image_in_memory_is_the_same_in_tiles() {
        let model = bundled();
        let scene = Raster::open("assets/scenes/bluemarble_asia.tif").unwrap();
        let translation =
            Translation { exact: true, ..model.direction(Domain::B).unwrap().translation(Precision::F32).unwrap() };
        let whole = inference::translate_image(&translation, &scene).unwrap().samples().to_f32();
        let tiles = in_tiles(&translation, (NormStatistics::Scene, TILES), &scene, None).unwrap().to_f32();
        let off = (&whole - &tiles).mapv(f32::abs);
        assert!(off.mean().unwrap() < 0.02 && off.iter().all(|&value| value < 5.0), "{:?}", off.mean());
        assert!(off.iter().any(|&value| value > 0.0), "it was not translated in tiles");
    }

    /// For example, if the target's files were floating-point, or name a value that no sample can have.
    #[test]
    fn gaps_stay_gaps_when_the_target_names_a_value_it_cannot_have() {
        let model = bundled();
        let scene = Raster::open("assets/scenes/bluemarble_asia.tif").unwrap().part(0, 0, 64, 64).with_nodata(0.0);
        let Samples::U8(mut values) = scene.samples().clone() else { unreachable!("the scene is of bytes") };
        values.slice_mut(ndarray::s![.., 10..20, 5..40]).fill(0);
        let scene = scene.replaced(Samples::U8(values));
        let translation = model.direction(Domain::B).unwrap().translation(Precision::F32).unwrap();
        for nodata in [-9999.0, f64::NAN] {
            let to = translation.to.clone().with_values(Values { nodata: Some(nodata), ..Values::BYTES });
            let translation =
                Translation { to: &to, ..model.direction(Domain::B).unwrap().translation(Precision::F32).unwrap() };
            assert_eq!(translation.empty_value(&Source::of(scene.clone())), Some(0.0));
            let made = inference::translate_image(&translation, &scene).unwrap();
            assert_eq!((made.nodata(), made.gaps()), (Some(0.0), scene.gaps()));
        }
    }

    /// With only 64 KiB for a step, the bundled scene counts as wide: it is read and written in pieces, also through
    /// the folder of a translation that can be resumed.
    #[test]
    fn a_wide_scene_is_the_same_piece_by_piece() {
        let model = bundled();
        let folder = tempfile::tempdir().unwrap();
        let translated = |name: &str, options: RasterOptions| {
            let output = folder.path().join(name);
            let options = options.tile_size(64).halo(32).window(7, 9, 301, 499).progress(false);
            let report = model.predict_raster("assets/scenes/bluemarble_asia.tif", &output, options).unwrap();
            assert_eq!(report.tile_borders().0[..2], [64, 128], "tiles are the same");
            Raster::open(output).unwrap()
        };
        let rows = translated("rows.tif", RasterOptions::new(Domain::B));
        let small = || {
            let mut options = RasterOptions::new(Domain::B);
            options.step_bytes = 64 << 10;
            options
        };
        assert_eq!(translated("pieces.tif", small()), rows);
        assert_eq!(translated("resumed.tif", small().resume(true)), rows);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    /// Numbers that none of our files has, but a definition might: they neither divide by zero nor take memory.
    #[test]
    fn chips_of_any_size_give_tiles_that_can_be() {
        let model = bundled();
        let scene = Raster::open("assets/scenes/bluemarble_asia.tif").unwrap().part(0, 0, 40, 50);
        for chip in [(0, 32), (0, 0), (1, 1 << 63), (1 << 63, 1 << 63), (usize::MAX, usize::MAX)] {
            let translation =
                Translation { chip, ..model.direction(Domain::B).unwrap().translation(Precision::F32).unwrap() };
            for statistics in [NormStatistics::Tile { padding: None }, NormStatistics::Local { spacing: None }] {
                match translation.usual_tiles(statistics).size(&translation.budget()) {
                    Ok(tiles) => {
                        assert!((8..=16_384).contains(&tiles.side), "{chip:?}");
                        let tiles = TileSize { side: tiles.side.min(64), ..tiles };
                        in_tiles(&translation, (statistics, tiles), &scene, None).unwrap();
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Limits, "{chip:?}: {error}"),
                }
            }
        }
        let translation = model.direction(Domain::B).unwrap().translation(Precision::F32).unwrap();
        let nodes = inference::check_memory_of_nodes(&translation, &Source::of(scene), TILES, (16, usize::MAX / 2));
        assert_eq!(nodes.unwrap_err().kind(), ErrorKind::Limits);
    }

    /// The memory for local statistics is computed from this, before any are gathered.
    #[test]
    fn statistics_have_as_many_numbers_as_the_plan_says() {
        let model = bundled();
        let translation = model.direction(Domain::B).unwrap().translation(Precision::F32).unwrap();
        let chip = Raster::open("assets/scenes/bluemarble_asia.tif").unwrap().part(0, 0, 64, 64);
        let layers = translation.pooled(&[chip]).unwrap().unwrap();
        let gathered: usize = layers.iter().map(|layer| layer.mean.numel() + layer.scale.numel()).sum();
        assert_eq!(translation.statistics_values(), gathered);
        assert!(gathered > 0);
    }

    /// One tile is the whole image, so its statistics are, too: those of the pixels that have data.
    #[test]
    fn gaps_do_not_count_in_a_tile_of_its_own_statistics() {
        let model = bundled();
        let scene = Raster::open("assets/scenes/bluemarble_asia.tif").unwrap().part(40, 200, 64, 64).with_nodata(0.0);
        let Samples::U8(mut values) = scene.samples().clone() else { unreachable!("the scene is of bytes") };
        values.slice_mut(ndarray::s![.., .., 24..]).fill(0);
        let scene = scene.replaced(Samples::U8(values));
        let translation =
            Translation { exact: true, ..model.direction(Domain::B).unwrap().translation(Precision::F32).unwrap() };
        let made = |statistics| {
            let tiles = TileSize { side: 64, halo: Halo::NONE, ..TILES };
            in_tiles(&translation, (statistics, tiles), &scene, None).unwrap().to_f32()
        };
        let off = made(NormStatistics::Tile { padding: Some(0) }) - made(NormStatistics::Scene);
        let off = off.slice(ndarray::s![.., .., ..24]).fold(0f32, |most, value| most.max(value.abs()));
        assert!(off < 0.01, "{off}");
    }

    /// arcgis.learn 2.4.4 made the numbers (`tests/fixtures/arcgis/make_tiles.py`). It adds 1e-5 to the range when
    /// scaling, and sums tiles in another order, so they may differ by 1e-3 of the range of 255.
    #[test]
    fn blended_tiles_are_those_of_arcgis() {
        let model = bundled();
        let scene = Raster::open("assets/scenes/bluemarble_asia.tif").unwrap().part(40, 200, 128, 128);
        let translation =
            Translation { exact: true, ..model.direction(Domain::B).unwrap().translation(Precision::F32).unwrap() };
        let tiles = NormStatistics::Tile { padding: Some(16) };
        let made = in_tiles(&translation, (tiles, TileSize { side: 64, halo: Halo::NONE, ..TILES }), &scene, None)
            .unwrap()
            .to_f32();
        let made = array_to_tensor(made).unwrap().narrow(1, 0, 64);
        let expected = npy("arcgis/tiles/a2b.npy");
        let off = (made - &expected).abs().max().double_value(&[]);
        assert!(off < 0.255, "{off}");
        assert!(expected.std(true).double_value(&[]) > 10.0, "it is a picture");
    }
}
