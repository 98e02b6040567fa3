//! Batches and chips of prepared data.

use std::path::{Path, PathBuf};

use tch::Tensor;

use super::batch::Batch;
use super::bunch::{DataBunch, Split};
use super::domain::{Domain, PerDomain};
use super::loader::Loader;
use super::order;
use crate::error::{Error, ErrorKind, Result};
use crate::peers::Part;
use crate::random::Stream;
use crate::raster::Raster;

impl DataBunch {
    /// Returns the training batches of an epoch (the first is 0), in an order fixed by the seed.
    ///
    /// Each domain uses all of its chips in random order before any of them repeats, also across epochs. With
    /// [paired](crate::DatasetType::Pix2Pix) data, an epoch goes through the pairs, and partners stay together. With
    /// [scenes](crate::PrepareData::scenes), each epoch draws new windows.
    ///
    /// # Shapes
    /// See [`Batch`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if a thread cannot be started. A chip that cannot be read is reported as an error of its
    /// batch.
    pub fn epoch(&self, epoch: u64) -> Result<Loader> {
        self.epoch_from(epoch, 0)
    }

    /// Returns the same batches without the first `skip`, to resume training within an epoch.
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
    /// See [`DataBunch::epoch`].
    pub fn epoch_from(&self, epoch: u64, skip: usize) -> Result<Loader> {
        self.epoch_of_part(Part::WHOLE, epoch, skip)
    }

    /// Returns one process's part of the same epoch. `part.count` processes share each joint batch, which has that many
    /// times the chips. The chips, their order, and their augmentation are the same as for one process with batches of
    /// that size. Chip p of a joint batch belongs to process p modulo the number of processes. The last batch may be
    /// smaller. Every process has the same number of batches; one that gets no chip of the last batch receives a chip
    /// of another process, which must not be counted.
    pub(crate) fn epoch_of_part(&self, part: Part, epoch: u64, skip: usize) -> Result<Loader> {
        let draws = self.draws();
        let order = PerDomain::from_fn(|domain| {
            let chips = self.train_files(domain).len();
            order::epoch(self.shared.seed, self.dataset_type().leader(domain), epoch, draws, chips)
        });
        let ahead = self.batches_ahead().saturating_mul(self.joint_batch_size(part));
        let windows =
            PerDomain::from_fn(|domain| self.domain(domain).scenes.as_ref().map(|scenes| scenes.reader(epoch, ahead)));
        let data = self.clone();
        let make = move |batch| {
            let places = data.places(part, batch + skip);
            Batch::of(|domain| match windows.get(domain) {
                Some(windows) => data.varied_tensor(domain, epoch, &places, |place, _| windows.image(place)),
                None => data.training_tensor(domain, epoch, &order, &places),
            })
        };
        let batches = self.steps_per_epoch(part).saturating_sub(skip);
        Loader::start(batches, self.shared.workers, self.shared.prefetch, make)
    }

    /// Returns the positions in the epoch of this part's chips in a batch.
    fn places(&self, part: Part, batch: usize) -> Vec<usize> {
        let (start, portion) = (batch * self.joint_batch_size(part), self.portion(part, batch));
        portion.places(start..start + portion.images).collect()
    }

    /// Returns the validation batches: unaugmented chips in fixed pairs (partners if the data are paired, otherwise
    /// chip i of the larger domain with chip i modulo n of the other). There are none if a domain has no validation
    /// chips.
    ///
    /// # Shapes
    /// See [`Batch`].
    ///
    /// # Errors
    /// See [`DataBunch::epoch`].
    pub fn validation(&self) -> Result<Loader> {
        self.validation_of_part(Part::WHOLE)
    }

