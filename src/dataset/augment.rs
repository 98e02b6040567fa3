//! What may be varied at random in training chips.

use serde::{Deserialize, Serialize};

use super::domain::{Domain, PerDomain};
use super::shares::Shares;
use super::variation::Variation;
use crate::error::{Error, ErrorKind, Result};

/// What is varied at random in a training chip. All bands of a chip get the same geometry.
///
/// [Partners](crate::DatasetType::Pix2Pix) get the same geometry, and light falls on domain A alone: the values of B are what
/// a model is to make of A. Of pairs, light is off unless it is asked for.
///
/// Validation chips and pictures of the data are never varied. The draws depend on the seed, the domain, the epoch
/// and the place in the epoch only, not on the number of workers.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `flip_horizontal` | on | mirror left and right, in half of the draws | |
/// | `flip_vertical` | on | mirror top and bottom, in half of the draws | |
/// | `quarter_turns` | on | turn by 0, 90, 180 or 270 degrees; a chip that is not square by 0 or 180 | |
/// | `rotate` | 0 | turn about the center by up to so many degrees, either way (bilinear, with mirrored borders) | 0 to 180 |
/// | `rotate_probability` | 0.5 | how often `rotate` turns | 0 to 1 |
/// | `zoom` | 1.1 | enlarge by a factor from 1 to this (bilinear), then cut to size at a random place | 1 to 10 |
/// | `zoom_probability` | 1 | how often `zoom` enlarges | 0 to 1 |
/// | `crop` | none | cut a square of this side at a random place | 1 to the chip's sides |
/// | `brightness` | 0.05 | add up to this share of the value range, either way; may differ by domain | 0 to 1 |
/// | `brightness_probability` | 1 | how often `brightness` changes | 0 to 1 |
/// | `contrast` | 0.05 | multiply the distance from mid-range by 1, plus or minus up to this; may differ by domain | 0 to 1 |
/// | `contrast_probability` | 1 | how often `contrast` changes | 0 to 1 |
///
/// ```
/// use geolearn::Domain;
/// use geolearn::dataset::Augment;
///
/// let for_maps = Augment::default().brightness(0.0).contrast(0.0).zoom(1.0);
/// let nothing = Augment::none();
/// assert_ne!(for_maps, nothing);
/// // Radar as domain A, whose backscatter must keep its values, and photographs as domain B.
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
    // Written only where they are not the defaults, as before there were any.
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
    /// Varies nothing: every epoch sees the chips as they are.
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

    /// Whether chips are mirrored left and right. Default on.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().flip_horizontal(false);
    /// ```
    pub fn flip_horizontal(mut self, on: bool) -> Self {
        self.flip_horizontal = on;
        self
    }

    /// Whether chips are mirrored top and bottom. Default on; switch it off where light falls from one side.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().flip_vertical(false);
    /// ```
    pub fn flip_vertical(mut self, on: bool) -> Self {
        self.flip_vertical = on;
        self
    }

    /// Whether chips are turned by quarters. Default on.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().quarter_turns(false);
    /// ```
    pub fn quarter_turns(mut self, on: bool) -> Self {
        self.quarter_turns = on;
        self
    }

    /// Sets the largest angle, in degrees from 0 to 180, by which chips are turned about their center, clockwise or
    /// counterclockwise. Default 0, which turns none; arcgis.learn's tools have 30.
    ///
    /// Values are interpolated in the same pass as those of [`zoom`](Self::zoom), and corners that the chip does not fill show
    /// its mirror image. A pixel has data where the nearest one of the chip has. [Partners](crate::DatasetType::Pix2Pix)
    /// turn by the same angle.
    ///
    /// ```
    /// // As `rotate 30;0.5` of Train Deep Learning Model.
    /// let augment = geolearn::dataset::Augment::default().rotate(30.0).rotate_probability(0.5);
    /// ```
    pub fn rotate(mut self, degrees: f64) -> Self {
        self.rotate = degrees;
        self
    }

    /// Sets the probability, from 0 to 1, with which a chip is turned by [`rotate`](Self::rotate). Default 0.5.
    ///
    /// ```
    /// let always = geolearn::dataset::Augment::default().rotate(5.0).rotate_probability(1.0);
    /// ```
    pub fn rotate_probability(mut self, probability: f64) -> Self {
        self.rotate_probability = probability;
        self
    }

    /// The largest enlargement, from 1 (none) to 10. Default 1.1.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().zoom(1.3);
    /// ```
    pub fn zoom(mut self, largest: f64) -> Self {
        self.zoom = largest;
        self
    }

    /// Sets the probability, from 0 to 1, with which a chip is enlarged by [`zoom`](Self::zoom). Default 1.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().zoom(1.2).zoom_probability(0.75);
    /// ```
    pub fn zoom_probability(mut self, probability: f64) -> Self {
        self.zoom_probability = probability;
        self
    }

    /// The side in pixels of the square that is cut out; `None` keeps the chip's size. Default `None`.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().crop(48);
    /// ```
    pub fn crop(mut self, side: impl Into<Option<usize>>) -> Self {
        self.crop = side.into();
        self
    }

    /// The side of the random crop, where there is one.
    pub(crate) fn crop_side(&self) -> Option<usize> {
        self.crop
    }

    /// Sets the largest shift of both domains, as a share of the value range, from 0 to 1. Default 0.05.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().brightness(0.1);
    /// ```
    pub fn brightness(mut self, share: f64) -> Self {
        self.brightness = Shares::both(share);
        self
    }

    /// Sets the largest shift of one domain, where the domains differ: radar wants none. Default 0.05.
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

    /// Sets the probability, from 0 to 1, with which [`brightness`](Self::brightness) changes. Default 1.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().brightness(0.1).brightness_probability(0.75);
    /// ```
    pub fn brightness_probability(mut self, probability: f64) -> Self {
        self.brightness_probability = probability;
        self
    }

    /// Sets the largest change of contrast of both domains, as a share, from 0 to 1. Default 0.05.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().contrast(0.1);
    /// ```
    pub fn contrast(mut self, share: f64) -> Self {
        self.contrast = Shares::both(share);
        self
    }

    /// Sets the largest change of contrast of one domain, where the domains differ. Default 0.05.
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

    /// Sets the probability, from 0 to 1, with which [`contrast`](Self::contrast) changes. Default 1.
    ///
    /// ```
    /// let augment = geolearn::dataset::Augment::default().contrast(0.1).contrast_probability(0.75);
    /// ```
    pub fn contrast_probability(mut self, probability: f64) -> Self {
        self.contrast_probability = probability;
        self
    }

    /// Checks the ranges that the table states. Of pairs no light falls on domain B.
    pub(super) fn check(&self, is_paired: bool) -> Result<()> {
        let within = |name: &str, value: f64, low: f64, high: f64| {
            // Not a number fails the test too.
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

    /// Returns what is varied in the chips of one domain.
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

    /// As the release wrote it that had no rotation, no probabilities and one light for both domains.
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

    /// An option that would do nothing is not taken silently.
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
