//! Dropout (Srivastava et al. 2014) from named random streams, so that a repeated step drops the same values.

use tch::Tensor;

use super::norm::{Following, ImageNorm, Norm};
use crate::error::Result;
use crate::ffi::{self, HostMemory};
use crate::peers::Portion;
use crate::random::Seed;

/// Normalization with dropout, for training: each image is normalized by its own statistics. Which values of an image
/// are dropped follows from the seed, the step, the layer and the image's position in the joint batch.
pub(crate) struct NormWithDropout {
    seed: Seed,
    step: u64,
    portion: Portion,
    /// Number of layers that have dropped values so far.
    layers: usize,
}

impl NormWithDropout {
    pub fn new(seed: Seed, step: u64, portion: Portion) -> Self {
        Self { seed, step, portion, layers: 0 }
    }
}

impl Norm for NormWithDropout {
    fn apply(&mut self, x: &Tensor) -> Result<Tensor> {
        ImageNorm.apply(x)
    }

    fn following(&self) -> Following {
        ImageNorm.following()
    }

    fn rectified(&mut self, x: &Tensor, slope: f64) -> Result<Tensor> {
        ImageNorm.rectified(x, slope)
    }

    fn residual(&mut self, x: &Tensor, parameters: [&Tensor; 4]) -> Result<Option<Tensor>> {
        ImageNorm.residual(x, parameters)
    }

    fn dropout(&mut self, x: &Tensor) -> Result<Tensor> {
        let size = x.size();
        let values = (x.numel() / self.portion.places(0..self.portion.images).len().max(1)).max(1);
        let (layer, places) = (self.layers, self.portion.places(0..self.portion.images));
        self.layers += 1;
        let mask = ffi::filled(&size, HostMemory::for_device(x.device()), |mask| {
            for (mask, place) in mask.chunks_mut(values).zip(places) {
                let mut stream = self.seed.stream(&format!("dropout_{layer}_{place}"), self.step);
                mask.iter_mut().for_each(|value| *value = if stream.coin() { 2.0 } else { 0.0 });
            }
            Ok(())
        })?;
        Ok(x.f_multiply(&mask.f_to_device_(x.device(), x.kind(), true, false)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::Part;
    use tch::{Device, Kind};

    fn mask(step: u64, portion: Portion, layers: usize) -> Tensor {
        let mut dropping = NormWithDropout::new(Seed(3), step, portion);
        let ones = Tensor::ones([portion.own() as i64, 4, 50, 50], (Kind::Double, Device::Cpu));
        (0..layers).map(|_| dropping.dropout(&ones).unwrap()).last().unwrap()
    }

    /// Of 30,000 values, half are dropped, within 5 standard errors; another step, layer or image drops others.
    #[test]
    fn half_of_the_values_are_dropped_reproducibly() {
        let whole = Portion::whole(3);
        let first = mask(7, whole, 1);
        assert_eq!(first, mask(7, whole, 1));
        let share = first.mean(Kind::Double).double_value(&[]);
        assert!((share - 1.0).abs() < 5.0 / 30_000f64.sqrt(), "{share}");
        assert_eq!(first.max().double_value(&[]), 2.0);
        for other in [mask(8, whole, 1), mask(7, whole, 2), first.roll([1], [0])] {
            let alike = other.eq_tensor(&first).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            assert!((alike - 0.5).abs() < 0.02, "{alike}");
        }
    }

    /// Processes that share a batch drop the same values as one process with the whole batch.
    #[test]
    fn an_image_drops_the_same_values_in_any_process() {
        let whole = mask(1, Portion::whole(3), 2);
        for rank in 0..2 {
            let own = mask(1, Portion { part: Part { rank, count: 2 }, images: 3 }, 2);
            for (i, place) in (rank..3).step_by(2).enumerate() {
                assert_eq!(own.get(i as i64), whole.get(place as i64));
            }
        }
    }
}
