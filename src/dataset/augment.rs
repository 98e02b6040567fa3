//! Random geometry and light, drawn anew for each chip of each epoch.

use ndarray::{Array3, Axis};
use serde::{Deserialize, Serialize};

use super::normalise::GAP;
use crate::error::{Error, ErrorKind, Result};
use crate::random::Stream;
use crate::raster::Window;

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
/// | `zoom` | 1.1 | enlarge by a factor from 1 to this (bilinear), then cut to size at a random place | 1 to 10 |
/// | `crop` | none | cut a square of this side at a random place | 1 to the chip's sides |
/// | `brightness` | 0.05 | add up to this share of the value range, either way | 0 to 1 |
/// | `contrast` | 0.05 | multiply the distance from mid-range by 1, plus or minus up to this | 0 to 1 |
///
/// ```
/// use geolearn::Augment;
///
/// let for_maps = Augment::default().brightness(0.0).contrast(0.0).zoom(1.0);
/// let nothing = Augment::none();
/// assert_ne!(for_maps, nothing);
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
    brightness: f64,
    contrast: f64,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            flip_horizontal: true,
            flip_vertical: true,
            quarter_turns: true,
            zoom: 1.1,
            crop: None,
            brightness: 0.05,
            contrast: 0.05,
        }
    }
}

impl Augment {
    /// Varies nothing: every epoch sees the chips as they are.
    ///
    /// ```
    /// let only_crops = geolearn::Augment::none().crop(32);
    /// ```
    pub fn none() -> Self {
        Self {
            flip_horizontal: false,
            flip_vertical: false,
            quarter_turns: false,
            zoom: 1.0,
            crop: None,
            brightness: 0.0,
            contrast: 0.0,
        }
    }

    /// Whether chips are mirrored left and right. Default on.
    ///
    /// ```
    /// let augment = geolearn::Augment::default().flip_horizontal(false);
    /// ```
    pub fn flip_horizontal(mut self, on: bool) -> Self {
        self.flip_horizontal = on;
        self
    }

    /// Whether chips are mirrored top and bottom. Default on; switch it off where light falls from one side.
    ///
    /// ```
    /// let augment = geolearn::Augment::default().flip_vertical(false);
    /// ```
    pub fn flip_vertical(mut self, on: bool) -> Self {
        self.flip_vertical = on;
        self
    }

    /// Whether chips are turned by quarters. Default on.
    ///
    /// ```
    /// let augment = geolearn::Augment::default().quarter_turns(false);
    /// ```
    pub fn quarter_turns(mut self, on: bool) -> Self {
        self.quarter_turns = on;
        self
    }

    /// The largest enlargement, from 1 (none) to 10. Default 1.1.
    ///
    /// ```
    /// let augment = geolearn::Augment::default().zoom(1.3);
    /// ```
    pub fn zoom(mut self, largest: f64) -> Self {
        self.zoom = largest;
        self
    }

    /// The side in pixels of the square that is cut out; `None` keeps the chip's size. Default `None`.
    ///
    /// ```
    /// let augment = geolearn::Augment::default().crop(48);
    /// ```
    pub fn crop(mut self, side: impl Into<Option<usize>>) -> Self {
        self.crop = side.into();
        self
    }

    /// The side of the random crop, where there is one.
    pub(crate) fn crop_side(&self) -> Option<usize> {
        self.crop
    }

    /// The largest shift, as a share of the value range, from 0 to 1. Default 0.05.
    ///
    /// ```
    /// let augment = geolearn::Augment::default().brightness(0.1);
    /// ```
    pub fn brightness(mut self, share: f64) -> Self {
        self.brightness = share;
        self
    }

    /// The largest change of contrast, as a share, from 0 to 1. Default 0.05.
    ///
    /// ```
    /// let augment = geolearn::Augment::default().contrast(0.1);
    /// ```
    pub fn contrast(mut self, share: f64) -> Self {
        self.contrast = share;
        self
    }

    /// Checks the ranges that the table states.
    pub(super) fn check(&self) -> Result<()> {
        let within = |name: &str, value: f64, low: f64, high: f64| {
            // Not a number fails the test too.
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Usage, format!("{name} is out of range"))
                .expected(format!("{low} to {high}"))
                .found(value))
        };
        within("Augment::zoom", self.zoom, 1.0, 10.0)?;
        within("Augment::brightness", self.brightness, 0.0, 1.0)?;
        within("Augment::contrast", self.contrast, 0.0, 1.0)?;
        if self.crop == Some(0) {
            return Err(Error::new(ErrorKind::Usage, "Augment::crop is out of range").expected("at least 1").found(0));
        }
        Ok(())
    }

    /// The size in (height, width) that training sees of chips of this size.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the square to cut does not fit in the chip.
    pub(super) fn output_size(&self, chip: (usize, usize)) -> Result<(usize, usize)> {
        let Some(side) = self.crop else { return Ok(chip) };
        if side > chip.0.min(chip.1) {
            return Err(Error::new(ErrorKind::Usage, "Augment::crop is larger than the chips")
                .expected(format!("at most {}", chip.0.min(chip.1)))
                .found(side));
        }
        Ok((side, side))
    }

    /// Varies one normalised chip (C, H, W) in [-1, 1], with NaN for gaps; the result stays in [-1, 1], and gaps are
    /// [`GAP`] whatever the light.
    pub(super) fn apply(&self, chip: Array3<f32>, random: &mut Stream) -> Array3<f32> {
        let draw = Draw::new(self, (chip.dim().1, chip.dim().2), random);
        draw.light(draw.turn(draw.cut(chip)))
    }
}

