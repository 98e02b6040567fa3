//! What windows hold.

use std::path::PathBuf;

use geolearn::dataset::{Augment, BandStatistics, Normalization, Split};
use geolearn::raster::{Blocks, RasterFile, RasterSpec, RasterWriter, Samples};
use geolearn::{DatasetType, Domain, Raster};
use ndarray::{Array2, Array3, s};

use super::{SCENE, bytes, options, save, scene, with_swath};

#[test]
fn windows_are_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (swath, _) = with_swath(folder.path());
    let options = options(folder.path(), &swath, SCENE).augment(Augment::none()).batch_size(3);
    let data = options.bands(Domain::B, [3, 1]).prepare().unwrap();
    for domain in Domain::BOTH {
        for (index, (path, window)) in data.windows(domain, Split::Valid, 0).into_iter().enumerate() {
            let image = data.image(domain, Split::Valid, index).unwrap();
            let file = RasterFile::open(path).unwrap();
            let stored = file.read_window(window.row, window.column, window.height, window.width).unwrap();
            let expected = if domain == Domain::B { chosen(stored, &[2, 0]) } else { stored };
            assert_eq!(image.samples(), &expected, "{window}");
            let shifted = file.info().place().shifted(window.row, window.column);
            assert_eq!(image.place().transform(), shifted.transform());
        }
    }
    let windows = data.windows(Domain::A, Split::Train, 3);
    let (min, max) = (data.normalizer(Domain::A).min(), data.normalizer(Domain::A).max());
    let mut place = 0;
    for batch in data.epoch(3).unwrap() {
        let tensor = batch.unwrap().a;
        for chip in 0..tensor.size()[0] {
            let values: Vec<f32> = tensor.get(chip).contiguous().view(-1).try_into().unwrap();
            let (path, window) = windows[place];
            place += 1;
            let Samples::U8(stored) =
                RasterFile::open(path).unwrap().read_window(window.row, window.column, 32, 32).unwrap()
            else {
                panic!("bytes")
            };
            let has_data = |y: usize, x: usize| (0..3).any(|band| stored[(band, y, x)] != 0);
            let expected = stored.indexed_iter().map(|((band, y, x), value)| match has_data(y, x) {
                true => (-1.0 + 2.0 * (f64::from(*value) - min[band]) / (max[band] - min[band])) as f32,
                false => 0.0,
            });
            // Singles of the range [-1, 1].
            let apart =
                values.iter().zip(expected).map(|(value, expected)| (value - expected).abs()).fold(0.0, f32::max);
            assert!(apart <= 1e-6, "{apart} in {window}");
        }
    }
    assert_eq!(place, windows.len());
}

fn chosen(samples: Samples, bands: &[usize]) -> Samples {
    let Samples::U8(data) = samples else { panic!("bytes") };
    data.select(ndarray::Axis(0), bands).into()
}

/// Of scenes whose gaps are marked by a value, by a mask, and not at all, together.
#[test]
fn statistics_are_those_of_the_valid_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let (swath, valid) = with_swath(folder.path());
    let masked = folder.path().join("masked.tif");
    let hidden = Array2::from_shape_fn(valid.dim(), |(y, x)| (x + 2 * y) % 700 < 400);
    scene().with_validity(&hidden).unwrap().save(&masked).unwrap();
    let scenes =
        [(swath.clone(), valid.clone()), (masked, hidden), (SCENE.into(), Array2::from_elem(valid.dim(), true))];
    let prepare = |scenes: &[(PathBuf, Array2<bool>)]| {
        let paths: Vec<PathBuf> = scenes.iter().map(|(path, _)| path.clone()).collect();
        let options = options(folder.path(), SCENE, SCENE).scenes(Domain::A, paths);
        options.normalization(Normalization::Percentile { low: 5.0, high: 95.0 }).prepare().unwrap()
    };
    for scenes in [&scenes[..1], &scenes[1..2], &scenes[..]] {
        let data = prepare(scenes);
        for (band, found) in data.statistics(Domain::A).bands().iter().enumerate() {
            let values = scenes.iter().flat_map(|(path, valid)| {
                let image = bytes(&Raster::open(path).unwrap());
                let own = image.slice(s![band, .., ..]).to_owned();
                let known: Vec<f64> =
                    own.iter().zip(valid).filter(|(_, valid)| **valid).map(|(value, _)| f64::from(*value)).collect();
                known
            });
            check_statistics(found, values.collect());
        }
    }
}

