//! Options for random augmentation of training chips.

use serde::{Deserialize, Serialize};

use super::domain::{Domain, PerDomain};
use super::shares::Shares;
use super::variation::Variation;
use crate::error::{Error, ErrorKind, Result};

/// Random augmentation of training chips. All bands of a chip get the same geometric transformation.
///
/// [Partners](crate::DatasetType::Pix2Pix) get the same geometric transformation, and brightness and contrast change
/// only in domain A, because the values of B are what the model has to predict from A. For pairs, brightness and
/// contrast are off by default.
///
/// Validation chips and pictures of the data are never augmented. The random draws depend only on the seed, the domain,
/// the epoch, and the position in the epoch, not on the number of workers.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `flip_horizontal` | on | flip left to right, with probability 0.5 | |
/// | `flip_vertical` | on | flip top to bottom, with probability 0.5 | |
/// | `quarter_turns` | on | rotate by 0, 90, 180, or 270 degrees; a chip that is not square by 0 or 180 | |
/// | `rotate` | 0 | rotate about the center by up to this many degrees in either direction (bilinear, mirrored borders) | 0 to 180 |
/// | `rotate_probability` | 0.5 | probability of `rotate` | 0 to 1 |
/// | `zoom` | 1.1 | enlarge by a factor from 1 to this (bilinear), then crop to the original size at a random position | 1 to 10 |
/// | `zoom_probability` | 1 | probability of `zoom` | 0 to 1 |
/// | `crop` | none | crop a square of this side at a random position | 1 to the chip's sides |
/// | `brightness` | 0.05 | add or subtract up to this share of the value range; may differ by domain | 0 to 1 |
/// | `brightness_probability` | 1 | probability of `brightness` | 0 to 1 |
/// | `contrast` | 0.05 | multiply the distance from mid-range by 1 plus or minus up to this; may differ by domain | 0 to 1 |
/// | `contrast_probability` | 1 | probability of `contrast` | 0 to 1 |
///
/// ```
/// use geolearn::Domain;
/// use geolearn::dataset::Augment;
///
/// let for_maps = Augment::default().brightness(0.0).contrast(0.0).zoom(1.0);
/// let nothing = Augment::none();
/// assert_ne!(for_maps, nothing);
/// // Domain A is radar, whose backscatter must keep its values, and domain B is photographs.
/// let for_radar = Augment::default().brightness_of(Domain::A, 0.0).contrast_of(Domain::A, 0.0).rotate(10.0);
/// assert_ne!(for_radar, Augment::default());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Augment {
    flip_horizontal: bool,
    flip_vertical: bool,
    quarter_turns: bool,
    zoom: f64,
    crop: Option<usize>,
    brightness: Shares,
    contrast: Shares,
    // Written only if they differ from the defaults, so that files look as they did before these options existed.
    #[serde(skip_serializing_if = "is_zero")]
    rotate: f64,
    #[serde(skip_serializing_if = "is_half")]
    rotate_probability: f64,
    #[serde(skip_serializing_if = "is_one")]
    zoom_probability: f64,
    #[serde(skip_serializing_if = "is_one")]
    brightness_probability: f64,
    #[serde(skip_serializing_if = "is_one")]
    contrast_probability: f64,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn is_half(value: &f64) -> bool {
    *value == 0.5
}

fn is_one(value: &f64) -> bool {
    *value == 1.0
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            flip_horizontal: true,
            flip_vertical: true,
            quarter_turns: true,
            zoom: 1.1,
            crop: None,
            brightness: Shares::both(0.05),
            contrast: Shares::both(0.05),
            rotate: 0.0,
            rotate_probability: 0.5,
            zoom_probability: 1.0,
            brightness_probability: 1.0,
            contrast_probability: 1.0,
        }
    }
}

impl Augment {
    /// Augments nothing: every epoch sees the chips unchanged.
    ///
    /// ```
    /// let only_crops = geolearn::dataset::Augment::none().crop(32);
    /// ```
    pub fn none() -> Self {
        Self {
            flip_horizontal: false,
            flip_vertical: false,
            quarter_turns: false,
            zoom: 1.0,
            brightness: Shares::both(0.0),
            contrast: Shares::both(0.0),
            ..Self::default()
        }
    }

    /// Sets whether chips are randomly flipped left to right. Default: on.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().flip_horizontal(false);
    /// ```
    pub fn flip_horizontal(mut self, on: bool) -> Self {
        self.flip_horizontal = on;
        self
    }

