//! Differentiable augmentation of the discriminators' images (Zhao et al. 2020, arXiv:2006.10738).

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::Result;
use crate::ffi::{self, HostMemory};
use crate::peers::Portion;
use crate::random::Stream;

/// The largest shift, and the side of the square that is covered, relative to the image's side.
const SHIFT: f64 = 0.125;
const CUTOUT: f64 = 0.5;

/// Augmentation of the discriminators' images, real and generated alike, so that discriminators cannot memorize a small
/// set of chips (Zhao et al. 2020, arXiv:2006.10738, section 4). Gradients for the generators flow through it. It does
/// not augment the chips themselves, and translations do not show it.
///
/// | Name | Default | What it does to each image |
/// |---|---|---|
/// | `translation` | off | moves it by up to an eighth of each side; what is left free is the middle of the range |
/// | `cutout` | off | covers a square of half its sides, anywhere, with the middle of the range |
/// | `color` | off | changes brightness by up to a quarter of the range, saturation by 0 to 2 and contrast by 0.5 to 1.5 times; for photographs of three bands of 8 bits alone |
///
/// ```
/// use geolearn::loss::DiffAugment;
/// use geolearn::{CycleGan, DatasetType, prepare_data};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let few_chips = DiffAugment::default().translation(true).cutout(true);
/// let model = CycleGan::builder(&data).gen_features(8).disc_features(8).diff_augment(few_chips).build()?;
/// assert_eq!(model.config().diff_augment, few_chips);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct DiffAugment {
    translation: bool,
    cutout: bool,
    color: bool,
}

impl DiffAugment {
    /// Moves images, or not. Default: off.
    ///
    /// ```
    /// let augment = geolearn::loss::DiffAugment::default().translation(true);
    /// ```
    pub fn translation(mut self, on: bool) -> Self {
        self.translation = on;
        self
    }

    /// Covers a square of each image, or not. Default: off.
    ///
    /// ```
    /// let augment = geolearn::loss::DiffAugment::default().cutout(true);
    /// ```
    pub fn cutout(mut self, on: bool) -> Self {
        self.cutout = on;
        self
    }

    /// Changes colors, or not. Default: off.
    ///
    /// ```
    /// let augment = geolearn::loss::DiffAugment::default().color(true);
    /// ```
    pub fn color(mut self, on: bool) -> Self {
        self.color = on;
        self
    }

    /// Returns whether colors are changed, which is only possible for photographs.
    pub(crate) fn has_color(self) -> bool {
        self.color
    }

    /// Augments each image of a batch with its own random numbers, which depend on its position in the joint batch.
    /// Gradients flow through it.
    ///
    /// # Shapes
    /// (N, C, H, W) in [-1, 1], the images of `portion`, to the same; colors may leave the range.
    pub(crate) fn apply(self, images: &Tensor, portion: Portion, stream: &mut Stream) -> Result<Tensor> {
        let mut seen = images.shallow_clone();
        if self.color {
            seen = colored(&seen, portion, stream)?;
        }
        if self.translation {
            seen = moved(&seen, portion, stream)?;
        }
        if self.cutout {
            seen = covered(&seen, portion, stream)?;
        }
        Ok(seen)
    }
}

/// Draws for every image of the joint batch, and returns the draws of this process's images.
fn drawn<T: Copy>(portion: Portion, draw: impl FnMut() -> T) -> Vec<T> {
    let all: Vec<T> = std::iter::repeat_with(draw).take(portion.images).collect();
    portion.places(0..portion.images).map(|place| all[place]).collect()
}

/// Changes brightness, then saturation about the mean of a pixel, then contrast about the mean of the image.
fn colored(x: &Tensor, portion: Portion, stream: &mut Stream) -> Result<Tensor> {
    let n = x.size4()?.0;
    // Copied at once from pinned memory, so that the CPU does not wait for the device.
    let draws = ffi::filled(&[3, n, 1, 1, 1], HostMemory::for_device(x.device()), |values| {
        let ranges = [(-0.5, 0.5), (0.0, 2.0), (0.5, 1.5)];
        for (values, (low, high)) in values.chunks_exact_mut(n as usize).zip(ranges) {
            values.copy_from_slice(&drawn(portion, || stream.between(low, high) as f32));
        }
        Ok(())
    })?;
    let draws = draws.f_to_device_(x.device(), x.kind(), true, false)?;
    let (brightness, saturation, contrast) = (draws.f_get(0)?, draws.f_get(1)?, draws.f_get(2)?);
    // Sums depend on memory layout, and images restored from a checkpoint may have another.
    let x = x.f_contiguous()?.f_add(&brightness)?;
    let x = about_mean(&x, &[1], &saturation)?;
    about_mean(&x, &[1, 2, 3], &contrast)
}

