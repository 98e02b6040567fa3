//! The two domains of a translation.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two kinds of images that a model translates between.
///
/// ```
/// use geolearn::Domain;
///
/// assert_eq!(Domain::A.other(), Domain::B);
/// assert_eq!(Domain::B.to_string(), "B");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Domain {
    /// The domain of folder `A` (or `train_a`, `trainA`; for pairs `images`).
    A,
    /// The domain of folder `B` (or `train_b`, `trainB`; for pairs `images2` or `labels`).
    B,
}

impl Domain {
    /// Both domains, A first.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// Returns the other domain.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// A value for each domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PerDomain<T> {
    pub a: T,
    pub b: T,
}

impl<T> PerDomain<T> {
    /// Makes both values, A first.
    pub fn try_from_fn<E>(mut make: impl FnMut(Domain) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self { a: make(Domain::A)?, b: make(Domain::B)? })
    }

    /// Makes both values, A first.
    pub fn from_fn(mut make: impl FnMut(Domain) -> T) -> Self {
        Self { a: make(Domain::A), b: make(Domain::B) }
    }

    pub fn get_mut(&mut self, domain: Domain) -> &mut T {
        match domain {
            Domain::A => &mut self.a,
            Domain::B => &mut self.b,
        }
    }

    pub fn get(&self, domain: Domain) -> &T {
        match domain {
            Domain::A => &self.a,
            Domain::B => &self.b,
        }
    }
}
