//! A grid of nodes over a scene, each with its own statistics.

use std::ops::{Range, RangeInclusive};

/// Allowed distances between nodes, in pixels.
pub(crate) const SPACINGS: RangeInclusive<usize> = 16..=65_536;

/// Nodes along a side of the scene, evenly spaced, the outer ones half a distance from its ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nodes {
    length: usize,
    count: usize,
}

impl Nodes {
    /// Places nodes about `spacing` pixels apart on a side of `length` pixels.
    pub fn new(length: usize, spacing: usize) -> Self {
        Self { length, count: ((length as f64 / spacing as f64).round() as usize).max(1) }
    }

    /// Returns the default distance of nodes for a model with chips of this size: twice their side.
    pub fn usual_spacing((height, width): (usize, usize), chip_side: usize) -> usize {
        2 * height.min(width).clamp(chip_side, SPACINGS.end() / 2)
    }

    pub fn count(self) -> usize {
        self.count
    }

    /// Returns the distance of the nodes, in pixels.
    pub fn spacing(self) -> f64 {
        self.length as f64 / self.count as f64
    }

    /// Returns the position of a node, in pixels.
    pub fn center(self, node: usize) -> f64 {
        (node as f64 + 0.5) * self.spacing()
    }

    /// Returns the start of the chip of `side` pixels whose center is nearest to the node.
    pub fn chip_start(self, node: usize, side: usize) -> usize {
        let side = side.min(self.length);
        ((self.center(node) - side as f64 / 2.0).max(0.0) as usize).min(self.length - side)
    }

    /// Returns the nodes between which these pixels lie.
    pub fn around(self, pixels: &Range<usize>) -> Range<usize> {
        let position = |pixel: usize| pixel as f64 / self.spacing() - 0.5;
        let first = position(pixels.start).floor().max(0.0) as usize;
        let last = position(pixels.end).ceil().max(0.0) as usize;
        first.min(self.count - 1)..(last + 1).clamp(1, self.count)
    }
}

/// Returns the bytes of statistics with `values` numbers for each node, for the rows of nodes around tiles that read
/// `seen` rows, across a scene of `width` columns; twice, because they are copied while a tile is processed.
pub(crate) fn bytes_of_nodes(seen: usize, width: usize, spacing: usize, values: usize) -> f64 {
    let rows = seen.div_ceil(spacing) + 2;
    2.0 * size_of::<f32>() as f64 * values as f64 * rows as f64 * width.div_ceil(spacing) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_lie_evenly_and_around_what_is_asked_for() {
        let nodes = Nodes::new(120, 38);
        assert_eq!((nodes.count(), nodes.center(0), nodes.center(2)), (3, 20.0, 100.0));
        assert_eq!(nodes.around(&(0..10)), 0..1);
        assert_eq!(nodes.around(&(50..70)), 0..3);
        assert_eq!(nodes.around(&(105..120)), 2..3);
        assert_eq!([0, 1, 2].map(|node| nodes.chip_start(node, 40)), [0, 40, 80]);
        assert_eq!(Nodes::new(5, 30).chip_start(0, 40), 0, "a chip is no larger than the scene");
    }

    #[test]
    fn the_usual_distance_is_twice_the_side_of_chips() {
        let spacing = |side: usize| Nodes::usual_spacing((side, side), 64);
        assert_eq!([0, 64, 256, usize::MAX].map(spacing), [128, 128, 512, 65_536]);
    }

    #[test]
    fn statistics_of_nodes_take_memory_by_the_width() {
        assert_eq!(bytes_of_nodes(100, 1000, 100, 10), 2.0 * 4.0 * 10.0 * 3.0 * 10.0);
    }
}
