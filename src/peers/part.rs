//! The part of the work that each process does, by rank and number of processes.

use std::ops::Range;

/// One of so many processes that do the same work on parts of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Number of this process, from 0.
    pub rank: usize,
    /// Number of processes, 1 or more.
    pub count: usize,
}

impl Part {
    /// All of the work.
    pub const WHOLE: Self = Self { rank: 0, count: 1 };

    /// Whether there is no other process.
    pub fn is_whole(self) -> bool {
        self.count == 1
    }

    /// Whether this process writes files and shows progress for all.
    pub fn leads(self) -> bool {
        self.rank == 0
    }

    /// Counts how many of `all` things are this process's, which takes every `count`-th, beginning with its rank.
    pub fn own(self, all: usize) -> usize {
        all.saturating_sub(self.rank).div_ceil(self.count)
    }
}

/// One process's images of a batch that all processes make together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Portion {
    /// Whose.
    pub part: Part,
    /// Images of the joint batch, 1 or more.
    pub images: usize,
}

impl Portion {
    /// All images of a batch.
    #[cfg(test)]
    pub fn whole(images: usize) -> Self {
        Self { part: Part::WHOLE, images }
    }

    /// Counts the images that are this process's. Of a last batch that has fewer images than there are processes, some
    /// processes have none.
    pub fn own(self) -> usize {
        self.part.own(self.images)
    }

    /// The weight of the means over this process's images in the means over all.
    pub fn weight(self) -> f64 {
        self.own() as f64 / self.images.max(1) as f64
    }

    /// The places, within `joint`, of the images that this process takes. One that would have none borrows an image of
    /// another process, so that it makes the same calls as all; its [`weight`](Self::weight) is 0.
    pub fn places(self, joint: Range<usize>) -> impl ExactSizeIterator<Item = usize> + Clone {
        let Part { rank, count } = self.part;
        let first = if rank < joint.len() { rank } else { rank % joint.len().max(1) };
        let taken = self.own().max(1).min(joint.len());
        (0..taken).map(move |i| joint.start + first + i * count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over all processes, each image of a joint batch is there once, whatever the remainder.
    #[test]
    fn no_image_is_lost_or_there_twice() {
        for count in 1..6 {
            for images in 1..14 {
                let portion = |rank| Portion { part: Part { rank, count }, images };
                let own = |rank| portion(rank).places(7..7 + images).take(portion(rank).own());
                let mut all: Vec<usize> = (0..count).flat_map(own).collect();
                all.sort_unstable();
                assert_eq!(all, (7..7 + images).collect::<Vec<_>>(), "{images} images for {count}");
                let weights: f64 = (0..count).map(|rank| portion(rank).weight()).sum();
                assert!((weights - 1.0).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn one_without_images_borrows_one() {
        let portion = Portion { part: Part { rank: 3, count: 4 }, images: 2 };
        assert_eq!((portion.own(), portion.weight()), (0, 0.0));
        assert_eq!(portion.places(10..12).collect::<Vec<_>>(), [11]);
        assert_eq!(Portion::whole(3).places(10..13).collect::<Vec<_>>(), [10, 11, 12]);
        assert_eq!(portion.places(0..0).len(), 0);
    }
}
