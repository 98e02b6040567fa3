//! A share for each domain.

use serde::{Deserialize, Serialize};

use super::domain::{Domain, PerDomain};

/// A share for each domain; written as a single number if both are equal, as before they could differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(super) struct Shares(PerDomain<f64>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Both(f64),
    Each(PerDomain<f64>),
}

impl Shares {
    /// Returns the same share for both domains.
    pub fn both(share: f64) -> Self {
        Self(PerDomain { a: share, b: share })
    }

    /// Sets the share of one domain.
    pub fn set(&mut self, domain: Domain, share: f64) {
        *self.0.get_mut(domain) = share;
    }

    pub fn each(self) -> PerDomain<f64> {
        self.0
    }
}

impl From<Stored> for Shares {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Both(share) => Self::both(share),
            Stored::Each(each) => Self(each),
        }
    }
}

impl From<Shares> for Stored {
    fn from(Shares(each): Shares) -> Self {
        if each.a == each.b { Self::Both(each.a) } else { Self::Each(each) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::known_fields;

    #[test]
    fn equal_shares_are_one_number() {
        let mut shares = Shares::both(0.25);
        assert_eq!(serde_json::to_string(&shares).unwrap(), "0.25");
        shares.set(Domain::B, 0.0);
        assert_eq!(serde_json::to_string(&shares).unwrap(), r#"{"a":0.25,"b":0.0}"#);
        for text in ["0.25", r#"{"a": 0.25, "b": 0}"#] {
            let strict: Shares = serde_json::from_str(text).unwrap();
            let stored: Shares = known_fields(&mut serde_json::Deserializer::from_str(text)).unwrap();
            assert_eq!((strict, strict.each().a), (stored, 0.25));
        }
        assert!(serde_json::from_str::<Shares>(r#"{"a": 1}"#).is_err());
    }
}
