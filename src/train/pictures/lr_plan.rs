//! The chart of a fit's planned learning rate.

use plotters::prelude::RGBColor;

use super::SIZE;
use crate::dataset::DataBunch;
use crate::error::{Error, ErrorKind, Result};
use crate::plot::{Axis, Chart, Curve, Line, Mark, Picture, drawn};
use crate::train::options::FitOptions;

const RATE: RGBColor = RGBColor(0, 114, 178);
const BETA: RGBColor = RGBColor(213, 94, 0);
const EPOCH: RGBColor = RGBColor(170, 170, 170);
/// More points than pixels across.
const MOST_POINTS: usize = 2000;

impl FitOptions {
    /// Draws the learning rate that a fit on `data` would have at each step, with the epochs marked, and below it
    /// Adam's `beta1` if the schedule sets it. Nothing is trained.
    ///
    /// ```
    /// use geolearn::{DatasetType, FitOptions, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let picture = FitOptions::new(20).one_cycle(true).plot_lr(&data)?;
    /// assert_eq!(picture.as_rgb_image().dimensions(), (960, 640));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` if an option is out of range, or if the rate has to be [found](crate::train::LearningRate::Find).
    #[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
    pub fn plot_lr(&self, data: &DataBunch) -> Result<Picture> {
        self.check()?;
        let (plan, per_epoch) = (self.plan(), data.batches_per_epoch().max(1));
        if plan.is_to_be_found() {
            return Err(Error::new(ErrorKind::Usage, "a learning rate that has to be found cannot be plotted")
                .help("Set the rate that lr_find suggests."));
        }
        let steps = plan.epochs.saturating_mul(per_epoch);
        let planned: Vec<(f64, f64, f64)> = shown_steps(steps)
            .map(|step| (step, plan.rate(step, steps)))
            .map(|(step, (lr, adam))| (step as f64, lr, adam.beta1))
            .collect();
        let title = format!("Planned learning rate: {} epochs of {per_epoch} steps", plan.epochs);
        let rates: Vec<(f64, f64)> = planned.iter().map(|(step, lr, _)| (*step, *lr)).collect();
        let axis = Axis::with_zero("learning rate", rates.iter().map(|point| point.1));
        let rates = chart(title, steps, per_epoch, axis, RATE, rates);
        let betas: Vec<(f64, f64)> = planned.iter().map(|(step, _, beta1)| (*step, *beta1)).collect();
        let is_set = plan.schedule.at_step(0, steps as u64).beta1.is_some();
        let image = drawn(SIZE.0, SIZE.1, |area| {
            if !is_set {
                return rates.draw(area);
            }
            let (top, bottom) = area.split_vertically((SIZE.1 * 3) / 5);
            rates.draw(&top)?;
            let values = || betas.iter().map(|point| point.1);
            let (low, high) = (values().fold(1.0, f64::min), values().fold(0.0, f64::max));
            let axis = Axis::between("beta1", (low - 0.05).max(0.0), (high + 0.05).min(1.0));
            chart("Planned beta1 of Adam".to_string(), steps, per_epoch, axis, BETA, betas.clone()).draw(&bottom)
        })?;
        Ok(Picture::new(image))
    }
}

fn chart(title: String, steps: usize, per_epoch: usize, y: Axis, color: RGBColor, points: Vec<(f64, f64)>) -> Chart {
    let curves = vec![Curve { label: String::new(), color, line: Line::Solid, points }];
    Chart { title, x: Axis::steps(steps), y, curves, marks: epoch_marks(steps, per_epoch) }
}

/// Returns all steps, or as many as can be distinguished at even distances, including the first and the last.
fn shown_steps(steps: usize) -> impl Iterator<Item = usize> {
    let (last, count) = (steps.saturating_sub(1), steps.clamp(1, MOST_POINTS));
    (0..count).map(move |i| (i as f64 / (count - 1).max(1) as f64 * last as f64).round() as usize)
}

/// Returns the ends of some epochs, at round numbers.
fn epoch_marks(steps: usize, per_epoch: usize) -> Vec<Mark> {
    let count = steps / per_epoch;
    let epochs = Axis::epochs(count, 10);
    let end = |(epoch, label): &(f64, String)| (epoch * per_epoch as f64, format!("epoch {label}"));
    let mark = |(x, label)| Mark { x, label, color: EPOCH };
    // The first of many marks would be too close to the axis.
    let apart = |tick: &&(f64, String)| count <= 10 || tick.0 > 1.0;
    epochs.ticks.iter().filter(apart).map(end).map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_are_shown_reach_from_the_first_to_the_last() {
        assert_eq!(shown_steps(1).collect::<Vec<_>>(), [0]);
        assert_eq!(shown_steps(4).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let many: Vec<usize> = shown_steps(1_000_000).collect();
        assert_eq!((many.len(), many[0], many[MOST_POINTS - 1]), (MOST_POINTS, 0, 999_999));
    }
}
