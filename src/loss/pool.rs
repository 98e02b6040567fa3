//! The pool of earlier generated images that discriminators train on.

use tch::Tensor;

use crate::error::{Error, ErrorKind, Result};
use crate::nn::copied;
use crate::peers::JointBatch;
use crate::random::Stream;

/// Recent generated images of one domain (Shrivastava et al. 2017, arXiv:1612.07828, section 2.3; 50 of them in
/// CycleGAN). A capacity of 0 returns all images unchanged.
#[derive(Debug)]
pub(crate) struct ImagePool {
    capacity: usize,
    images: Vec<Tensor>,
}

impl ImagePool {
    pub fn new(capacity: usize) -> Self {
        Self { capacity, images: Vec::new() }
    }

    /// Exchanges the images of the joint batch and returns this process's part of the result. Every process holds the
    /// whole pool, so it equals the pool of a fit in one process, and a checkpoint contains that pool.
    ///
    /// # Shapes
    /// As [`exchange`](Self::exchange), for the images of this process.
    pub fn exchange_own(&mut self, own: &Tensor, batch: JointBatch<'_>, stream: &mut Stream) -> Result<Tensor> {
        if self.capacity == 0 || batch.portion().part.is_whole() {
            return self.exchange(own, stream);
        }
        batch.own(&self.exchange(&batch.gather(own)?, stream)?)
    }

    /// Exchanges about half of a batch for older images: until the pool is full, each image is stored and returned.
    /// After that, with probability one half, an image replaces a stored one, which is returned instead.
    ///
    /// # Shapes
    /// (N, C, H, W), without gradient, to the same.
    pub fn exchange(&mut self, batch: &Tensor, stream: &mut Stream) -> Result<Tensor> {
        if self.capacity == 0 {
            return Ok(batch.shallow_clone());
        }
        let mut chosen = Vec::new();
        for i in 0..batch.size()[0] {
            chosen.push(self.exchange_one(batch.f_narrow(0, i, 1)?, stream)?);
        }
        Ok(Tensor::f_cat(&chosen, 0)?)
    }

    fn exchange_one(&mut self, image: Tensor, stream: &mut Stream) -> Result<Tensor> {
        if self.images.len() < self.capacity {
            self.images.push(copied(&image, image.device())?);
            return Ok(image);
        }
        if !stream.coin() {
            return Ok(image);
        }
        let index = stream.below(self.images.len());
        // A chip of another size cannot be batched with this one; it is replaced without being returned.
        let same_size = self.images[index].size() == image.size();
        let old = std::mem::replace(&mut self.images[index], copied(&image, image.device())?);
        Ok(if same_size { old } else { image })
    }

    /// Returns the stored images in storage order.
    pub fn images(&self) -> &[Tensor] {
        &self.images
    }

    /// Checks that these could be the stored images of this pool.
    pub fn check(&self, images: &[Tensor], channels: usize) -> Result<()> {
        let fits = |t: &Tensor| matches!(t.size()[..], [1, c, h, w] if c == channels as i64 && h > 0 && w > 0);
        if images.len() <= self.capacity && images.iter().all(fits) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, "the stored images do not match the pool")
            .expected(format!("at most {} of {channels} channels", self.capacity))
            .found(format!("{} of {:?}", images.len(), images.first().map(Tensor::size))))
    }

    /// Restores the images that [`images`](Self::images) returned.
    pub fn restore(&mut self, images: Vec<Tensor>) {
        self.images = images;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;
    use crate::testing::crew;

    fn image(value: f32) -> Tensor {
        Tensor::from_slice(&[value]).view([1, 1, 1, 1])
    }

    #[test]
    fn empty_pool_passes_through() {
        let mut stream = Seed(0).stream("pool", 0);
        let out = ImagePool::new(0).exchange(&image(3.0), &mut stream).unwrap();
        assert_eq!(out, image(3.0));
    }

    #[test]
    fn about_half_of_the_images_are_older_ones() {
        let mut stream = Seed(0).stream("pool", 0);
        let mut pool = ImagePool::new(50);
        let mut older = 0;
        for i in 0..2050 {
            let out = pool.exchange(&image(i as f32), &mut stream).unwrap().double_value(&[0, 0, 0, 0]) as i32;
            assert!(out <= i);
            assert!(i >= 50 || out == i);
            older += i32::from(out != i);
        }
        // 2,000 fair coins: five standard deviations are 112.
        assert!((older - 1000).abs() < 112, "{older}");
        assert_eq!(pool.images().len(), 50);
    }

    /// An image that was returned has left the pool, and the one that replaced it is in it.
    #[test]
    fn images_are_exchanged_not_copied() {
        let mut stream = Seed(0).stream("pool", 0);
        let mut pool = ImagePool::new(2);
        let value = |t: &Tensor| t.double_value(&[0, 0, 0, 0]) as i32;
        for i in 0..200 {
            let out = value(&pool.exchange(&image(i as f32), &mut stream).unwrap());
            let held: Vec<i32> = pool.images().iter().map(value).collect();
            match i {
                0 | 1 => assert!(out == i && held.contains(&i)),
                _ if out == i => assert!(!held.contains(&i)),
                _ => assert!(held.contains(&i) && !held.contains(&out)),
            }
        }
        let held: Vec<Tensor> = pool.images().iter().map(Tensor::shallow_clone).collect();
        let mut other = ImagePool::new(2);
        other.restore(held);
        assert_eq!(other.images(), pool.images());
    }

    /// Four images a step, some of them made by each process.
    #[test]
    fn processes_share_the_pool_of_one_process() {
        let images =
            |step: u64| Tensor::arange(4, (tch::Kind::Double, tch::Device::Cpu)).view([4, 1, 1, 1]) + step as f64 * 4.0;
        let values = |images: &[Tensor]| -> Vec<f64> { Vec::try_from(Tensor::cat(images, 0).view(-1)).unwrap() };
        let (mut pool, mut shown) = (ImagePool::new(3), Vec::new());
        for step in 0..30 {
            let exchanged = pool.exchange(&images(step), &mut Seed(0).stream("pool", step)).unwrap();
            shown.push(values(&[exchanged]));
        }
        let older = shown.iter().enumerate().filter(|(step, shown)| **shown != values(&[images(*step as u64)])).count();
        assert!(older > 10, "{older} steps showed older images");
        let held = values(pool.images());
        for count in [1, 2, 3, 4] {
            let same = crew(count, |peers| {
                let (batch, mut own) = (JointBatch::new(peers, 4), ImagePool::new(3));
                for (step, shown) in shown.iter().enumerate() {
                    let (step, images) = (step as u64, batch.own(&images(step as u64)).unwrap());
                    let found = own.exchange_own(&images, batch, &mut Seed(0).stream("pool", step)).unwrap();
                    let expected: Vec<f64> = batch.portion().places(0..4).map(|place| shown[place]).collect();
                    assert_eq!(values(&[found]), expected, "step {step} of {count} processes");
                }
                values(own.images()) == held
            });
            assert_eq!(same, vec![true; count]);
        }
    }

    #[test]
    fn batches_and_other_sizes_go_through() {
        let mut stream = Seed(0).stream("pool", 0);
        let mut pool = ImagePool::new(3);
        for side in [2, 3, 2, 5, 3] {
            let batch = Tensor::full([4, 3, side, side], side as f64, (tch::Kind::Float, tch::Device::Cpu));
            let out = pool.exchange(&batch, &mut stream).unwrap();
            assert_eq!(out, batch, "an image of another size is never mixed in");
        }
    }
}
