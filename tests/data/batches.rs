//! Tests batches: split, order, workers, errors.

use super::*;

#[test]
fn the_same_seed_gives_the_same_bits_with_any_number_of_workers() {
    let root = folder(7, 11);
    let data = |workers, seed| options(&root).batch_size(3).workers(workers).seed(seed).prepare().unwrap();
    for number in [0, 5] {
        let reference = epoch(&data(0, 1), number);
        assert_eq!(reference, epoch(&data(1, 1), number));
        assert_eq!(reference, epoch(&data(3, 1), number));
        assert_ne!(reference, epoch(&data(3, 2), number));
    }
    assert_ne!(epoch(&data(0, 1), 0), epoch(&data(0, 1), 1));
}

/// Augmentation must not depend on how chips are grouped into batches.
#[test]
fn the_batch_size_changes_no_chip() {
    let root = folder(5, 5);
    let all = |size| {
        let data = options(&root).batch_size(size).prepare().unwrap();
        epoch(&data, 0).into_iter().flat_map(|(_, a, _)| a).collect::<Vec<f32>>()
    };
    assert_eq!(all(1), all(3));
}

#[test]
fn an_epoch_draws_the_larger_domain_once_and_the_smaller_evenly() {
    let root = folder(3, 8);
    let data = options(&root).val_split_pct(0.0).batch_size(3).augment(Augment::none()).prepare().unwrap();
    let batches = epoch(&data, 0);
    assert_eq!(batches.iter().map(|(size, ..)| size[0]).collect::<Vec<_>>(), [3, 3, 2], "the last is smaller");
    assert_eq!(data.epoch(0).unwrap().len(), 3);
    let counts = |pick: fn(&Numbers) -> &Vec<f32>| {
        let mut counts = BTreeMap::new();
        for chip in batches.iter().flat_map(|batch| pick(batch).chunks(3 * 64)) {
            *counts.entry(chip.iter().map(|value| value.to_bits()).collect::<Vec<_>>()).or_insert(0) += 1;
        }
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(counts(|batch| &batch.1), [2, 3, 3]);
    assert_eq!(counts(|batch| &batch.2), [1; 8]);
}

#[test]
fn values_are_within_one_and_reach_both_ends() {
    let root = folder(4, 4);
    let data = options(&root).augment(Augment::none()).val_split_pct(0.0).prepare().unwrap();
    let all: Vec<f32> = epoch(&data, 0).into_iter().flat_map(|(_, a, b)| [a, b].concat()).collect();
    let low = all.iter().copied().fold(f32::INFINITY, f32::min);
    let high = all.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // The epsilon of the scaling keeps the largest value just below 1.
    assert!(low == -1.0 && high <= 1.0 && high > 1.0 - 1e-5, "{low} {high}");
    let varied = options(&root).augment(Augment::default().brightness(1.0).contrast(1.0)).prepare().unwrap();
    assert!(epoch(&varied, 0).iter().all(|(_, a, _)| a.iter().all(|value| (-1.0..=1.0).contains(value))));
}

#[test]
fn gray_and_color_meet_in_three_channels() {
    let root = tempfile::tempdir().unwrap();
    for i in 0..3 {
        write(root.path(), &format!("A/{i}.png"), &chip(1, 8, 8, i));
        write(root.path(), &format!("B/{i}.jpg"), &chip(3, 12, 10, i));
    }
    let data = options(&root).prepare().unwrap();
    assert_eq!((data.bands(Domain::A), data.bands(Domain::B), data.channels(Domain::A)), (1, 3, 3));
    assert_eq!((data.chip_size(Domain::A), data.chip_size(Domain::B)), ((8, 8), (12, 10)));
    let batch = data.epoch(0).unwrap().next().unwrap().unwrap();
    assert_eq!((batch.a.size(), batch.b.size()), (vec![1, 3, 8, 8], vec![1, 3, 12, 10]));
    let a = values(&batch.a);
    assert_eq!(a[..64], a[64..128]);
    assert_eq!(a[..64], a[128..]);
    assert_eq!(data.normalizer(Domain::A).bands(), 1);
}

#[test]
fn validation_is_fixed_and_as_it_is() {
    let root = folder(20, 40);
    let data = options(&root).batch_size(3).prepare().unwrap();
    assert_eq!((data.valid_len(Domain::A), data.valid_len(Domain::B)), (2, 4));
    let pass = || data.validation().unwrap().map(Result::unwrap).collect::<Vec<_>>();
    let (one, two) = (pass(), pass());
    assert_eq!(one.iter().map(|batch| batch.size()).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(values(&one[0].a), values(&two[0].a));
    let expected = data.chips(Domain::A, Split::Valid, &[0, 1, 0]).unwrap();
    assert_eq!(values(&one[0].a), values(&expected));
    let image = data.image(Domain::B, Split::Valid, 3).unwrap();
    let back = data.normalizer(Domain::B).normalize_raster(&image).unwrap();
    assert_eq!(values(&one[1].b), back.iter().copied().collect::<Vec<_>>());
}

#[test]
fn train_and_validation_share_no_chip() {
    let root = folder(30, 30);
    let data = options(&root).val_split_pct(0.3).prepare().unwrap();
    for domain in Domain::BOTH {
        let mut all = [data.train_files(domain), data.valid_files(domain)].concat();
        assert_eq!((all.len(), data.valid_len(domain)), (30, 9));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 30);
    }
    assert_ne!(names(data.valid_files(Domain::A)), names(data.valid_files(Domain::B)), "each domain has its own draw");
}

#[test]
fn one_chip_is_enough() {
    let root = folder(1, 5);
    let data = options(&root).prepare().unwrap();
    assert_eq!((data.len(Domain::A), data.valid_len(Domain::A), data.len(Domain::B)), (1, 0, 5));
    assert_eq!((epoch(&data, 0).len(), data.validation().unwrap().len()), (5, 0));
}

#[test]
fn options_out_of_range_are_refused() {
    let root = folder(2, 2);
    for (wrong, name) in [
        (options(&root).batch_size(0), "batch_size"),
        (options(&root).val_split_pct(1.0), "val_split_pct"),
        (options(&root).val_split_pct(f64::NAN), "val_split_pct"),
        (options(&root).resize_to(0), "resize_to"),
        (options(&root).prefetch(0), "prefetch"),
        (options(&root).workers(10_000), "workers"),
        (options(&root).augment(Augment::none().zoom(0.5)), "zoom"),
        (options(&root).augment(Augment::none().zoom(f64::NAN)), "zoom"),
        (options(&root).augment(Augment::none().brightness(-0.1)), "brightness"),
        (options(&root).augment(Augment::none().contrast(2.0)), "contrast"),
        (options(&root).augment(Augment::none().rotate(200.0)), "rotate"),
        (options(&root).augment(Augment::none().rotate(5.0).rotate_probability(-1.0)), "rotate_probability"),
        (options(&root).augment(Augment::none().crop(0)), "crop"),
        (options(&root).augment(Augment::none().crop(9)), "crop"),
    ] {
        let error = wrong.prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let data = options(&root).prepare().unwrap();
    assert_eq!(data.chips(Domain::A, Split::Train, &[7]).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(data.chips(Domain::A, Split::Train, &[]).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn the_summary_names_the_essentials() {
    let root = folder(20, 30);
    let text = options(&root).batch_size(4).prepare().unwrap().to_string();
    for word in
        ["A: 18 training and 2 validation chips, 8 x 8 pixels, 3 bands", "B: 27 training", "7 batches of 4", "seed 42"]
    {
        assert!(text.contains(word), "expected {word:?} in: {text}");
    }
}

#[test]
fn a_bunch_can_be_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    shared(&options(&folder(2, 2)).prepare().unwrap());
}

#[test]
fn statistics_do_not_depend_on_the_number_of_threads() {
    let root = folder(9, 9);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| options(&root).prepare().unwrap().statistics(Domain::A).clone())
    };
    assert_eq!(with(1), with(3));
}
