//! Random changes of geometry, brightness, and contrast, drawn anew for each chip in each epoch.

use ndarray::{Array3, Axis};

use super::normalize::GAP;
use crate::error::{Error, ErrorKind, Result};
use crate::random::Stream;
use crate::raster::Window;

/// The augmentation of one domain's chips; [`Augment`](super::Augment) lists the ranges. In pairs of numbers, the first
/// is the largest change and the second its probability.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variation {
    pub flip_horizontal: bool,
    pub flip_vertical: bool,
    pub quarter_turns: bool,
    pub crop: Option<usize>,
    pub rotate: (f64, f64),
    pub zoom: (f64, f64),
    pub brightness: (f64, f64),
    pub contrast: (f64, f64),
}

impl Variation {
    /// Returns the (height, width) that training sees for chips of this size.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the crop does not fit in the chip.
    pub fn output_size(&self, chip: (usize, usize)) -> Result<(usize, usize)> {
        let Some(side) = self.crop else { return Ok(chip) };
        if side > chip.0.min(chip.1) {
            return Err(Error::new(ErrorKind::Usage, "Augment::crop is larger than the chips")
                .expected(format!("at most {}", chip.0.min(chip.1)))
                .found(side));
        }
        Ok((side, side))
    }

    /// Returns the same variation without changes of brightness and contrast.
    pub fn without_light(self) -> Self {
        Self { brightness: (0.0, self.brightness.1), contrast: (0.0, self.contrast.1), ..self }
    }

    /// Augments one normalized chip (C, H, W) in [-1, 1], with NaN for nodata; the result stays in [-1, 1], and nodata
    /// becomes [`GAP`] regardless of brightness and contrast.
    pub fn apply(&self, chip: Array3<f32>, random: &mut Stream) -> Array3<f32> {
        let draw = Draw::new(self, (chip.dim().1, chip.dim().2), random);
        draw.light(draw.turn(draw.cut(chip)))
    }
}

/// The random values for one chip. All of them are drawn even if an option is off, so that turning it off does not
/// change the other draws.
struct Draw {
    size: (usize, usize),
    window: Option<Window>,
    /// Degrees counterclockwise.
    rotation: f64,
    flip_horizontal: bool,
    flip_vertical: bool,
    quarters: usize,
    gain: f32,
    offset: f32,
}

impl Draw {
    fn new(variation: &Variation, chip: (usize, usize), random: &mut Stream) -> Self {
        let side = variation.crop.unwrap_or(usize::MAX);
        let size = if variation.crop.is_some() { (side.min(chip.0), side.min(chip.1)) } else { chip };
        let [scale, top, left] = [random.unit(), random.unit(), random.unit()];
        let [horizontal, vertical] = [random.coin(), random.coin()];
        let quarters = match (variation.quarter_turns, size.0 == size.1, random.below(4)) {
            (false, ..) => 0,
            (true, true, quarters) => quarters,
            (true, false, quarters) => quarters / 2 * 2,
        };
        let (gain, offset) = (either_way(variation.contrast.0, random), either_way(variation.brightness.0, random));
        // Drawn after the values of earlier releases, so that those stay the same.
        let rotation = either_way(variation.rotate.0, random);
        let mut happens = |(_, probability): (f64, f64)| random.unit() < probability;
        let rotation = if happens(variation.rotate) { rotation } else { 0.0 };
        let zoom = if happens(variation.zoom) { variation.zoom.0 } else { 1.0 };
        let offset = if happens(variation.brightness) { offset } else { 0.0 };
        let gain = if happens(variation.contrast) { gain } else { 0.0 };
        Self {
            size,
            window: window(1.0 + (zoom - 1.0) * scale, zoom == 1.0, [top, left], (chip, size)),
            rotation,
            flip_horizontal: variation.flip_horizontal && horizontal,
            flip_vertical: variation.flip_vertical && vertical,
            quarters,
            gain: (1.0 + gain) as f32,
            // The range [-1, 1] has width 2.
            offset: (2.0 * offset) as f32,
        }
    }

