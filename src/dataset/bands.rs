//! Which bands of a domain's chips are used.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// A band of a file, by number or by name.
///
/// ```
/// use geolearn::Band;
///
/// assert_eq!(Band::from(4), Band::Number(4));
/// assert_eq!(Band::from("Red"), Band::Name("Red".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Band {
    /// The first band is 1, as in GDAL and in ArcGIS Pro.
    Number(usize),
    /// The description that the file gives the band, in any letter case.
    Name(String),
}

impl From<usize> for Band {
    fn from(number: usize) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Band {
    fn from(name: &str) -> Self {
        Self::Name(name.to_string())
    }
}

impl From<String> for Band {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl Band {
    /// The index of the band among bands of these names.
    pub(super) fn index(&self, names: &[Option<String>]) -> Result<usize> {
        let found = match self {
            Self::Number(number) => number.checked_sub(1).filter(|index| *index < names.len()),
            Self::Name(name) => names.iter().position(|own| own.as_ref().is_some_and(|own| is_named(own, name))),
        };
        found.ok_or_else(|| {
            Error::new(ErrorKind::Usage, "the chips have no such band").expected(described(names)).found(self)
        })
    }
}

fn is_named(own: &str, name: &str) -> bool {
    own.trim().to_lowercase() == name.trim().to_lowercase()
}

fn described(names: &[Option<String>]) -> String {
    let named: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
    match named.len() {
        0 => format!("a number from 1 to {} (the bands have no names)", names.len()),
        _ => format!("a number from 1 to {} or one of the names {}", names.len(), named.join(", ")),
    }
}

/// Indices of all of `bands`; none may come twice.
pub(super) fn indices(bands: &[Band], names: &[Option<String>]) -> Result<Vec<usize>> {
    let mut indices = Vec::new();
    for band in bands {
        let index = band.index(names)?;
        if indices.contains(&index) {
            return Err(Error::new(ErrorKind::Usage, "a band is asked for twice").found(band));
        }
        indices.push(index);
    }
    Ok(indices)
}

/// The bands that the files call red, green and blue.
pub(super) fn true_colours(names: &[Option<String>]) -> Option<[usize; 3]> {
    let find = |name: &str| Band::from(name).index(names).ok();
    Some([find("red")?, find("green")?, find("blue")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<Option<String>> {
        [Some("Blue"), None, Some("Red"), Some("green")].map(|name| name.map(String::from)).to_vec()
    }

    #[test]
    fn bands_go_by_number_and_name() {
        assert_eq!(indices(&[4.into(), "RED".into(), 1.into()], &names()).unwrap(), [3, 2, 0]);
        assert_eq!(true_colours(&names()), Some([2, 3, 0]));
        assert_eq!(true_colours(&[None, None, None]), None);
    }

    #[test]
    fn bands_that_are_not_there_are_named_with_those_that_are() {
        for band in [Band::from(0), Band::from(5), Band::from("nir")] {
            let error = indices(&[band], &names()).unwrap_err();
            assert!(error.to_string().contains("1 to 4 or one of the names Blue, Red, green"), "{error}");
        }
        assert!(indices(&[1.into(), "blue".into()], &names()).unwrap_err().to_string().contains("twice"));
    }
}
