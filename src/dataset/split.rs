//! Splits chips into training and validation.

use crate::random::Stream;

/// Returns the indices of the validation chips among `chips`, in ascending order.
///
/// Their number is `share` of the chips, rounded, but at least one (unless `share` is 0) and never all.
pub(super) fn validation_places(chips: usize, share: f64, random: &mut Stream) -> Vec<usize> {
    let mut places: Vec<usize> = (0..chips).collect();
    random.shuffle(&mut places);
    places.truncate(validation_count(chips, share));
    places.sort_unstable();
    places
}

fn validation_count(chips: usize, share: f64) -> usize {
    if share == 0.0 || chips < 2 {
        return 0;
    }
    ((chips as f64 * share).round() as usize).clamp(1, chips - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;

    #[test]
    fn counts_are_rounded_and_both_parts_stay_filled() {
        let count = |chips, share| validation_count(chips, share);
        assert_eq!([count(100, 0.1), count(14, 0.1), count(16, 0.1)], [10, 1, 2]);
        assert_eq!([count(2, 0.1), count(2, 0.99), count(1, 0.5), count(0, 0.5)], [1, 1, 0, 0]);
        assert_eq!(count(1000, 0.0), 0);
    }

    #[test]
    fn places_are_distinct_sorted_and_seeded() {
        let places = |seed| validation_places(50, 0.2, &mut Seed(seed).stream("split", 0));
        assert_eq!(places(1).len(), 10);
        assert!(places(1).windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(places(1), places(1));
        assert_ne!(places(1), places(2));
    }
}
