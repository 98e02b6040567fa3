//! Which chips an epoch draws, and in which order.

use super::domain::Domain;
use crate::random::Seed;

/// Returns the chips of one domain for one epoch: `draws` indices below `chips`.
///
/// A domain goes through one seeded permutation after another, across epochs, so over any period the numbers of times
/// that two chips are used differ by at most one. Draw `p` of epoch `e` is number `e * draws + p` of that endless
/// sequence: it depends only on the seed and the epoch, so training can resume at any epoch.
pub(super) fn epoch(seed: Seed, domain: Domain, epoch: u64, draws: usize, chips: usize) -> Vec<usize> {
    let (draws, chips) = (draws as u64, chips as u64);
    let start = epoch.wrapping_mul(draws);
    let mut order = Vec::with_capacity(draws as usize);
    while chips > 0 && (order.len() as u64) < draws {
        let next = start.wrapping_add(order.len() as u64);
        let left = draws as usize - order.len();
        let permutation = permutation(seed, domain, next / chips, chips as usize);
        order.extend(permutation.into_iter().skip((next % chips) as usize).take(left));
    }
    order
}

fn permutation(seed: Seed, domain: Domain, number: u64, chips: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..chips).collect();
    seed.stream(&format!("order/{domain}"), number).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(number: u64, draws: usize, chips: usize) -> Vec<usize> {
        epoch(Seed(3), Domain::A, number, draws, chips)
    }

    #[test]
    fn the_larger_domain_is_a_permutation_in_every_epoch() {
        for number in [0, 1, 1 << 40] {
            let mut order = draw(number, 7, 7);
            order.sort_unstable();
            assert_eq!(order, (0..7).collect::<Vec<_>>());
        }
    }

    #[test]
    fn chips_of_the_smaller_domain_are_used_equally_often() {
        let mut uses = [0i32; 5];
        for number in 0..9 {
            for index in draw(number, 13, 5) {
                uses[index] += 1;
            }
            let spread = uses.iter().max().unwrap() - uses.iter().min().unwrap();
            assert!(spread <= 1, "after epoch {number}: {uses:?}");
        }
    }

    #[test]
    fn epochs_domains_and_seeds_differ_and_repeat() {
        assert_eq!(draw(4, 50, 50), draw(4, 50, 50));
        assert_ne!(draw(4, 50, 50), draw(5, 50, 50));
        assert_ne!(draw(4, 50, 50), epoch(Seed(3), Domain::B, 4, 50, 50));
        assert_ne!(draw(4, 50, 50), epoch(Seed(4), Domain::A, 4, 50, 50));
    }

    #[test]
    fn a_domain_without_chips_draws_nothing() {
        assert!(draw(0, 5, 0).is_empty());
    }
}