/// One draw of everything. All of it is drawn even where it is switched off, so that switching one thing off leaves
/// the draws of the others as they were.
struct Draw {
    size: (usize, usize),
    window: Option<Window>,
    flip_horizontal: bool,
    flip_vertical: bool,
    quarters: usize,
    gain: f32,
    offset: f32,
}

impl Draw {
    fn new(augment: &Augment, chip: (usize, usize), random: &mut Stream) -> Self {
        let side = augment.crop.unwrap_or(usize::MAX);
        let size = if augment.crop.is_some() { (side.min(chip.0), side.min(chip.1)) } else { chip };
        let window = draw_window(augment.zoom, chip, size, random);
        let [horizontal, vertical] = [random.coin(), random.coin()];
        let quarters = match (augment.quarter_turns, size.0 == size.1, random.below(4)) {
            (false, ..) => 0,
            (true, true, quarters) => quarters,
            (true, false, quarters) => quarters / 2 * 2,
        };
        let gain = 1.0 + random.between(-augment.contrast, augment.contrast);
        // The range [-1, 1] is 2 wide.
        let offset = 2.0 * random.between(-augment.brightness, augment.brightness);
        Self {
            size,
            window,
            flip_horizontal: augment.flip_horizontal && horizontal,
            flip_vertical: augment.flip_vertical && vertical,
            quarters,
            gain: gain as f32,
            offset: offset as f32,
        }
    }

    fn cut(&self, chip: Array3<f32>) -> Array3<f32> {
        match &self.window {
            Some(window) => window.sample(&chip, self.size.0, self.size.1),
            None => chip,
        }
    }

    fn turn(&self, mut chip: Array3<f32>) -> Array3<f32> {
        if self.flip_horizontal {
            chip.invert_axis(Axis(2));
        }
        if self.flip_vertical {
            chip.invert_axis(Axis(1));
        }
        if self.quarters >= 2 {
            chip.invert_axis(Axis(1));
            chip.invert_axis(Axis(2));
        }
        if self.quarters % 2 == 1 {
            chip.swap_axes(1, 2);
            chip.invert_axis(Axis(1));
        }
        chip
    }

    fn light(&self, mut chip: Array3<f32>) -> Array3<f32> {
        let is_plain = self.gain == 1.0 && self.offset == 0.0;
        chip.mapv_inplace(|value| match value {
            gap if gap.is_nan() => GAP,
            value if is_plain => value,
            value => (value * self.gain + self.offset).clamp(-1.0, 1.0),
        });
        chip
    }
}

/// Enlarging by s and cutting a window is the same as enlarging a window that is s times smaller. `None` is all of it.
fn draw_window(zoom: f64, chip: (usize, usize), size: (usize, usize), random: &mut Stream) -> Option<Window> {
    let scale = random.between(1.0, zoom);
    let place = [random.unit(), random.unit()];
    if zoom == 1.0 {
        // Whole pixels, so that nothing is resampled.
        let start = |place: f64, room: usize| (place * (room + 1) as f64).floor().min(room as f64);
        let (top, left) = (start(place[0], chip.0 - size.0), start(place[1], chip.1 - size.1));
        return (chip != size).then_some(Window { top, left, height: size.0 as f64, width: size.1 as f64 });
    }
    let (height, width) = (size.0 as f64 / scale, size.1 as f64 / scale);
    Some(Window { top: place[0] * (chip.0 as f64 - height), left: place[1] * (chip.1 as f64 - width), height, width })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;
    use proptest::prelude::*;

    proptest! {
        /// A chip of one value with gaps: whatever is drawn, each sample is a gap or that value in the light of the draw,
        /// and there are gaps where there were some at all.
        #[test]
        fn gaps_stay_gaps(
            seed in any::<u64>(), value in -1.0f32..1.0, size in (8usize..40, 8usize..40), zoom in prop_oneof![Just(1.0), 1.0f64..3.0],
            light in (0.0f64..=1.0, 0.0f64..=1.0), share in 0.0f64..=1.0, plain in any::<bool>(),
        ) {
            let mut random = Seed(seed).stream("gaps", 0);
            let chip = Array3::from_shape_fn((2, size.0, size.1), |_| if random.unit() < share { f32::NAN } else { value });
            let (brightness, contrast) = if plain { (0.0, 0.0) } else { light };
            let augment = Augment::default().zoom(zoom).brightness(brightness).contrast(contrast);
            let draw = Draw::new(&augment, size, &mut Seed(seed).stream("draw", 0));
            let lit = if plain { value } else { (value * draw.gain + draw.offset).clamp(-1.0, 1.0) };
            let gaps = chip.iter().filter(|value| value.is_nan()).count();
            let made = augment.apply(chip.clone(), &mut Seed(seed).stream("draw", 0));
            let empty = |sample: &f32| *sample == GAP && lit != GAP;
            prop_assert!(made.iter().all(|sample| empty(sample) || (sample - lit).abs() < 1e-5), "{lit}");
            if gaps == chip.len() {
                prop_assert!(made.iter().all(|sample| *sample == GAP));
            }
            if gaps == 0 && lit != GAP {
                prop_assert!(!made.iter().any(empty));
            }
            if zoom == 1.0 && lit != GAP {
                prop_assert_eq!(made.iter().filter(|sample| empty(sample)).count(), gaps);
            }
        }
    }
}
