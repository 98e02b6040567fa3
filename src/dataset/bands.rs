//! The choice of the bands to use.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::alpha_bands::AlphaBands;
use super::half::Half;
use super::mixed_bands::MixedBands;
use crate::error::{Error, ErrorKind, Result};

/// A band of a file, by number or by name.
///
/// ```
/// use geolearn::dataset::Band;
///
/// assert_eq!(Band::from(4), Band::Number(4));
/// assert_eq!(Band::from("Red"), Band::Name("Red".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Band {
    /// The number of the band; the first is 1, as in GDAL and in ArcGIS Pro.
    Number(usize),
    /// The name of the band in the file, in any letter case.
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
    /// Returns the index of the band among bands of these names.
    pub(super) fn index(&self, names: &[Option<String>]) -> Result<usize> {
        let found = match self {
            Self::Number(number) => number.checked_sub(1).filter(|index| *index < names.len()),
            Self::Name(name) => names.iter().position(|own| own.as_ref().is_some_and(|own| is_named(own, name))),
        };
        found
            .ok_or_else(|| Error::new(ErrorKind::Usage, "there is no such band").expected(described(names)).found(self))
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

/// Returns the indices of all of `bands`; none may occur twice.
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

/// What to read from a domain's chips: some of their bands, or all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Empty means all bands.
    pub bands: Vec<Band>,
    pub mixed: MixedBands,
    /// The mask, until decided otherwise.
    pub alpha: AlphaBands,
    /// The half to read, if each file contains the chips of both domains.
    pub half: Option<Half>,
}

impl Asked {
    /// Returns the indices of the used bands in a chip whose bands have these names; `alpha` is the index of the
    /// opacity band.
    pub fn indices(&self, names: &[Option<String>], alpha: Option<usize>) -> Result<Vec<usize>> {
        match self.bands.as_slice() {
            [] => Ok(self.all_indices(names.len(), alpha)),
            bands => indices(bands, names),
        }
    }

    /// Returns the indices of the used bands if none were chosen.
    fn all_indices(&self, bands: usize, alpha: Option<usize>) -> Vec<usize> {
        let mut indices = self.mixed.indices(bands, alpha);
        let is_mask = alpha.is_some_and(|alpha| alpha > 0 && alpha + 1 == bands) && self.alpha != AlphaBands::Band;
        if is_mask && indices.len() == bands {
            indices.pop();
        }
        indices
    }

    /// Does the same for a chip whose header was read before: `used` of its bands were chosen, and if it may have
    /// alpha, that is the last band.
    pub fn in_chip(&self, names: &[Option<String>], used: usize) -> Result<Vec<usize>> {
        self.indices(names, names.len().checked_sub(1).filter(|_| names.len() != used))
    }

    /// Returns whether bands are found by name, wherever they are in a file.
    pub fn is_by_name(&self) -> bool {
        !self.bands.is_empty() && self.bands.iter().all(|band| matches!(band, Band::Name(_)))
    }

    /// Returns the names of the requested bands; empty if none is requested by name.
    fn names(&self) -> Vec<Option<String>> {
        let name = |band: &Band| match band {
            Band::Name(name) => Some(name.clone()),
            Band::Number(_) => None,
        };
        let names: Vec<_> = self.bands.iter().map(name).collect();
        if names.iter().any(Option::is_some) { names } else { Vec::new() }
    }
}

/// The bands of a domain that are used, and how to find them in each of its files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Selection {
    /// Number of bands in a file; in the first file if files differ.
    pub of: usize,
    /// Indices of the used bands in that file.
    pub bands: Vec<usize>,
    /// The name of each used band that is looked up by name; empty if all are looked up by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Option<String>>,
    #[serde(default, skip_serializing_if = "MixedBands::is_default")]
    pub mixed: MixedBands,
    /// How to treat alpha if it is not among the used bands.
    #[serde(default, skip_serializing_if = "AlphaBands::is_default")]
    pub alpha: AlphaBands,
}

impl Selection {
    /// Selects all of `bands` bands.
    pub fn all(bands: usize) -> Self {
        Self { of: bands, bands: (0..bands).collect(), ..Self::default() }
    }

    /// Creates a selection; `bands` are indices in a file of `of` bands.
    pub(super) fn new(asked: &Asked, of: usize, bands: Vec<usize>) -> Self {
        let mixed = if asked.bands.is_empty() { asked.mixed } else { MixedBands::default() };
        let alpha = if asked.alpha == AlphaBands::Band { AlphaBands::Band } else { AlphaBands::default() };
        Self { of, bands, names: asked.names(), mixed, alpha }
    }

