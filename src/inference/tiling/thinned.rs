//! A list with an upper bound on its length.

/// At most a fixed number of values, evenly taken from all that were pushed.
pub(crate) struct ThinnedList<T> {
    kept: Vec<T>,
    most: usize,
    /// One value in this many is kept.
    every: usize,
    came: usize,
}

impl<T> ThinnedList<T> {
    pub fn new(most: usize) -> Self {
        Self { kept: Vec::new(), most, every: 1, came: 0 }
    }

    /// Adds a value; if there are too many, every second value is dropped.
    pub fn push(&mut self, value: T) {
        if self.came.is_multiple_of(self.every) {
            self.kept.push(value);
        }
        self.came += 1;
        if self.kept.len() > self.most {
            let mut index = 0;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.every *= 2;
        }
    }

    pub fn into_kept(self) -> Vec<T> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_thinned_evenly() {
        for (came, expected) in [(3, vec![0, 1, 2]), (4, vec![0, 1, 2, 3]), (9, vec![0, 4, 8]), (20, vec![0, 8, 16])] {
            let mut thinned = ThinnedList::new(4);
            (0..came).for_each(|value| thinned.push(value));
            assert_eq!(thinned.into_kept(), expected, "of {came}");
        }
    }
}