    /// Sets whether chips are randomly flipped top to bottom. Default: on. Turn it off if shadows always fall the same
    /// way.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().flip_vertical(false);
    /// ```
    pub fn flip_vertical(mut self, on: bool) -> Self {
        self.flip_vertical = on;
        self
    }

    /// Sets whether chips are randomly rotated by multiples of 90 degrees. Default: on.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().quarter_turns(false);
    /// ```
    pub fn quarter_turns(mut self, on: bool) -> Self {
        self.quarter_turns = on;
        self
    }

    /// Sets the largest angle, in degrees from 0 to 180, by which chips are rotated about their center, clockwise or
    /// counterclockwise. Default: 0 (no rotation); arcgis.learn's tools use 30.
    ///
    /// Values are interpolated in the same pass as for [`zoom`](Self::zoom), and corners that the chip does not cover
    /// are filled by mirroring. A pixel has data if the nearest pixel of the chip does.
    /// [Partners](crate::DatasetType::Pix2Pix) are rotated by the same angle.
    ///
    /// ```
    /// // The same as `rotate 30;0.5` in Train Deep Learning Model.
    /// let augment = geolearn::dataset::Augment::default().rotate(30.0).rotate_probability(0.5);
    /// ```
    pub fn rotate(mut self, degrees: f64) -> Self {
        self.rotate = degrees;
        self
    }

    /// Sets the probability, from 0 to 1, that a chip is rotated by [`rotate`](Self::rotate). Default: 0.5.
    ///
    /// ```
    /// let always = geolearn::dataset::Augment::default().rotate(5.0).rotate_probability(1.0);
    /// ```
    pub fn rotate_probability(mut self, probability: f64) -> Self {
        self.rotate_probability = probability;
        self
    }

    /// Sets the largest zoom factor, from 1 (none) to 10. Default: 1.1.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().zoom(1.3);
    /// ```
    pub fn zoom(mut self, largest: f64) -> Self {
        self.zoom = largest;
        self
    }

    /// Sets the probability, from 0 to 1, that a chip is enlarged by [`zoom`](Self::zoom). Default: 1.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().zoom(1.2).zoom_probability(0.75);
    /// ```
    pub fn zoom_probability(mut self, probability: f64) -> Self {
        self.zoom_probability = probability;
        self
    }

    /// Sets the side in pixels of the random square crop; `None` keeps the chip's size. Default: `None`.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().crop(48);
    /// ```
    pub fn crop(mut self, side: impl Into<Option<usize>>) -> Self {
        self.crop = side.into();
        self
    }

    /// Returns the side of the random crop, if there is one.
    pub(crate) fn crop_side(&self) -> Option<usize> {
        self.crop
    }

    /// Sets the largest change of brightness in both domains, as a share of the value range, from 0 to 1. Default:
    /// 0.05.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().brightness(0.1);
    /// ```
    pub fn brightness(mut self, share: f64) -> Self {
        self.brightness = Shares::both(share);
        self
    }

    /// Sets the largest change of brightness in one domain; use 0 for radar. Default: 0.05.
    ///
    /// ```
    /// use geolearn::Domain;
    ///
    /// let augment = geolearn::dataset::Augment::default().brightness_of(Domain::A, 0.0);
    /// ```
    pub fn brightness_of(mut self, domain: Domain, share: f64) -> Self {
        self.brightness.set(domain, share);
        self
    }

    /// Sets the probability, from 0 to 1, that [`brightness`](Self::brightness) changes a chip. Default: 1.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().brightness(0.1).brightness_probability(0.75);
    /// ```
    pub fn brightness_probability(mut self, probability: f64) -> Self {
        self.brightness_probability = probability;
        self
    }

    /// Sets the largest change of contrast in both domains, as a share, from 0 to 1. Default: 0.05.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().contrast(0.1);
    /// ```
    pub fn contrast(mut self, share: f64) -> Self {
        self.contrast = Shares::both(share);
        self
    }

    /// Sets the largest change of contrast in one domain. Default: 0.05.
    ///
    /// ```
    /// use geolearn::Domain;
    ///
    /// let augment = geolearn::dataset::Augment::default().contrast_of(Domain::A, 0.0);
    /// ```
    pub fn contrast_of(mut self, domain: Domain, share: f64) -> Self {
        self.contrast.set(domain, share);
        self
    }

    /// Sets the probability, from 0 to 1, that [`contrast`](Self::contrast) changes a chip. Default: 1.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().contrast(0.1).contrast_probability(0.75);
    /// ```
    pub fn contrast_probability(mut self, probability: f64) -> Self {
        self.contrast_probability = probability;
        self
    }

