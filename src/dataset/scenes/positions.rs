//! The positions of windows of one size within a scene.

use std::iter;
use std::ops::Range;

use rayon::prelude::*;

use super::window::SceneWindow;
use crate::random::Stream;

/// Returns whether a window may be drawn.
pub(super) type AcceptWindow = Box<dyn Fn(SceneWindow) -> bool + Send + Sync>;

/// Values for rows and columns of a scene, in this order.
pub(super) type RowsColumns<T> = (T, T);

/// The pixels at which windows of one size may begin, in groups of neighbors that are read together.
///
/// Whether a window is accepted changes only if one of its sides crosses one of a few edges, so whole rectangles of
/// positions are decided at once, and the number of positions is exact for scenes of any size.
pub(super) struct Positions {
    /// Height and width of the windows.
    window: RowsColumns<usize>,
    /// Numbers of positions, down and across, at which a window is within the scene.
    within: RowsColumns<usize>,
    /// Size of a group in positions, down and across.
    group: RowsColumns<usize>,
    /// Positions at which acceptance may change, in ascending order.
    changes: RowsColumns<Vec<usize>>,
    accepts: AcceptWindow,
    /// The cumulative number of accepted positions at the end of each group, row by row.
    totals: Vec<u64>,
}

/// A rectangle of accepted positions.
#[derive(Debug, Clone)]
struct Rectangle {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Rectangle {
    fn positions(&self) -> usize {
        self.rows.len() * self.columns.len()
    }
}

impl Positions {
    /// Finds the positions in a scene of `size` (height and width). The result of `accepts` may change only if an edge
    /// of a window crosses one of `edges`, each the first row or column of something.
    pub fn new(
        size: RowsColumns<usize>,
        window: RowsColumns<usize>,
        group: RowsColumns<usize>,
        edges: RowsColumns<Vec<usize>>,
        accepts: AcceptWindow,
    ) -> Self {
        let within = ((size.0 + 1).saturating_sub(window.0), (size.1 + 1).saturating_sub(window.1));
        let group = (group.0.max(1), group.1.max(1));
        let changes = (changes(&edges.0, window.0), changes(&edges.1, window.1));
        let mut positions = Self { window, within, group, changes, accepts, totals: Vec::new() };
        let counts: Vec<u64> = (0..positions.groups()).into_par_iter().map(|index| positions.count_in(index)).collect();
        let mut total = 0;
        positions.totals = counts.into_iter().map(|count| running(&mut total, count)).collect();
        positions
    }

    /// Returns the number of accepted positions.
    pub fn count(&self) -> u64 {
        self.totals.last().copied().unwrap_or(0)
    }

    /// Returns the group that contains an accepted position, counting positions group by group.
    pub fn group_of(&self, position: u64) -> usize {
        self.totals.partition_point(|total| *total <= position)
    }

    /// Draws windows of a group, with equal probability for each position; empty if the group has no position.
    pub fn draw(&self, group: usize, windows: usize, random: &mut Stream) -> Vec<SceneWindow> {
        let rectangles = self.rectangles(group);
        let all = rectangles.iter().map(Rectangle::positions).sum();
        let windows = if all == 0 { 0 } else { windows };
        (0..windows).filter_map(|_| self.pick(&rectangles, random.below(all))).collect()
    }

    /// Returns the position with this number within the rectangles.
    fn pick(&self, rectangles: &[Rectangle], mut number: usize) -> Option<SceneWindow> {
        for rectangle in rectangles {
            if let Some(beyond) = number.checked_sub(rectangle.positions()) {
                number = beyond;
                continue;
            }
            let (row, column) = (number / rectangle.columns.len(), number % rectangle.columns.len());
            return Some(self.window_at(rectangle.rows.start + row, rectangle.columns.start + column));
        }
        None
    }

    fn groups_across(&self) -> usize {
        self.within.1.div_ceil(self.group.1)
    }

    fn groups(&self) -> usize {
        self.within.0.div_ceil(self.group.0) * self.groups_across()
    }

    fn count_in(&self, group: usize) -> u64 {
        self.rectangles(group).iter().map(|rectangle| rectangle.positions() as u64).sum()
    }