/// Scales the difference from the mean over `dims` by `factor`.
fn about_mean(x: &Tensor, dims: &[i64], factor: &Tensor) -> Result<Tensor> {
    let mean = x.f_mean_dim(dims, true, None::<Kind>)?;
    Ok(x.f_sub(&mean)?.f_multiply(factor)?.f_add(&mean)?)
}

/// Shifts each image by whole pixels and fills with zeros.
fn moved(x: &Tensor, portion: Portion, stream: &mut Stream) -> Result<Tensor> {
    let (_, _, height, width) = x.size4()?;
    let mut shift = |side: i64| {
        let most = (side as f64 * SHIFT).round() as i64;
        stream.below((2 * most + 1) as usize) as i64 - most
    };
    let mut images = Vec::new();
    for (i, (down, right)) in (0..).zip(drawn(portion, || (shift(height), shift(width)))) {
        // What is cut off on one side is padded on the other.
        images.push(x.f_narrow(0, i, 1)?.f_constant_pad_nd([right, -right, down, -down])?);
    }
    Ok(Tensor::f_cat(&images, 0)?)
}

/// Covers a square of each image, centered anywhere in it, with zeros.
fn covered(x: &Tensor, portion: Portion, stream: &mut Stream) -> Result<Tensor> {
    let (n, _, height, width) = x.size4()?;
    let mask = tch::no_grad(|| x.f_new_ones([n, 1, height, width], (x.kind(), x.device())))?;
    let mut span = |side: i64| {
        let half = (side as f64 * CUTOUT / 2.0).round() as i64;
        let center = stream.below(side as usize + 1) as i64;
        let begin = (center - half).max(0);
        (begin, (center + half).min(side) - begin)
    };
    for (i, ((top, rows), (left, columns))) in (0..).zip(drawn(portion, || (span(height), span(width)))) {
        let mut square = mask.f_narrow(0, i, 1)?.f_narrow(2, top, rows)?.f_narrow(3, left, columns)?;
        let _ = square.f_zero_()?;
    }
    ffi::without_autocast(x.device(), || Ok(x.f_multiply(&mask)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::Part;
    use crate::random::Seed;
    use tch::Device;

    fn images(n: i64) -> Tensor {
        (Tensor::arange(n * 3 * 16 * 24, (Kind::Double, Device::Cpu)) * 0.37).sin().view([n, 3, 16, 24])
    }

    fn stream(index: u64) -> Stream {
        Seed(9).stream("test", index)
    }

    #[test]
    fn the_same_draws_give_the_same_images_and_others_do_not() {
        let all = DiffAugment::default().translation(true).cutout(true).color(true);
        let seen = |index| all.apply(&images(2), Portion::whole(2), &mut stream(index)).unwrap();
        assert_eq!(seen(1), seen(1));
        assert_ne!(seen(1), seen(2));
        assert_eq!(seen(1).size(), images(2).size());
        assert_eq!(DiffAugment::default().apply(&images(2), Portion::whole(2), &mut stream(1)).unwrap(), images(2));
    }

    /// An image is augmented in the same way by whichever process has it.
    #[test]
    fn draws_depend_on_the_position_in_the_joint_batch() {
        let all = DiffAugment::default().translation(true).cutout(true).color(true);
        let whole = all.apply(&images(5), Portion::whole(5), &mut stream(1)).unwrap();
        for rank in 0..2 {
            let portion = Portion { part: Part { rank, count: 2 }, images: 5 };
            let own = |x: &Tensor| x.slice(0, rank as i64, 5, 2);
            assert_eq!(all.apply(&own(&images(5)), portion, &mut stream(1)).unwrap(), own(&whole));
        }
    }

    /// Every image is found at exactly one position within an eighth of its sides, with zeros around it. The images of
    /// a batch move independently, and in the long run by every distance.
    #[test]
    fn images_move_as_a_whole() {
        let x = images(64);
        let made = moved(&x, Portion::whole(64), &mut stream(1)).unwrap();
        let mut shifts = std::collections::BTreeSet::new();
        for i in 0..64 {
            let (x, made) = (x.get(i), made.get(i));
            let is_at = |&(down, right): &(i64, i64)| {
                let expected = Tensor::zeros_like(&x);
                let (rows, columns) = (16 - down.abs(), 24 - right.abs());
                let part =
                    |t: &Tensor, down: i64, right: i64| t.narrow(1, down.max(0), rows).narrow(2, right.max(0), columns);
                part(&expected, down, right).copy_(&part(&x, -down, -right));
                expected == made
            };
            let place = (-2..=2).flat_map(|down| (-3..=3).map(move |right| (down, right))).find(is_at);
            shifts.insert(place.unwrap());
        }
        let down: std::collections::BTreeSet<_> = shifts.iter().map(|(down, _)| down).collect();
        let right: std::collections::BTreeSet<_> = shifts.iter().map(|(_, right)| right).collect();
        assert_eq!((down.len(), right.len()), (5, 7), "{shifts:?}");
    }

    /// The center lies within the image, so between a quarter of the square and all of it is inside.
    #[test]
    fn one_square_is_covered() {
        let x = Tensor::ones([200, 1, 16, 24], (Kind::Double, Device::Cpu));
        let made = covered(&x, Portion::whole(200), &mut stream(1)).unwrap();
        let hidden: Vec<f64> = (0..200).map(|i| 384.0 - made.get(i).sum(Kind::Double).double_value(&[])).collect();
        assert!(hidden.iter().all(|&pixels| (24.0..=96.0).contains(&pixels)), "{hidden:?}");
        assert!(hidden.contains(&96.0) && hidden.iter().any(|&pixels| pixels < 50.0));
    }

    /// The definition in plain f64 for one pixel, with draws rounded to f32; 1e-12 is its rounding.
    #[test]
    fn colors_change_as_the_paper_says() {
        let x = images(2);
        let made = colored(&x, Portion::whole(2), &mut stream(1)).unwrap();
        let mut stream = stream(1);
        let mut draws = |low, high| [(); 2].map(|()| f64::from(stream.between(low, high) as f32));
        let (brightness, saturation, contrast) = (draws(-0.5, 0.5), draws(0.0, 2.0), draws(0.5, 1.5));
        for i in 0..2 {
            let bright = |c: i64| x.double_value(&[i, c, 3, 5]) + brightness[i as usize];
            let gray = (bright(0) + bright(1) + bright(2)) / 3.0;
            // Saturation does not change the mean of the image, and brightness moves it.
            let mean = x.get(i).mean(Kind::Double).double_value(&[]) + brightness[i as usize];
            for c in 0..3 {
                let saturated = gray + saturation[i as usize] * (bright(c) - gray);
                let expected = mean + contrast[i as usize] * (saturated - mean);
                assert!((made.double_value(&[i, c, 3, 5]) - expected).abs() < 1e-12);
            }
        }
    }

    /// The gradient of the sum with respect to a pixel is what that pixel adds: 0 if it was shifted out or covered.
    /// Everything is linear in the image, so differences of values equal the gradient up to rounding.
    #[test]
    fn gradients_flow_through() {
        let all = DiffAugment::default().translation(true).cutout(true).color(true);
        let x = images(1).set_requires_grad(true);
        let weights = images(1).cos();
        let sum = |x: &Tensor| (all.apply(x, Portion::whole(1), &mut stream(4)).unwrap() * &weights).sum(Kind::Double);
        let gradient = Tensor::run_backward(&[sum(&x)], &[&x], false, false)[0].copy();
        let direction = (images(1) * 1.3).sin();
        let x = x.detach();
        let difference = (sum(&(&x + &direction)) - sum(&x)).double_value(&[]);
        let expected = (gradient * direction).sum(Kind::Double).double_value(&[]);
        assert!((difference - expected).abs() < 1e-9, "{difference}, not {expected}");
        assert!(expected.abs() > 1e-3);
    }
}
