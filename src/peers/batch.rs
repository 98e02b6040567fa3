//! A batch that all processes make together.

use tch::Tensor;

use super::group::{Alone, Peers, PendingSum};
use super::part::{Part, Portion};
use crate::error::Result;

/// A batch that all processes make together: image p of it is one of process p modulo their number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JointBatch<'a> {
    peers: &'a dyn Peers,
    images: usize,
}

impl<'a> JointBatch<'a> {
    /// Of `images` images, those of all processes together.
    pub fn new(peers: &'a dyn Peers, images: usize) -> Self {
        Self { peers, images }
    }

    /// Of one process.
    pub fn alone(images: usize) -> Self {
        Self { peers: &Alone, images }
    }

    pub fn peers(self) -> &'a dyn Peers {
        self.peers
    }

    /// Number of images of all processes.
    pub fn images(self) -> usize {
        self.images
    }

    /// Which of them are here.
    pub fn portion(self) -> Portion {
        Portion { part: self.peers.part(), images: self.images }
    }

    /// Returns the images of all processes in the order of the joint batch; every process has them afterwards.
    ///
    /// # Shapes
    /// (N, C, H, W) of this process to the same with all images.
    pub fn gather(self, own: &Tensor) -> Result<Tensor> {
        let Part { count, .. } = self.peers.part();
        if count == 1 {
            return Ok(own.shallow_clone());
        }
        let (most, here) = (self.images.div_ceil(count) as i64, own.size()[0]);
        // Of an uneven batch some processes have one image less; what fills its place is cut off below.
        let even = match here < most {
            true => Tensor::f_cat(&[own, &own.f_narrow(0, 0, 1)?], 0)?,
            false => own.shallow_clone(),
        }
        .f_contiguous()?;
        let all = Tensor::f_stack(&self.peers.gather(&even)?, 1)?;
        Ok(all.f_flatten(0, 1)?.f_narrow(0, 0, self.images as i64)?)
    }

    /// Returns this process's images of all.
    pub fn own(self, all: &Tensor) -> Result<Tensor> {
        let Portion { part, images } = self.portion();
        if part.is_whole() {
            return Ok(all.shallow_clone());
        }
        let first = self.portion().places(0..images).next().unwrap_or(0);
        Ok(all.f_slice(0, first as i64, images as i64, part.count as i64)?.f_contiguous()?)
    }
}

/// Gradients of an update, on their way to their sums over all processes.
#[derive(Debug)]
pub(crate) struct PendingGradients<'a> {
    sum: PendingSum<'a>,
    sizes: Vec<Vec<i64>>,
}

/// Begins to sum gradients, of one kind and on one device, over all processes, in one exchange.
pub(crate) fn begin_gradients<'a>(peers: &'a dyn Peers, gradients: &[Tensor]) -> Result<PendingGradients<'a>> {
    let flat = gradients.iter().map(|tensor| tensor.f_reshape([-1])).collect::<std::result::Result<Vec<_>, _>>()?;
    let sizes = gradients.iter().map(Tensor::size).collect();
    Ok(PendingGradients { sum: peers.begin_gradients(Tensor::f_cat(&flat, 0)?)?, sizes })
}

/// Replaces each tensor by its sum over all processes, in one exchange. They are of one kind and on one device.
#[cfg(test)]
pub(crate) fn sum_all(peers: &dyn Peers, tensors: &mut [Tensor]) -> Result<()> {
    if !peers.is_alone() {
        let sums = begin_gradients(peers, tensors)?.finish()?;
        tensors.iter_mut().zip(sums).for_each(|(tensor, sum)| *tensor = sum);
    }
    Ok(())
}

impl PendingGradients<'_> {
    /// Waits for the sums, and returns them in the order of the gradients.
    pub fn finish(self) -> Result<Vec<Tensor>> {
        let flat = self.sum.finish()?;
        let mut begin = 0;
        let next = |size: Vec<i64>| {
            let length = size.iter().product();
            let sum = flat.f_narrow(0, begin, length)?.f_view(size.as_slice())?;
            begin += length;
            Ok(sum)
        };
        self.sizes.into_iter().map(next).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::crew;
    use tch::{Device, Kind};

    /// Images whose first value is their place.
    fn images(places: impl ExactSizeIterator<Item = usize>) -> Tensor {
        let places: Vec<f64> = places.map(|place| place as f64).collect();
        Tensor::from_slice(&places).view([-1, 1, 1, 1]) + Tensor::zeros([1, 2, 3, 3], (Kind::Double, Device::Cpu))
    }

    #[test]
    fn images_come_together_in_the_order_of_the_batch() {
        for count in [1, 2, 3, 4] {
            for all in [1, 2, 3, 5, 8] {
                let found = crew(count, |peers| {
                    let batch = JointBatch::new(peers, all);
                    let own = images(batch.portion().places(0..all));
                    let joint = batch.gather(&own).unwrap();
                    (joint == images(0..all), batch.own(&joint).unwrap() == own)
                });
                assert_eq!(found, vec![(true, true); count], "{all} images of {count} processes");
            }
        }
    }

    #[test]
    fn tensors_are_summed_in_one_exchange() {
        let sums = crew(3, |peers| {
            let value = 1.0 + peers.part().rank as f64;
            let made = |size: &[i64], by: f64| Tensor::full(size, by * value, (Kind::Double, Device::Cpu));
            let mut tensors = [made(&[2, 3], 1.0), made(&[], 10.0), made(&[4], -1.0)];
            sum_all(peers, &mut tensors).unwrap();
            let expected = [(vec![2, 3], 6.0), (vec![], 60.0), (vec![4], -6.0)];
            tensors
                .iter()
                .zip(expected)
                .all(|(tensor, (size, value))| *tensor == Tensor::full(size, value, (Kind::Double, Device::Cpu)))
        });
        assert_eq!(sums, [true; 3]);
    }
}