    /// Returns whether the selection is consistent with this number of used bands; it may come from an untrusted file.
    pub fn is_sound(&self, bands: usize) -> bool {
        self.bands.len() == bands
            && self.bands.iter().all(|&band| band < self.of)
            && (self.names.is_empty() || self.names.len() == bands)
    }

    /// Returns the indices of the used bands in an image to translate, whose bands have these names. `None` if the
    /// image may contain exactly the used bands, in order.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the image names its bands and a band requested by name is not among them.
    pub fn in_image(&self, names: &[Option<String>]) -> Result<Option<Vec<usize>>> {
        let (by_name, named) = (!self.names.is_empty(), names.iter().any(Option::is_some));
        if by_name && named {
            return self.in_named(names).map(Some);
        }
        if names.len() == self.of {
            if by_name {
                tracing::warn!(
                    bands = ?self.names,
                    "the image does not name its bands; they are taken to be in the order of the first chip"
                );
            }
            return Ok(Some(self.bands.clone()));
        }
        let made = self.mixed.indices(names.len(), names.len().checked_sub(1));
        Ok(Some(made).filter(|made| made.len() == self.bands.len() && names.len() != made.len()))
    }

    /// Like [`in_image`](Self::in_image), for an image that must contain exactly the used bands: returns their order.
    pub fn order_in(&self, names: &[Option<String>]) -> Option<Vec<usize>> {
        let whole = names.len() == self.bands.len() && self.names.iter().all(Option::is_some) && !self.names.is_empty();
        self.in_named(names).ok().filter(|order| whole && !order.iter().copied().eq(0..order.len()))
    }

    fn in_named(&self, names: &[Option<String>]) -> Result<Vec<usize>> {
        let name = |place: usize| self.names.get(place).cloned().flatten();
        let band = |(place, &band): (usize, &usize)| name(place).map_or(Band::Number(band + 1), Band::Name);
        let bands: Vec<Band> = self.bands.iter().enumerate().map(band).collect();
        indices(&bands, names).map_err(|error| {
            error.help(
                "Give the image's bands the names of the chips', or give a file of just the used bands without names.",
            )
        })
    }
}

/// Returns whether a band name has different positions in two files.
pub(super) fn are_shuffled(names: &[Option<String>], others: &[Option<String>]) -> bool {
    let place = |names: &[Option<String>], name: &str| {
        let mut places =
            names.iter().enumerate().filter(|(_, own)| own.as_ref().is_some_and(|own| is_named(own, name)));
        // A name that occurs twice is ambiguous.
        places.next().filter(|_| places.next().is_none()).map(|(place, _)| place)
    };
    names.iter().flatten().any(|name| match (place(names, name), place(others, name)) {
        (Some(one), Some(other)) => one != other,
        _ => false,
    })
}