    /// Checks that options are in the ranges of the table, and that domain B of pairs keeps its brightness and
    /// contrast.
    pub(super) fn check(&self, is_paired: bool) -> Result<()> {
        let within = |name: &str, value: f64, low: f64, high: f64| {
            // NaN fails this check too.
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Usage, format!("Augment::{name} is out of range"))
                .expected(format!("{low} to {high}"))
                .found(value))
        };
        within("zoom", self.zoom, 1.0, 10.0)?;
        within("rotate", self.rotate, 0.0, 180.0)?;
        for (name, probability) in [
            ("rotate_probability", self.rotate_probability),
            ("zoom_probability", self.zoom_probability),
            ("brightness_probability", self.brightness_probability),
            ("contrast_probability", self.contrast_probability),
        ] {
            within(name, probability, 0.0, 1.0)?;
        }
        for (name, shares) in [("brightness", self.brightness), ("contrast", self.contrast)] {
            let PerDomain { a, b } = shares.each();
            within(name, a, 0.0, 1.0)?;
            within(name, b, 0.0, 1.0)?;
            if is_paired && b > 0.0 && a != b {
                return Err(Error::new(ErrorKind::Usage, format!("pairs have no {name} of domain B to vary"))
                    .expected(format!("0 in Augment::{name}_of(Domain::B, …)"))
                    .found(b)
                    .help("The values of B are what a model is to make of A. Set those of domain A alone."));
            }
        }
        if self.crop == Some(0) {
            return Err(Error::new(ErrorKind::Usage, "Augment::crop is out of range").expected("at least 1").found(0));
        }
        Ok(())
    }

    /// Returns the variation for the chips of one domain.
    pub(super) fn variation(&self, domain: Domain) -> Variation {
        Variation {
            flip_horizontal: self.flip_horizontal,
            flip_vertical: self.flip_vertical,
            quarter_turns: self.quarter_turns,
            crop: self.crop,
            rotate: (self.rotate, self.rotate_probability),
            zoom: (self.zoom, self.zoom_probability),
            brightness: (*self.brightness.each().get(domain), self.brightness_probability),
            contrast: (*self.contrast.each().get(domain), self.contrast_probability),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by the release that had no rotation, no probabilities, and one brightness and contrast for both domains.
    const BEFORE: &str = r#"{"flip_horizontal":true,"flip_vertical":true,"quarter_turns":true,"zoom":1.1,"crop":null,"brightness":0.05,"contrast":0.05}"#;

    #[test]
    fn what_is_not_used_is_not_written() {
        assert_eq!(serde_json::to_string(&Augment::default()).unwrap(), BEFORE);
        assert_eq!(serde_json::from_str::<Augment>(BEFORE).unwrap(), Augment::default());
        let new = Augment::default().rotate(30.0).rotate_probability(0.25).zoom_probability(0.5);
        let new = new.brightness_of(Domain::A, 0.0).contrast_probability(0.75).brightness_probability(0.1);
        let text = serde_json::to_string(&new).unwrap();
        assert_eq!(serde_json::from_str::<Augment>(&text).unwrap(), new);
        assert!(text.contains(r#""brightness":{"a":0.0,"b":0.05}"#) && text.contains(r#""rotate":30.0"#), "{text}");
    }

    #[test]
    fn options_out_of_range_are_named() {
        let base = Augment::default;
        for (augment, name) in [
            (base().rotate(-1.0), "Augment::rotate"),
            (base().rotate(181.0), "Augment::rotate"),
            (base().rotate(f64::NAN), "Augment::rotate"),
            (base().rotate_probability(1.1), "rotate_probability"),
            (base().zoom_probability(-0.1), "zoom_probability"),
            (base().brightness_probability(f64::NAN), "brightness_probability"),
            (base().contrast_probability(2.0), "contrast_probability"),
            (base().brightness_of(Domain::A, 1.5), "brightness"),
            (base().contrast_of(Domain::B, -0.5), "contrast"),
        ] {
            let error = augment.check(false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    /// An option that would have no effect is an error.
    #[test]
    fn light_on_domain_b_of_pairs_is_refused() {
        let alone = Augment::none().contrast_of(Domain::B, 0.1);
        let text = alone.check(true).unwrap_err().to_string();
        assert!(text.contains("contrast_of(Domain::B"), "{text}");
        alone.check(false).unwrap();
        Augment::none().contrast_of(Domain::A, 0.1).check(true).unwrap();
        Augment::default().check(true).unwrap();
    }
}
