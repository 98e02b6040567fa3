//! Running means of losses that do not make the CPU wait for the device.

use tch::{Kind, Tensor};

use crate::error::Result;
use crate::peers::{self, Peers};

/// The result of a reading, the same in all processes.
#[derive(Debug, PartialEq)]
pub(super) struct Reading {
    /// Mean of each loss since the last reading.
    pub losses: Vec<f64>,
    /// Whether any process was asked to stop.
    pub asked: bool,
}

/// Sums losses on their device and reads the sums from time to time.
pub(super) struct Meter {
    window: Option<Tensor>,
    pending: usize,
    interval: usize,
    sums: Vec<f64>,
    steps: usize,
}

impl Meter {
    /// Creates a meter for `losses` values a step that is read every `interval` steps.
    pub fn new(losses: usize, interval: usize) -> Self {
        Self { window: None, pending: 0, interval, sums: vec![0.0; losses], steps: 0 }
    }

    /// Continues from sums over `steps` steps.
    pub fn resume(&mut self, sums: &[f64], steps: usize) {
        if sums.len() == self.sums.len() {
            self.sums.copy_from_slice(sums);
            self.steps = steps;
        }
    }

    /// Adds the losses of a step, which are means over images with the share `weight` of the joint batch.
    pub fn add(&mut self, losses: &Tensor, weight: f64) -> Result<()> {
        let mut losses = losses.f_detach()?.f_to_kind(Kind::Double)?;
        if weight != 1.0 {
            losses = losses.f_mul_scalar(weight)?;
        }
        self.window = Some(match self.window.take() {
            Some(sum) => sum.f_add(&losses)?,
            None => losses,
        });
        self.pending += 1;
        Ok(())
    }

    /// Returns the means since the last reading if the interval is over, or if `last` says that nothing will follow.
    /// `asked` says whether this process was asked to stop. A fit of one process responds at once, others at the next
    /// reading, which all processes make at the same step.
    pub fn read_if_due(&mut self, last: bool, asked: bool, peers: &dyn Peers) -> Result<Option<Reading>> {
        let at_once = last || (asked && peers.part().is_whole());
        if self.pending == 0 || (self.pending < self.interval && !at_once) {
            return Ok(None);
        }
        let Some(window) = self.window.take() else {
            return Ok(None);
        };
        let mut sums = Vec::<f64>::try_from(window)?;
        sums.push(f64::from(u8::from(asked)));
        let mut sums = peers::sum_values(peers, sums)?;
        let asked = sums.pop().is_some_and(|processes| processes > 0.0);
        let n = std::mem::take(&mut self.pending);
        self.sums.iter_mut().zip(&sums).for_each(|(total, sum)| *total += sum);
        self.steps += n;
        Ok(Some(Reading { losses: sums.iter().map(|sum| sum / n as f64).collect(), asked }))
    }

    /// Returns sums over all steps that were read.
    pub fn sums(&self) -> &[f64] {
        &self.sums
    }

    pub fn mean(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| sum / self.steps.max(1) as f64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{Alone, Part, Portion};
    use crate::testing::crew;

    #[test]
    fn means_do_not_depend_on_how_often_they_are_read() {
        let mut meter = Meter::new(2, 3);
        let mut read = Vec::new();
        for step in 0..5 {
            meter.add(&Tensor::from_slice(&[step as f32, 1.0]), 1.0).unwrap();
            read.extend(meter.read_if_due(step == 4, false, &Alone).unwrap().map(|reading| reading.losses));
        }
        assert_eq!(read, [[1.0, 1.0], [3.5, 1.0]]);
        assert_eq!(meter.mean(), [2.0, 1.0]);
        let mut other = Meter::new(2, 1);
        other.resume(meter.sums(), 5);
        assert_eq!(other.mean(), [2.0, 1.0]);
    }

    #[test]
    fn a_single_process_stops_at_once() {
        let mut meter = Meter::new(1, 20);
        meter.add(&Tensor::from_slice(&[0.5]), 1.0).unwrap();
        let reading = meter.read_if_due(false, true, &Alone).unwrap();
        assert_eq!(reading, Some(Reading { losses: vec![0.5], asked: true }));
    }

    /// Three images in two processes: one process has two of them, with a mean of 3. The second one is asked to stop
    /// before the interval is over; both learn of it at the next reading.
    #[test]
    fn processes_read_the_same_at_the_same_step() {
        let read = crew(2, |peers| {
            let Part { rank, .. } = peers.part();
            let portion = Portion { part: peers.part(), images: 3 };
            let mut meter = Meter::new(1, 2);
            let mut step = |asked| {
                meter.add(&Tensor::from_slice(&[[3.0, 9.0][rank]]), portion.weight()).unwrap();
                meter.read_if_due(false, asked, peers).unwrap()
            };
            let readings = [step(rank == 1), step(rank == 1), step(false), step(false)];
            (readings, meter.mean())
        });
        let reading = |asked| Some(Reading { losses: vec![5.0], asked });
        for (readings, mean) in read {
            assert_eq!(readings, [None, reading(true), None, reading(false)]);
            assert_eq!(mean, [5.0]);
        }
    }
}
