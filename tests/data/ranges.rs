//! Tests statistics that no real data set has.

use super::*;

#[test]
fn numbers_out_of_range_are_refused_at_the_entry() {
    let root = folder(3, 3);
    let most = usize::MAX;
    for options in [
        options(&root).batch_size(0),
        options(&root).batch_size(most),
        options(&root).resize_to(0),
        options(&root).resize_to(most),
        options(&root).crop_size(0),
        options(&root).crop_size(most),
        options(&root).workers(most),
        options(&root).prefetch(0),
        options(&root).prefetch(most),
        options(&root).val_split_pct(1.0),
        options(&root).val_split_pct(f64::NAN),
        options(&root).bands(Domain::A, [most]),
        options(&root).rgb_bands(Domain::A, [most, 1, 1]),
        options(&root).augment(Augment::none().crop(most)),
        options(&root).augment(Augment::none().zoom(f64::INFINITY)),
        options(&root).augment(Augment::none().zoom(f64::NAN)),
        options(&root).augment(Augment::none().brightness(-1.0)),
        options(&root).augment(Augment::none().contrast(f64::MAX)),
    ] {
        let error = options.clone().prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{options:?}: {error}");
    }
    let data = options(&root).val_split_pct(0.0).prepare().unwrap();
    assert_eq!(data.with_batch_size(0).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(data.with_batch_size(most).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(data.chips(Domain::A, Split::Train, &[most]).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(data.epoch_from(u64::MAX, most).unwrap().count(), 0);
    assert_eq!(data.epoch(u64::MAX).unwrap().map(Result::unwrap).count(), 3);
    assert_eq!(data.with_batch_size(1 << 16).unwrap().epoch(0).unwrap().next().unwrap().unwrap().size(), 3);
}

proptest! {
    /// Any statistics and channels are either rejected or scale correctly.
    #[test]
    fn scalings_are_refused_or_work(
        min in prop::collection::vec(any::<f64>(), 0..3), max in prop::collection::vec(any::<f64>(), 0..3),
        channels in prop_oneof![0usize..6, Just(usize::MAX), Just(1 << 16), Just(65_535)],
    ) {
        match Normalizer::new(min.clone(), max, channels) {
            Ok(scaling) => {
                let made = scaling.normalize(Array3::zeros((min.len(), 2, 3)).view()).unwrap();
                prop_assert_eq!(made.dim(), (channels, 2, 3));
                prop_assert_eq!(scaling.denormalize(made.view()).unwrap().dim(), (min.len(), 2, 3));
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Usage),
        }
    }
}