    fn rectangles(&self, group: usize) -> Vec<Rectangle> {
        let across = self.groups_across().max(1);
        let part = |index: usize, side: usize, end: usize| index * side..((index + 1) * side).min(end);
        let columns = runs(&self.changes.1, part(group % across, self.group.1, self.within.1));
        let rows = runs(&self.changes.0, part(group / across, self.group.0, self.within.0));
        let all = rows
            .iter()
            .flat_map(|rows| columns.iter().map(|columns| Rectangle { rows: rows.clone(), columns: columns.clone() }));
        all.filter(|found| (self.accepts)(self.window_at(found.rows.start, found.columns.start))).collect()
    }

    fn window_at(&self, row: usize, column: usize) -> SceneWindow {
        SceneWindow::new(column, row, self.window.1, self.window.0)
    }
}

fn running(total: &mut u64, count: u64) -> u64 {
    *total += count;
    *total
}

/// Returns the positions at which a window of this length starts to begin or end beyond an edge.
fn changes(edges: &[usize], length: usize) -> Vec<usize> {
    let mut changes: Vec<usize> =
        edges.iter().flat_map(|edge| [Some(*edge), (edge + 1).checked_sub(length)]).flatten().collect();
    changes.sort_unstable();
    changes.dedup();
    changes
}

/// Returns the parts of a range between changes.
fn runs(changes: &[usize], range: Range<usize>) -> Vec<Range<usize>> {
    let (first, last) = (
        changes.partition_point(|change| *change <= range.start),
        changes.partition_point(|change| *change < range.end),
    );
    let inner = changes.get(first..last).unwrap_or_default().iter().copied();
    let ends = inner.clone().chain(iter::once(range.end));
    iter::once(range.start)
        .chain(inner)
        .zip(ends)
        .map(|(start, end)| start..end)
        .filter(|run| !run.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::random::Seed;

    /// Accepts windows that touch no cell of a checkered pattern with nodata.
    fn accepts(cell: usize, gaps: Vec<(usize, usize)>) -> impl Fn(SceneWindow) -> bool + Clone + Send + Sync {
        move |window| {
            gaps.iter().all(|(row, column)| !window.overlaps(SceneWindow::new(column * cell, row * cell, cell, cell)))
        }
    }

    proptest! {
        /// Finds as many positions as checking each of them does; each one can be drawn, and no others.
        #[test]
        fn positions_are_those_that_are_accepted(
            size in (1usize..40, 1usize..40), window in (1usize..12, 1usize..12), group in (1usize..20, 1usize..20),
            cell in 1usize..9, gaps in proptest::collection::vec((0usize..6, 0usize..6), 0..5), seed in any::<u64>(),
        ) {
            let accepts = accepts(cell, gaps);
            let all: Vec<SceneWindow> = super::super::window::grid(size, (window.1, window.0), (1, 1)).filter(|window| accepts(*window)).collect();
            let edges = |length: usize| (0..length + cell).step_by(cell).collect::<Vec<_>>();
            let positions = Positions::new(size, window, group, (edges(size.0), edges(size.1)), Box::new(accepts));
            prop_assert_eq!(positions.count(), all.len() as u64);
            let mut random = Seed(seed).stream("positions", 0);
            for number in 0..positions.count() {
                for drawn in positions.draw(positions.group_of(number), 2, &mut random) {
                    prop_assert!(all.contains(&drawn));
                }
            }
            let listed: usize = (0..positions.groups()).map(|group| positions.draw(group, 1, &mut random).len()).sum();
            prop_assert_eq!(listed == 0, all.is_empty());
        }
    }

    /// 20,000 draws from 23 positions: each count is within 5 standard deviations.
    #[test]
    fn positions_have_the_same_chance() {
        let accepts = accepts(4, vec![(1, 1)]);
        let edges = || (0..12).step_by(4).collect::<Vec<_>>();
        let positions = Positions::new((9, 9), (3, 3), (9, 9), (edges(), edges()), Box::new(accepts));
        let mut counts = BTreeMap::<SceneWindow, usize>::new();
        let drawn = positions.draw(0, 20_000, &mut Seed(3).stream("positions", 0));
        drawn.into_iter().for_each(|window| *counts.entry(window).or_default() += 1);
        assert_eq!(counts.len() as u64, positions.count());
        let mean = 20_000.0 / counts.len() as f64;
        assert!(counts.values().all(|count| (*count as f64 - mean).abs() < 5.0 * mean.sqrt()), "{counts:?}");
    }
}