/// Returns the bands that the files call red, green, and blue.
pub(super) fn true_colors(names: &[Option<String>]) -> Option<[usize; 3]> {
    let find = |name: &str| Band::from(name).index(names).ok();
    Some([find("red")?, find("green")?, find("blue")?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Vec<Option<String>> {
        [Some("Blue"), None, Some("Red"), Some("green")].map(|name| name.map(String::from)).to_vec()
    }

    #[test]
    fn bands_go_by_number_and_name() {
        assert_eq!(indices(&[4.into(), "RED".into(), 1.into()], &names()).unwrap(), [3, 2, 0]);
        assert_eq!(true_colors(&names()), Some([2, 3, 0]));
        assert_eq!(true_colors(&[None, None, None]), None);
    }

    #[test]
    fn names_at_other_places_are_shuffled() {
        let list = |names: &[&str]| -> Vec<_> {
            names.iter().map(|n| Some(n.to_string()).filter(|n| !n.is_empty())).collect()
        };
        let shuffled = |one: &[&str], other: &[&str]| are_shuffled(&list(one), &list(other));
        assert!(shuffled(&["Red", "Green", "Blue"], &["blue", "green", "red"]));
        assert!(shuffled(&["Red", "NIR"], &["", "Red"]));
        assert!(!shuffled(&["Red", "NIR"], &["RED ", "SWIR"]));
        assert!(!shuffled(&["Red", "NIR"], &["", ""]) && !shuffled(&["x", "x"], &["y", "x"]));
    }

    fn selection(asked: &[Band], of: &[Option<String>]) -> Selection {
        let asked = Asked { bands: asked.to_vec(), ..Asked::default() };
        Selection::new(&asked, of.len(), asked.indices(of, None).unwrap())
    }

    proptest! {
        /// Bands requested by name are found in a file in any order.
        #[test]
        fn names_are_found_in_any_order(order in Just(vec![0usize, 1, 2, 3, 4, 5]).prop_shuffle(), more in 0usize..3) {
            let known = ["Blue", "Green", "Red", "NIR", "SWIR 1", "SWIR 2"];
            let mut file: Vec<_> = order.iter().map(|&band| Some(known[band].to_uppercase())).collect();
            file.extend(vec![None; more]);
            let first: Vec<_> = known.iter().map(|name| Some(name.to_string())).collect();
            let chosen = selection(&["red".into(), "nir".into(), "Blue".into()], &first);
            let place = |band: usize| order.iter().position(|&other| other == band).unwrap();
            let expected = [2, 3, 0].map(place);

            prop_assert_eq!(chosen.in_image(&file).unwrap().unwrap(), expected);
            file[expected[1]] = None;
            prop_assert!(chosen.in_image(&file).is_err());
        }
    }

    #[test]
    fn alpha_is_no_band_but_where_it_is_said_to_be_one() {
        let of = |alpha, bands: &[Band], mixed| Asked { bands: bands.to_vec(), mixed, alpha, half: None };
        let indices = |asked: &Asked, bands: usize, alpha| asked.indices(&vec![None; bands], alpha).unwrap();
        let mask = of(AlphaBands::Mask, &[], MixedBands::Fail);
        assert_eq!((indices(&mask, 4, Some(3)), indices(&mask, 4, None).len()), (vec![0, 1, 2], 4));
        assert_eq!((indices(&mask, 3, Some(1)).len(), indices(&mask, 1, Some(0))), (3, vec![0]));
        assert_eq!(mask.in_chip(&vec![None; 4], 3).unwrap(), [0, 1, 2]);
        assert_eq!(mask.in_chip(&vec![None; 4], 4).unwrap().len(), 4, "near infrared without a word of alpha");
        let band = of(AlphaBands::Band, &[], MixedBands::Fail);
        assert_eq!((indices(&band, 4, Some(3)).len(), band.in_chip(&vec![None; 4], 4).unwrap().len()), (4, 4));
        let kept = serde_json::to_string(&Selection::new(&band, 4, vec![0, 1])).unwrap();
        assert_eq!(kept, r#"{"of":4,"bands":[0,1],"alpha":"Band"}"#);
        assert_eq!(serde_json::from_str::<Selection>(&kept).unwrap().alpha, AlphaBands::Band);
        let chosen = of(AlphaBands::Mask, &[4.into(), 1.into()], MixedBands::Fail);
        assert_eq!(indices(&chosen, 4, Some(3)), [3, 0]);
        let gray = of(AlphaBands::Mask, &[], MixedBands::Rgb);
        assert_eq!((indices(&gray, 2, Some(1)), indices(&gray, 4, Some(3))), (vec![0; 3], vec![0, 1, 2]));
    }

    #[test]
    fn images_without_names_hold_the_bands_in_the_order_of_the_chips() {
        let chosen = selection(&["Red".into(), "Blue".into()], &names());
        assert_eq!(chosen.in_image(&vec![None; 4]).unwrap(), Some(vec![2, 0]));
        assert_eq!(chosen.in_image(&vec![None; 2]).unwrap(), None, "just the used ones");
        let two = ["blue", "red"].map(|name| Some(name.to_string()));
        assert_eq!(chosen.in_image(&two).unwrap(), Some(vec![1, 0]));
        assert_eq!((chosen.order_in(&two), chosen.order_in(&[None, None])), (Some(vec![1, 0]), None));
        let numbered = selection(&[3.into(), 1.into()], &names());
        assert_eq!(numbered.in_image(&names()).unwrap(), Some(vec![2, 0]));
        assert_eq!((numbered.in_image(&two).unwrap(), numbered.order_in(&two)), (None, None));
    }

    #[test]
    fn models_of_before_names_were_kept_still_open() {
        let old: Selection = serde_json::from_str(r#"{"of": 4, "bands": [2, 0]}"#).unwrap();
        assert_eq!(old, selection(&[3.into(), 1.into()], &names()));
        assert!(old.is_sound(2) && !old.is_sound(3));
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"of":4,"bands":[2,0]}"#);
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
