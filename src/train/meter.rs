//! Means of losses, without holding up the device.

use tch::{Kind, Tensor};

use crate::error::Result;

/// Sums losses on their device and reads the sums now and then.
pub(super) struct Meter {
    window: Option<Tensor>,
    pending: usize,
    interval: usize,
    sums: Vec<f64>,
    steps: usize,
}

impl Meter {
    /// For `losses` values a step, to be read every `interval` steps.
    pub fn new(losses: usize, interval: usize) -> Self {
        Self { window: None, pending: 0, interval, sums: vec![0.0; losses], steps: 0 }
    }

    /// Goes on from sums over `steps` steps.
    pub fn resume(&mut self, sums: &[f64], steps: usize) {
        if sums.len() == self.sums.len() {
            self.sums.copy_from_slice(sums);
            self.steps = steps;
        }
    }

    pub fn add(&mut self, losses: &Tensor) -> Result<()> {
        let losses = losses.f_detach()?.f_to_kind(Kind::Double)?;
        self.window = Some(match self.window.take() {
            Some(sum) => sum.f_add(&losses)?,
            None => losses,
        });
        self.pending += 1;
        Ok(())
    }

    /// The means since the last reading, when the interval is over or `last` says that nothing will follow.
    pub fn read_if_due(&mut self, last: bool) -> Result<Option<Vec<f64>>> {
        if self.pending == 0 || (self.pending < self.interval && !last) {
            return Ok(None);
        }
        let Some(window) = self.window.take() else {
            return Ok(None);
        };
        let sums = Vec::<f64>::try_from(window)?;
        let n = std::mem::take(&mut self.pending);
        self.sums.iter_mut().zip(&sums).for_each(|(total, sum)| *total += sum);
        self.steps += n;
        Ok(Some(sums.iter().map(|sum| sum / n as f64).collect()))
    }

    /// Sums over all steps that were read.
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

    #[test]
    fn means_are_those_of_all_steps_however_often_they_are_read() {
        let mut meter = Meter::new(2, 3);
        let mut read = Vec::new();
        for step in 0..5 {
            meter.add(&Tensor::from_slice(&[step as f32, 1.0])).unwrap();
            read.extend(meter.read_if_due(step == 4).unwrap());
        }
        assert_eq!(read, [[1.0, 1.0], [3.5, 1.0]]);
        assert_eq!(meter.mean(), [2.0, 1.0]);
        let mut other = Meter::new(2, 1);
        other.resume(meter.sums(), 5);
        assert_eq!(other.mean(), [2.0, 1.0]);
    }
}
