//! One direction of a model: from images of one domain to images of the other.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use ndarray::Array3;

use crate::dataset::{AlphaBands, Domain, DomainSpec};
use crate::device::{ChosenDevice, Precision};
use crate::error::{Error, ErrorKind, Result};
use crate::inference::{self, NormStatistics, RasterOptions, RasterReport, RasterRequest, Translation};
use crate::nn::{Network, no_fixed_statistics};
use crate::raster::{Conversion, Raster, Source};

/// A generator, and the descriptions of its input and output domains.
#[derive(Clone, Copy)]
pub(crate) struct Direction<'a> {
    pub generator: &'a Network,
    pub from: &'a DomainSpec,
    /// The target domain and its description.
    pub to: (Domain, &'a DomainSpec),
    pub device: &'a ChosenDevice,
}

impl<'a> Direction<'a> {
    /// Translates an image file.
    pub fn predict(&self, path: &Path) -> Result<Raster> {
        let started = Instant::now();
        let source = self.source(path)?;
        let (height, width) = source.size();
        let image = source.window(0, 0, height, width)?;
        let made = self.made(&image).map_err(|error| error.at(path))?;
        let (to, seconds) = (self.to.0, started.elapsed().as_secs_f64());
        tracing::info!(path = %path.display(), %to, height, width, seconds, "image translated");
        Ok(made)
    }

    /// Translates an image in memory.
    pub fn predict_image(&self, image: &Raster) -> Result<Raster> {
        let started = Instant::now();
        let made = self.made(&self.as_chips_are(image))?;
        let (to, height, width, seconds) = (self.to.0, made.height(), made.width(), started.elapsed().as_secs_f64());
        tracing::debug!(%to, height, width, seconds, "image in memory translated");
        Ok(made)
    }

    /// Translates images in memory; those of one size go through the network together if memory allows.
    pub fn predict_images(&self, images: &[Raster]) -> Result<Vec<Raster>> {
        let started = Instant::now();
        let translation = self.translation(Precision::F32)?;
        let mut by_size: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (i, image) in images.iter().enumerate() {
            by_size.entry((image.height(), image.width())).or_default().push(i);
        }
        let mut made: Vec<Option<Raster>> = images.iter().map(|_| None).collect();
        for group in by_size.values() {
            let chips: Vec<Raster> = group.iter().map(|&i| self.as_chips_are(&images[i]).into_owned()).collect();
            let results = inference::translate_images(&translation, &chips).map_err(advise)?;
            for (&i, result) in group.iter().zip(results) {
                made[i] = Some(self.described(result));
            }
        }
        let (to, count, sizes) = (self.to.0, images.len(), by_size.len());
        tracing::debug!(%to, count, sizes, seconds = started.elapsed().as_secs_f64(), "images in memory translated");
        Ok(made.into_iter().flatten().collect())
    }

    /// Translates an array in the domains' own units.
    pub fn predict_array(&self, image: &Array3<f32>) -> Result<Array3<f32>> {
        let started = Instant::now();
        let translation = Translation { exact: true, ..self.translation(Precision::F32)? };
        let made = inference::translate_image(&translation, &Raster::new(image.clone())?).map_err(advise)?;
        self.warn_of_coarse_values();
        let (to, height, width, seconds) = (self.to.0, made.height(), made.width(), started.elapsed().as_secs_f64());
        tracing::debug!(%to, height, width, seconds, "array translated");
        Ok(made.samples().to_f32())
    }

    /// Translates a scene of any size, from a file to a GeoTIFF.
    pub fn predict_raster(&self, input: &Path, output: &Path, options: &RasterOptions) -> Result<RasterReport> {
        let (to, made) = self.to;
        if options.to != to {
            return Err(Error::new(ErrorKind::Usage, "the generator makes images of one domain only")
                .expected(format!("RasterOptions::new(Domain::{to})"))
                .found(format!("domain {}", options.to)));
        }
        if self.generator.plan().has_skips() && !matches!(options.statistics, NormStatistics::Tile { .. }) {
            return Err(no_fixed_statistics().found(format!("{:?}", options.statistics)));
        }
        let translation = self.translation(options.precision)?;
        let (band_names, band_scales) = (&made.band_names, &made.band_scales);
        let request = RasterRequest { translation: &translation, options, band_names, band_scales };
        inference::predict_raster(&request, |path| self.source(path), input, output)
    }

    /// Returns an image with the bands and scales of the chips.
    fn as_chips_are<'i>(&self, image: &'i Raster) -> Cow<'i, Raster> {
        let image = match self.from.selection.order_in(image.band_names()) {
            Some(order) => Cow::Owned(image.clone().select(&order)),
            None if self.from.selection.alpha == AlphaBands::Band => Cow::Borrowed(image),
            None => image.without_alpha(self.from.normalizer.bands()),
        };
        match self.from.conversion(image.dtype(), image.band_scales(), None) {
            Conversion::Needed => Cow::Owned(image.in_scales(&self.from.band_scales)),
            _ => image,
        }
    }

    /// Translates an image whose bands and scales are those of the chips.
    fn made(&self, image: &Raster) -> Result<Raster> {
        let result = inference::translate_image(&self.translation(Precision::F32)?, image).map_err(advise)?;
        Ok(self.described(result))
    }

    /// Adds names and scales of bands to a translation.
    fn described(&self, result: Raster) -> Raster {
        let (_, made) = self.to;
        result.with_optional_names(made.band_names.clone()).with_band_scales(made.band_scales.iter().copied())
    }

    /// Single precision has 24 bits, which leave coarse steps for a small range far from 0.
    fn warn_of_coarse_values(&self) {
        let (to, made) = self.to;
        let scaling = &made.normalizer;
        for (band, (&min, &max)) in scaling.min().iter().zip(scaling.max()).enumerate() {
            let step = f64::from(f32::EPSILON) * min.abs().max(max.abs());
            if max > min && step > (max - min) / COARSE {
                tracing::warn!(
                    "band {} of domain {to} has values from {min} to {max}, of which f32 keeps steps of {step:.0e}; \
                     predict_image gives them in the domain's own type",
                    band + 1
                );
            }
        }
    }

    /// Opens an image file, with the bands that the model uses.
    fn source(&self, path: &Path) -> Result<Source> {
        let source = Source::open(path)?;
        let source = match self.from.selection.alpha {
            AlphaBands::Band => source.with_opacity_as_band(),
            _ => source,
        };
        let source = match self.from.selection.in_image(source.band_names()).map_err(|error| error.at(path))? {
            Some(bands) => source.select(&bands),
            None => source.without_alpha(self.from.normalizer.bands()),
        };
        source.check_bands(self.from.normalizer.bands())?;
        Ok(match self.from.conversion(source.dtype(), &source.band_scales(), Some(path)) {
            Conversion::Needed => source.in_scales(self.from.band_scales.clone()),
            _ => source,
        })
    }

    /// Returns the generator with the scalings of its input and output.
    pub fn translation(&self, precision: Precision) -> Result<Translation<'a>> {
        let device = self.device.torch();
        let precision = precision.on(device)?;
        precision.log_fallback(device);
        Ok(Translation {
            generator: self.generator,
            from: &self.from.normalizer,
            to: &self.to.1.normalizer,
            chip: self.from.chip,
            device,
            precision,
            exact: false,
        })
    }
}

/// Fewer steps than bytes have are too few.
const COARSE: f64 = 256.0;
const SMALLER: &str = "Make the image smaller, or write it to a file and use predict_raster.";

fn advise(error: Error) -> Error {
    if error.is_out_of_memory() { error.help(SMALLER) } else { error }
}
