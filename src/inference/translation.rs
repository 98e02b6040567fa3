//! Images through one generator, with norms of any statistics.

use tch::Tensor;

use crate::arrays::tensor_to_array;
use crate::dataset::Normaliser;
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, HostMemory};
use crate::nn::{FoldedNetwork, Gathered, Moments, Network};
use crate::raster::{Dtype, Raster, Samples, Source};

/// A generator, and the scalings of the domains on either side of it.
pub(crate) struct Translation<'a> {
    pub generator: &'a Network,
    pub from: &'a Normaliser,
    pub to: &'a Normaliser,
    /// Height and width of the chips that the generator learned from.
    pub chip: (usize, usize),
    pub device: tch::Device,
    pub precision: Precision,
    /// Whether values stay as the network made them, in f32: neither rounded nor cut to the domain's own type.
    pub exact: bool,
}

impl Translation<'_> {
    /// # Shapes
    /// One image as (1, C, H, W) in [-1, 1] on the device.
    pub fn tensor(&self, image: &Raster) -> Result<Tensor> {
        let scaled = self.from.normalise_raster(image)?;
        let (channels, height, width) = scaled.dim();
        let (values, _) = scaled.into_raw_vec_and_offset();
        let shape = [1, channels, height, width].map(|side| side as i64);
        let tensor = ffi::filled(&shape, HostMemory::for_device(self.device), |to| {
            to.copy_from_slice(&values);
            Ok(())
        })?;
        // From pinned memory: the processor goes on with the next image.
        Ok(tensor.f_to_device_(self.device, tensor.kind(), true, false)?)
    }

    /// Images of one size as one batch.
    pub fn batch(&self, images: &[Raster]) -> Result<Tensor> {
        let tensors = images.iter().map(|image| self.tensor(image)).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::f_cat(&tensors, 0)?)
    }

    /// 1 where an image has data, (N, 1, H, W) of the size that the network takes; none where all of them have data
    /// everywhere.
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

    /// The network as it was trained and is exported, for images of one size that are small enough to go through it as one. What
    /// stands in for gaps counts like any other value.
    pub fn plain(&self, images: &[Raster]) -> Result<Tensor> {
        let batch = self.batch(images)?;
        self.run(|| self.generator.forward(&batch))
    }

    /// The same with statistics of those pixels alone that have data.
    pub fn whole(&self, image: &Raster) -> Result<Tensor> {
        let mask = self.mask(std::slice::from_ref(image))?;
        if mask.is_none() {
            return self.plain(std::slice::from_ref(image));
        }
        let x = self.tensor(image)?;
        self.run(|| self.generator.forward_with(&x, &mut Gathered::pooled(mask)))
    }

    /// Images of one size, each with its own statistics: as the network was trained where all have data everywhere, and
    /// else of those pixels alone that have.
    pub fn each(&self, images: &[Raster]) -> Result<Tensor> {
        let batch = self.batch(images)?;
        match self.mask(images)? {
            None => self.run(|| self.generator.forward(&batch)),
            mask => self.run(|| self.generator.forward_with(&batch, &mut Gathered::of_each(mask))),
        }
    }

    /// Statistics of each layer over all of these images together; none where there are no images.
    pub fn pooled(&self, images: &[Raster]) -> Result<Option<Vec<Moments>>> {
        if images.is_empty() {
            return Ok(None);
        }
        let mut norm = Gathered::pooled(self.mask(images)?);
        let batch = self.batch(images)?;
        self.gather(&batch, &mut norm)?;
        Ok(Some(norm.layers))
    }

    /// Statistics of each layer for each of these images.
    pub fn of_each(&self, images: &[Raster]) -> Result<Vec<Moments>> {
        let mut norm = Gathered::of_each(self.mask(images)?);
        let batch = self.batch(images)?;
        self.gather(&batch, &mut norm)?;
        Ok(norm.layers)
    }

    /// Never in bfloat16: what is off here is off everywhere.
    fn gather(&self, batch: &Tensor, norm: &mut Gathered) -> Result<()> {
        let precision = match (self.precision, self.device.is_cuda()) {
            (Precision::Bf16, true) => Precision::Tf32,
            (Precision::Bf16, false) => Precision::F32,
            (other, _) => other,
        };
        self.run_in(precision, || self.generator.forward_with(batch, norm)).map(drop)
    }

    /// The generator with these statistics.
    pub fn folded(&self, statistics: &[Moments]) -> Result<FoldedNetwork> {
        tch::no_grad(|| self.generator.folded(statistics))
    }

    /// Without gradients, in the arithmetic that was chosen.
    pub fn run<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.run_in(self.precision, work)
    }

    fn run_in<T>(&self, precision: Precision, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let _switches = ffi::Switches::hold_on(self.device, precision.arithmetic())?;
        tch::no_grad(|| ffi::autocast(precision.casts(self.device), self.device, work))
    }

    /// The type of what it makes.
    pub fn dtype(&self) -> Dtype {
        if self.exact { Dtype::F32 } else { self.to.dtype() }
    }

    /// What the network made as samples of the other domain.
    ///
    /// # Shapes
    /// (C, H, W) in [-1, 1] to (bands, H, W), with `empty` where `image`, of the same size, has no data in any band.
    pub fn samples(&self, made: &Tensor, image: &Raster, empty: Option<f64>) -> Result<Samples> {
        let made = tensor_to_array(made)?;
        if self.exact {
            let made = Raster::new(self.to.denormalise(made.view())?)?;
            return Ok(made.with_gaps_of(image, Some(f64::NAN)).into_samples());
        }
        Ok(self.to.to_raster(made.view())?.with_gaps_of(image, empty).into_samples())
    }

    /// What stands for "no data" in translations of `scene`, which has to be known before the first row is written.
    /// Images of integers without a value for it have no gaps.
    pub fn empty_value(&self, scene: &Source) -> Option<f64> {
        let names_gaps = scene.nodata().is_some_and(|value| scene.dtype().can_mean(value));
        self.empty_value_where(|| names_gaps || scene.dtype().is_float())
    }

    /// The same where all of the image can be looked at.
    pub fn empty_value_of(&self, image: &Raster) -> Option<f64> {
        self.empty_value_where(|| image.gaps().iter().any(|&gap| gap))
    }

    /// A value of the model's that samples cannot have (-9999 in bytes) would leave gaps looking like data.
    fn empty_value_where(&self, has_gaps: impl Fn() -> bool) -> Option<f64> {
        let (dtype, own) = (self.dtype(), self.to.values().nodata);
        (own.is_some_and(|value| dtype.can_mean(value)) || has_gaps()).then(|| dtype.nodata_like(own))
    }
}

/// That a setting lies in a range.
pub(crate) fn check(name: &str, is_right: bool, expected: &str, found: impl ToString) -> Result<()> {
    if is_right {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, format!("{name} is out of range")).expected(expected).found(found.to_string()))
}