fn check_statistics(found: &BandStatistics, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let std = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    let percentile = |share: f64| {
        let at = share * (count - 1.0);
        let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
        low + (high - low) * at.fract()
    };
    assert_eq!((found.min, found.max), (values[0], values[values.len() - 1]));
    // Sums of 350,000 bytes in double precision.
    assert!((found.mean - mean).abs() < 1e-9 && (found.std - std).abs() < 1e-9);
    let (low, high) = found.percentiles.unwrap();
    assert!((low - percentile(0.05)).abs() < 1e-9 && (high - percentile(0.95)).abs() < 1e-9);
}

/// The same pixels in tiles, strips, one strip and as a PNG give the same statistics, and the same validation windows.
#[test]
fn blocks_of_a_file_change_no_sample() {
    let folder = tempfile::tempdir().unwrap();
    let image = scene();
    let mut seen = None;
    let forms = [
        Some(Blocks::Tiles { width: 64, height: 16 }),
        Some(Blocks::Strips { rows: 7 }),
        Some(Blocks::Strips { rows: 320 }),
        None,
    ];
    for (number, blocks) in forms.into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.{}", if blocks.is_some() { "tif" } else { "png" }));
        match blocks {
            Some(blocks) => {
                let spec = RasterSpec::new(3, 320, 512, image.dtype()).blocks(blocks);
                let mut writer = RasterWriter::create(&path, spec).unwrap();
                writer.write_rows(image.samples()).unwrap();
                writer.finish().unwrap();
            }
            None => image.save(&path).unwrap(),
        }
        let data = options(folder.path(), &path, &path).prepare().unwrap();
        let images: Vec<_> = (0..data.valid_len(Domain::A))
            .map(|index| data.image(Domain::A, Split::Valid, index).unwrap().into_samples())
            .collect();
        let own = (data.statistics(Domain::A).clone(), images);
        assert!(*seen.get_or_insert_with(|| own.clone()) == own, "{}", path.display());
        for (index, (_, window)) in data.windows(Domain::B, Split::Train, 0).into_iter().enumerate().step_by(20) {
            let found = data.image(Domain::B, Split::Train, index).unwrap();
            let cut =
                bytes(&image).slice(s![.., window.row..window.bottom(), window.column..window.right()]).to_owned();
            assert_eq!(bytes(&found), cut);
        }
    }
}

/// Each pixel of B is 255 less that of A.
#[test]
fn partners_show_the_same_ground() {
    let folder = tempfile::tempdir().unwrap();
    let image = scene();
    let negative = save(folder.path(), "negative.tif", bytes(&image).mapv(|value| 255 - value), image.place());
    let options = geolearn::PrepareData::new(folder.path(), DatasetType::Pix2Pix);
    let options = options.scenes(Domain::A, [SCENE]).scenes(Domain::B, [negative]).chip_size(32).batch_size(4);
    let data = options.prepare().unwrap();
    assert_eq!(data.windows(Domain::A, Split::Train, 1).len(), data.windows(Domain::B, Split::Train, 1).len());
    let batches = data.epoch(1).unwrap().chain(data.validation().unwrap());
    for batch in batches {
        let batch = batch.unwrap();
        let apart = (&batch.a + &batch.b).abs().max().double_value(&[]);
        // Both are scaled by their own range, in singles.
        assert!(apart < 1e-5, "{apart}");
    }
}

#[test]
fn windows_come_to_one_resolution() {
    let folder = tempfile::tempdir().unwrap();
    let coarse = scene().resize(256, 160).unwrap();
    let path = folder.path().join("coarse.tif");
    coarse.save(&path).unwrap();
    let (data, told) = super::warnings::warnings(|| options(folder.path(), SCENE, &path).prepare().unwrap());
    assert!(told.iter().any(|told| told.contains("0.50 times")), "{told:?}");
    assert!(data.to_string().contains("0.50 times"), "{data}");
    let prepare = || options(folder.path(), SCENE, &path).resolution(0.4).augment(Augment::none());
    let (data, told) = super::warnings::warnings(|| prepare().prepare().unwrap());
    assert!(told.is_empty(), "{told:?}");
    let (_, window) = data.windows(Domain::A, Split::Valid, 0)[0];
    assert_eq!((window.width, window.height), (64, 64));
    let image = data.image(Domain::A, Split::Valid, 0).unwrap();
    let cut = bytes(&scene()).slice(s![.., window.row..window.bottom(), window.column..window.right()]).to_owned();
    let expected: Array3<u8> = bytes(&Raster::new(cut).unwrap().resize(32, 32).unwrap());
    assert_eq!(bytes(&image), expected);
    assert!((image.place().transform()[0] - 0.4).abs() < 1e-9);
    let (_, window) = data.windows(Domain::B, Split::Valid, 0)[0];
    assert_eq!((window.width, window.height), (32, 32));
    assert_eq!(data.epoch(0).unwrap().next().unwrap().unwrap().a.size(), [1, 3, 32, 32]);
}
