//! Translates images with one network, with norms of any statistics.

mod memory;
mod samples;

use tch::Tensor;

use crate::dataset::Normalizer;
use crate::device::Precision;
use crate::error::Result;
use crate::ffi::{self, HostMemory};
use crate::nn::{FoldedNetwork, GatheringNorm, Moments, Network};
use crate::raster::Raster;

/// A generator, and the scalings of its input and output.
pub(crate) struct Translation<'a> {
    pub generator: &'a Network,
    pub from: &'a Normalizer,
    pub to: &'a Normalizer,
    /// Height and width of the chips that the generator was trained on.
    pub chip: (usize, usize),
    pub device: tch::Device,
    pub precision: Precision,
    /// Whether output values stay as the network computed them, in f32: neither rounded nor clipped to the domain's
    /// type.
    pub exact: bool,
}

impl Translation<'_> {
    /// Scales an image to the network's input, on the device.
    ///
    /// # Shapes
    /// (bands, H, W) to (1, C, H, W) in [-1, 1].
    pub fn tensor(&self, image: &Raster) -> Result<Tensor> {
        let scaled = self.from.normalize_raster(image)?;
        let (channels, height, width) = scaled.dim();
        let (values, _) = scaled.into_raw_vec_and_offset();
        let shape = [1, channels, height, width].map(|side| side as i64);
        let tensor = ffi::filled(&shape, HostMemory::for_device(self.device), |to| {
            to.copy_from_slice(&values);
            Ok(())
        })?;
        // From pinned memory, so that the CPU can continue with the next image.
        Ok(tensor.f_to_device_(self.device, tensor.kind(), true, false)?)
    }

    /// Scales images of one size into one batch.
    pub fn batch(&self, images: &[Raster]) -> Result<Tensor> {
        let tensors = images.iter().map(|image| self.tensor(image)).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::f_cat(&tensors, 0)?)
    }

    /// Returns 1 where an image has data and 0 elsewhere; `None` if all images have data everywhere.
    ///
    /// # Shapes
    /// (N, 1, H, W) in the size that the network uses.
    fn mask(&self, images: &[Raster]) -> Result<Option<Tensor>> {
        let gaps: Vec<_> = images.iter().map(Raster::gaps).collect();
        if gaps.iter().all(|gaps| gaps.iter().all(|&gap| !gap)) {
            return Ok(None);
        }
        let masks = gaps.iter().map(|gaps| {
            let (height, width) = gaps.dim();
            let values: Vec<f32> = gaps.iter().map(|&gap| if gap { 0.0 } else { 1.0 }).collect();
            Ok(Tensor::f_from_slice(&values)?.f_reshape([1, 1, height as i64, width as i64])?)
        });
        let masks = masks.collect::<Result<Vec<_>>>()?;
        let masks = self.generator.plan().extended(&Tensor::f_cat(&masks, 0)?)?;
        Ok(Some(masks.f_to_device(self.device)?))
    }

    /// Runs the network as in training and in exports, for images of one size that are small enough to go through at
    /// once. Gaps count with their fill value.
    pub fn plain(&self, images: &[Raster]) -> Result<Tensor> {
        let batch = self.batch(images)?;
        self.run(|| self.generator.forward(&batch))
    }

    /// Runs the network on one image with the statistics of only those pixels that have data.
    pub fn whole(&self, image: &Raster) -> Result<Tensor> {
        let mask = self.mask(std::slice::from_ref(image))?;
        if mask.is_none() {
            return self.plain(std::slice::from_ref(image));
        }
        let x = self.tensor(image)?;
        self.run(|| self.generator.forward_with(&x, &mut GatheringNorm::pooled(mask)))
    }

    /// Runs images of one size, each with its own statistics: as in training if all images have data everywhere,
    /// otherwise with the statistics of only those pixels that have data.
    pub fn each(&self, images: &[Raster]) -> Result<Tensor> {
        let batch = self.batch(images)?;
        match self.mask(images)? {
            None => self.run(|| self.generator.forward(&batch)),
            mask => self.run(|| self.generator.forward_with(&batch, &mut GatheringNorm::of_each(mask))),
        }
    }

    /// Gathers statistics of each layer over all of these images together; `None` if there are no images.
    pub fn pooled(&self, images: &[Raster]) -> Result<Option<Vec<Moments>>> {
        if images.is_empty() {
            return Ok(None);
        }
        let mut norm = GatheringNorm::pooled(self.mask(images)?);
        let batch = self.batch(images)?;
        self.gather(&batch, &mut norm)?;
        Ok(Some(norm.layers))
    }

    /// Gathers statistics of each layer for each of these images.
    pub fn of_each(&self, images: &[Raster]) -> Result<Vec<Moments>> {
        let mut norm = GatheringNorm::of_each(self.mask(images)?);
        let batch = self.batch(images)?;
        self.gather(&batch, &mut norm)?;
        Ok(norm.layers)
    }

    /// Runs the network only for its statistics. Never in bfloat16: an error here would affect the whole scene.
    fn gather(&self, batch: &Tensor, norm: &mut GatheringNorm) -> Result<()> {
        let precision = match (self.precision, self.device.is_cuda()) {
            (Precision::Bf16, true) => Precision::Tf32,
            (Precision::Bf16, false) => Precision::F32,
            (other, _) => other,
        };
        self.run_in(precision, || self.generator.forward_with(batch, norm)).map(drop)
    }

    /// Returns the network with these statistics folded into its convolutions.
    pub fn folded(&self, statistics: &[Moments]) -> Result<FoldedNetwork> {
        tch::no_grad(|| self.generator.folded(statistics))
    }

    /// Runs `work` without gradients, in the chosen precision.
    pub fn run<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.run_in(self.precision, work)
    }

    fn run_in<T>(&self, precision: Precision, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let _switches = ffi::Switches::hold_on(self.device, precision.arithmetic())?;
        tch::no_grad(|| ffi::autocast(precision.casts(self.device), self.device, work))
    }
}