    /// Rotates and crops in one pass, so that values are interpolated only once.
    fn cut(&self, chip: Array3<f32>) -> Array3<f32> {
        let (rows, columns) = self.size;
        match (self.window, self.rotation == 0.0) {
            (None, true) => chip,
            (Some(window), true) => window.sample(&chip, rows, columns),
            (window, false) => {
                let whole = Window { top: 0.0, left: 0.0, height: rows as f64, width: columns as f64 };
                window.unwrap_or(whole).sample_rotated(&chip, self.size, self.rotation)
            }
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

    fn is_plain(&self) -> bool {
        self.gain == 1.0 && self.offset == 0.0
    }

    fn light(&self, mut chip: Array3<f32>) -> Array3<f32> {
        let is_plain = self.is_plain();
        chip.mapv_inplace(|value| match value {
            gap if gap.is_nan() => GAP,
            value if is_plain => value,
            value => (value * self.gain + self.offset).clamp(-1.0, 1.0),
        });
        chip
    }
}

/// Draws a number between -`most` and `most`.
fn either_way(most: f64, random: &mut Stream) -> f64 {
    random.between(-most, most)
}

/// Returns the window to enlarge. Enlarging by s and then cropping is the same as enlarging a window that is s times
/// smaller. `None` means the whole chip.
fn window(
    scale: f64,
    is_whole: bool,
    place: [f64; 2],
    (chip, size): ((usize, usize), (usize, usize)),
) -> Option<Window> {
    if is_whole {
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

    const NOTHING: Variation = Variation {
        flip_horizontal: false,
        flip_vertical: false,
        quarter_turns: false,
        crop: None,
        rotate: (0.0, 0.5),
        zoom: (1.0, 1.0),
        brightness: (0.0, 1.0),
        contrast: (0.0, 1.0),
    };

    fn any_variation() -> impl Strategy<Value = Variation> {
        let zoom = prop_oneof![Just(1.0), 1.0f64..3.0];
        let rotate = prop_oneof![Just(0.0), 0.0f64..180.0];
        let light = prop_oneof![Just((0.0, 0.0)), (0.0f64..=1.0, 0.0f64..=1.0)];
        (zoom, rotate, light, any::<[bool; 3]>(), [0.0f64..=1.0, 0.0f64..=1.0, 0.0f64..=1.0, 0.0f64..=1.0]).prop_map(
            |(zoom, rotate, light, [flip_horizontal, flip_vertical, quarter_turns], probability)| Variation {
                flip_horizontal,
                flip_vertical,
                quarter_turns,
                crop: None,
                rotate: (rotate, probability[0]),
                zoom: (zoom, probability[1]),
                brightness: (light.0, probability[2]),
                contrast: (light.1, probability[3]),
            },
        )
    }

    proptest! {
        /// For a chip of one value with nodata, each sample is either nodata or that value after brightness and
        /// contrast, and some nodata remains if there was any.
        #[test]
        fn gaps_stay_gaps(
            variation in any_variation(), seed in any::<u64>(), value in -1.0f32..1.0, size in (8usize..40, 8usize..40),
            share in 0.0f64..=1.0,
        ) {
            let mut random = Seed(seed).stream("gaps", 0);
            let chip = Array3::from_shape_fn((2, size.0, size.1), |_| if random.unit() < share { f32::NAN } else { value });
            let draw = Draw::new(&variation, size, &mut Seed(seed).stream("draw", 0));
            let lit = if draw.is_plain() { value } else { (value * draw.gain + draw.offset).clamp(-1.0, 1.0) };
            let gaps = chip.iter().filter(|value| value.is_nan()).count();
            let made = variation.apply(chip.clone(), &mut Seed(seed).stream("draw", 0));
            prop_assert_eq!(made.dim(), chip.dim());
            let empty = |sample: &f32| *sample == GAP && lit != GAP;
            prop_assert!(made.iter().all(|sample| empty(sample) || (sample - lit).abs() < 1e-5), "{lit}");
            if gaps == chip.len() {
                prop_assert!(made.iter().all(|sample| *sample == GAP));
            }
            if gaps == 0 && lit != GAP {
                prop_assert!(!made.iter().any(empty));
            }
            if draw.window.is_none() && draw.rotation == 0.0 && lit != GAP {
                prop_assert_eq!(made.iter().filter(|sample| empty(sample)).count(), gaps);
            }
        }
    }

    fn draws(variation: &Variation) -> Vec<Draw> {
        (0..2000).map(|i| Draw::new(variation, (16, 16), &mut Seed(7).stream("draws", i))).collect()
    }

    fn share(draws: &[Draw], happened: impl Fn(&Draw) -> bool) -> f64 {
        draws.iter().filter(|draw| happened(draw)).count() as f64 / draws.len() as f64
    }

    /// Frequencies over 2000 draws, within four standard errors of the probabilities (at most 0.045).
    #[test]
    fn changes_happen_as_often_as_is_said() {
        let variation = Variation {
            rotate: (30.0, 0.5),
            zoom: (1.5, 0.25),
            brightness: (0.1, 0.75),
            contrast: (0.2, 0.9),
            ..NOTHING
        };
        let draws = draws(&variation);
        for (found, expected) in [
            (share(&draws, |draw| draw.rotation != 0.0), 0.5),
            (share(&draws, |draw| draw.window.is_some()), 0.25),
            (share(&draws, |draw| draw.offset != 0.0), 0.75),
            (share(&draws, |draw| draw.gain != 1.0), 0.9),
        ] {
            assert!((found - expected).abs() < 0.045, "expected {expected}, found {found}");
        }
        assert!(draws.iter().all(|draw| draw.rotation.abs() <= 30.0 && draw.offset.abs() <= 0.2));
        assert!(draws.iter().any(|draw| draw.rotation > 25.0) && draws.iter().any(|draw| draw.rotation < -25.0));
    }

    /// A fit from an earlier release resumes with the same chips, because new values are drawn after the old ones.
    #[test]
    fn rotation_leaves_the_other_draws_as_they_were() {
        let with = Variation { rotate: (30.0, 1.0), zoom: (1.5, 1.0), brightness: (0.1, 1.0), ..NOTHING };
        let without = Variation { rotate: (0.0, 1.0), ..with.clone() };
        for (a, b) in draws(&with).iter().zip(&draws(&without)) {
            assert_eq!((a.window, a.offset, a.quarters), (b.window, b.offset, b.quarters));
            assert!(a.rotation != 0.0 && b.rotation == 0.0);
        }
    }

    /// Numbers from the release before rotation was added, seed 7.
    #[test]
    fn draws_stay_the_same_between_versions() {
        let mut random = Seed(7).stream("draws", 3);
        let (scale, top, left) = (random.between(1.0, 1.5), random.unit(), random.unit());
        let (coins, quarters) = ([random.coin(), random.coin()], random.below(4));
        let (gain, offset) = (1.0 + random.between(-0.2, 0.2), 2.0 * random.between(-0.1, 0.1));
        let variation = Variation {
            flip_horizontal: true,
            flip_vertical: true,
            quarter_turns: true,
            zoom: (1.5, 1.0),
            brightness: (0.1, 1.0),
            contrast: (0.2, 1.0),
            ..NOTHING
        };
        let draw = &draws(&variation)[3];
        let side = 16.0 / scale;
        let window = Window { top: top * (16.0 - side), left: left * (16.0 - side), height: side, width: side };
        assert_eq!(draw.window, Some(window));
        assert_eq!(([draw.flip_horizontal, draw.flip_vertical], draw.quarters), (coins, quarters));
        assert_eq!((draw.gain, draw.offset), (gain as f32, offset as f32));
    }
}
