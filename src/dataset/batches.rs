//! The batches and chips of prepared data.

use std::ops::Range;
use std::path::{Path, PathBuf};

use tch::Tensor;

use super::batch::Batch;
use super::bunch::{DataBunch, Split};
use super::domain::{Domain, PerDomain};
use super::loader::Loader;
use super::order;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Raster;

impl DataBunch {
    /// The training batches of an epoch (the first is 0), in the order that the seed fixes.
    ///
    /// Each domain goes through all of its chips in random order before one comes again, also from one epoch to the
    /// next.
    ///
    /// # Shapes
    /// See [`Batch`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when a thread cannot be started. A chip that cannot be read is an error of its batch.
    pub fn epoch(&self, epoch: u64) -> Result<Loader> {
        self.epoch_from(epoch, 0)
    }

    /// The same without its first `skip` batches, for a training that goes on within an epoch.
    ///
    /// ```
    /// use geolearn::{DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let third = data.epoch(0)?.nth(2).unwrap()?;
    /// assert_eq!(data.epoch_from(0, 2)?.next().unwrap()?.a, third.a);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DataBunch::epoch`].
    pub fn epoch_from(&self, epoch: u64, skip: usize) -> Result<Loader> {
        let draws = self.draws();
        let order = PerDomain::from_fn(|domain| order::epoch(self.shared.seed, domain, epoch, draws, self.len(domain)));
        let data = self.clone();
        let make = move |batch| {
            data.batch(batch + skip, draws, |domain, places| data.training_tensor(domain, epoch, &order, places))
        };
        let batches = self.batches_per_epoch().saturating_sub(skip);
        Loader::start(batches, self.shared.workers, self.shared.prefetch, make)
    }

    /// The validation batches: chips as they are, in pairs that never change (chip i of the larger domain with chip
    /// i modulo n of the other). There are none when a domain has no validation chips.
    ///
    /// # Shapes
    /// See [`Batch`].
    ///
    /// # Errors
    /// As [`DataBunch::epoch`].
    pub fn validation(&self) -> Result<Loader> {
        let data = self.clone();
        let pairs = self.valid_pairs();
        let make = move |batch| {
            data.batch(batch, pairs, |domain, places| {
                let valid = &data.domain(domain).valid;
                data.domain(domain).reader.tensor(places.map(|place| &valid[place % valid.len()]), None)
            })
        };
        Loader::start(self.valid_batches(), self.shared.workers, self.shared.prefetch, make)
    }

    /// Chips as they are, normalised, for pictures and measures.
    ///
    /// # Shapes
    /// (N, C, H, W), f32 on the CPU, in [-1, 1]; N is the number of indices.
    ///
    /// ```
    /// use geolearn::{prepare_data, DatasetType, Domain, Split};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let chips = data.chips(Domain::B, Split::Valid, &[0, 3])?;
    /// assert_eq!(chips.size(), [2, 3, 64, 64]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when there is no index or one is beyond the chips; otherwise as
    /// [`Raster::open`](crate::Raster::open).
    pub fn chips(&self, domain: Domain, split: Split, indices: &[usize]) -> Result<Tensor> {
        let files = indices.iter().map(|&index| self.file(domain, split, index)).collect::<Result<Vec<_>>>()?;
        if files.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "no chips are asked for").expected("at least one index"));
        }
        self.domain(domain).reader.tensor(files.into_iter(), None)
    }

    /// One chip as an image in its own values: the bands that are used, at the size that all chips are brought to.
    ///
    /// # Errors
    /// As [`DataBunch::chips`].
    pub fn image(&self, domain: Domain, split: Split, index: usize) -> Result<Raster> {
        self.domain(domain).reader.image(self.file(domain, split, index)?, None)
    }

    /// Reads any file of a domain as [`DataBunch::image`] reads its chips.
    pub(crate) fn image_of(&self, domain: Domain, file: &Path) -> Result<Raster> {
        self.domain(domain).reader.image(file, None)
    }

    fn file(&self, domain: Domain, split: Split, index: usize) -> Result<&PathBuf> {
        let files = self.files(domain, split);
        files.get(index).ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("domain {domain} has no chip of this number"))
                .at(self.path())
                .expected(format!("an index below {}", files.len()))
                .found(index)
        })
    }

    fn batch(
        &self,
        batch: usize,
        draws: usize,
        tensor: impl Fn(Domain, Range<usize>) -> Result<Tensor>,
    ) -> Result<Batch> {
        let start = batch * self.batch_size();
        let places = start..draws.min(start + self.batch_size());
        Ok(Batch { a: tensor(Domain::A, places.clone())?, b: tensor(Domain::B, places)? })
    }

    fn training_tensor(
        &self,
        domain: Domain,
        epoch: u64,
        order: &PerDomain<Vec<usize>>,
        places: Range<usize>,
    ) -> Result<Tensor> {
        let data = self.domain(domain);
        let start = places.start;
        let name = format!("augment/{domain}");
        // The stream of a draw does not depend on the batch that it falls into.
        let stream = |place| self.shared.seed.stream(&name, (epoch << 32).wrapping_add((start + place) as u64));
        let files = order.get(domain)[places].iter().map(|&index| &data.train[index]);
        data.reader.tensor(files, Some((&self.shared.augment, &stream)))
    }
}