    /// Returns one process's part of the same: every `part.count`-th pair. Parts may differ by one batch.
    pub(crate) fn validation_of_part(&self, part: Part) -> Result<Loader> {
        let data = self.clone();
        let (pairs, size) = (part.own(self.valid_pairs()), self.batch_size());
        let make = move |batch: usize| {
            let own = batch * size..pairs.min((batch + 1) * size);
            Batch::of(|domain| {
                let count = data.valid_len(domain);
                let place = |pair: usize| (part.rank + pair * part.count) % count;
                let image = |pair, _: Option<&mut Stream>| data.image(domain, Split::Valid, place(pair));
                data.domain(domain).reader.tensor(own.clone(), image, None)
            })
        };
        Loader::start(pairs.div_ceil(size), self.shared.workers, self.shared.prefetch, make)
    }

    /// Returns normalized chips without augmentation, for pictures and metrics.
    ///
    /// # Shapes
    /// (N, C, H, W), f32 on the CPU, in [-1, 1]; N is the number of indices.
    ///
    /// ```
    /// use geolearn::dataset::Split;
    /// use geolearn::{DatasetType, Domain, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let chips = data.chips(Domain::B, Split::Valid, &[0, 3])?;
    /// assert_eq!(chips.size(), [2, 3, 64, 64]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if `indices` is empty or an index is out of range; otherwise see
    /// [`Raster::open`](crate::Raster::open).
    pub fn chips(&self, domain: Domain, split: Split, indices: &[usize]) -> Result<Tensor> {
        if indices.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "no chips are asked for").expected("at least one index"));
        }
        let image = |index: &usize, _: Option<&mut Stream>| self.image(domain, split, *index);
        self.domain(domain).reader.tensor(indices.iter(), image, None)
    }

    /// Returns one chip as an image in its original values: the bands that are used, at the common size. With
    /// [scenes](crate::PrepareData::scenes), returns a window; for training, one of epoch 0.
    ///
    /// # Errors
    /// See [`DataBunch::chips`].
    pub fn image(&self, domain: Domain, split: Split, index: usize) -> Result<Raster> {
        if index >= self.count(domain, split) {
            return Err(self.no_chip(domain, split, index));
        }
        let data = self.domain(domain);
        match (&data.scenes, split) {
            (Some(scenes), Split::Train) => scenes.training_image(index),
            (Some(scenes), _) => scenes.valid_image(index),
            (None, _) => data.reader.image(self.file(domain, split, index)?, None),
        }
    }

    /// Reads any file of a domain the way [`DataBunch::image`] reads its chips. If chips are halves of files, any file
    /// that is not in the dataset is read as a whole image.
    pub(crate) fn image_of(&self, domain: Domain, file: &Path) -> Result<Raster> {
        let reader = &self.domain(domain).reader;
        let is_listed = |split| self.files(domain, split).iter().any(|chip| chip == file);
        // Only halves depend on whether the file is in the dataset; the lists may be long.
        let is_chip =
            reader.asked.half.is_none() || [Split::Train, Split::Valid, Split::Test].into_iter().any(is_listed);
        reader.of_file(is_chip).image(file, None)
    }

    fn file(&self, domain: Domain, split: Split, index: usize) -> Result<&PathBuf> {
        let files = self.files(domain, split);
        files.get(index).ok_or_else(|| self.no_chip(domain, split, index))
    }

    fn no_chip(&self, domain: Domain, split: Split, index: usize) -> Error {
        Error::new(ErrorKind::Usage, format!("domain {domain} has no chip of this number"))
            .at(self.path())
            .expected(format!("an index below {}", self.count(domain, split)))
            .found(index)
    }

    fn training_tensor(
        &self,
        domain: Domain,
        epoch: u64,
        order: &PerDomain<Vec<usize>>,
        places: &[usize],
    ) -> Result<Tensor> {
        let (data, order) = (self.domain(domain), order.get(domain));
        self.varied_tensor(domain, epoch, places, |place, stream| data.reader.image(&data.train[order[place]], stream))
    }

    /// Reads the images at some positions of an epoch, augmented.
    fn varied_tensor(
        &self,
        domain: Domain,
        epoch: u64,
        places: &[usize],
        image: impl Fn(usize, Option<&mut Stream>) -> Result<Raster>,
    ) -> Result<Tensor> {
        let name = format!("augment/{}", self.dataset_type().leader(domain));
        // The random stream of a draw does not depend on the batch that contains it.
        let stream = |i: usize| self.shared.seed.stream(&name, (epoch << 32).wrapping_add(places[i] as u64));
        let varied = Some((&self.variation(domain), &stream as &dyn Fn(usize) -> Stream));
        self.domain(domain).reader.tensor(places.iter().copied(), image, varied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Augment, DatasetType, PrepareData};

    fn data(batch_size: usize) -> DataBunch {
        PrepareData::new("assets/bluemarble", DatasetType::CycleGan)
            .resize_to(16)
            .workers(0)
            .batch_size(batch_size)
            .prepare()
            .unwrap()
    }

    /// Pairs with random geometry, brightness, and contrast.
    fn paired(batch_size: usize) -> DataBunch {
        PrepareData::new("assets/bluemarble_test", DatasetType::Pix2Pix)
            .resize_to(16)
            .workers(0)
            .augment(Augment::default())
            .batch_size(batch_size)
            .prepare()
            .unwrap()
    }

    fn all(loader: Loader) -> Vec<Batch> {
        loader.map(Result::unwrap).collect()
    }

    /// Image p of a joint batch belongs to process p modulo their number, augmented as with one process. All processes
    /// make the same number of steps.
    #[test]
    fn parts_of_a_batch_are_those_of_one_process() {
        assert_parts(data, &[(2, 3), (3, 2), (4, 4), (7, 1), (64, 1)]);
        assert_parts(paired, &[(2, 3), (5, 1), (13, 1)]);
    }

    fn assert_parts(data: fn(usize) -> DataBunch, shares: &[(usize, usize)]) {
        let mut borrowed = 0;
        for &(count, size) in shares {
            let parts: Vec<Part> = (0..count).map(|rank| Part { rank, count }).collect();
            let (part_of, whole) = (data(size), data(size * count));
            for (epoch, skip) in [(1, 0), (4, whole.batches_per_epoch() - 1)] {
                let expected = all(whole.epoch_from(epoch, skip).unwrap());
                assert!(!expected.is_empty());
                for part in &parts {
                    let found = all(part_of.epoch_of_part(*part, epoch, skip).unwrap());
                    assert_eq!(found.len(), expected.len());
                    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        let portion = part_of.portion(*part, skip + i);
                        assert_eq!(portion.images, expected.size());
                        borrowed += usize::from(portion.own() == 0);
                        let places: Vec<i64> = portion.places(0..portion.images).map(|place| place as i64).collect();
                        let places = Tensor::from_slice(&places);
                        assert_eq!(found.a, expected.a.index_select(0, &places), "{part:?}");
                        assert_eq!(found.b, expected.b.index_select(0, &places), "{part:?}");
                    }
                }
            }
        }
        assert!(borrowed > 0, "no last batch was too small for all processes");
    }

    #[test]
    fn each_validation_pair_is_of_one_process() {
        let data = data(4);
        let images = |loader: Loader| -> Vec<Vec<f32>> {
            let pairs = all(loader).into_iter().map(|batch| Tensor::cat(&[batch.a, batch.b], 1));
            pairs
                .flat_map(|pair| (0..pair.size()[0]).map(move |i| Vec::try_from(pair.get(i).view(-1)).unwrap()))
                .collect()
        };
        let expected = images(data.validation().unwrap());
        for count in [2, 3, expected.len() + 1] {
            let part = |rank| images(data.validation_of_part(Part { rank, count }).unwrap());
            let parts: Vec<_> = (0..count).map(part).collect();
            assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), expected.len());
            for (pair, expected) in expected.iter().enumerate() {
                assert!(parts[pair % count][pair / count] == *expected, "pair {pair} of {count} processes");
            }
        }
    }
}
