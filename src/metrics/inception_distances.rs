//! KID and FID as training metrics.

use tch::Tensor;

use super::feature_set::{FeatureDistances, FeatureSet};
use super::{Better, Inception, Metric, MetricColumn, Resize};
use crate::arrays::tensor_to_array;
use crate::dataset::{DataBunch, Domain, PerDomain, Split};
use crate::error::{Error, ErrorKind, Result};

/// Returns the names of the values for translations into a domain, in order.
fn names(to: Domain) -> [&'static str; 2] {
    match to {
        Domain::A => ["valid_fid_a", "valid_kid_a"],
        Domain::B => ["valid_fid_b", "valid_kid_b"],
    }
}

/// KID and FID of the translated validation chips of both domains, for
/// [`FitOptions::metric`](crate::FitOptions::metric); `valid_kid_b` is the KID of images translated into domain B.
/// `monitor("valid_kid_b")` adds this metric automatically if the network's weights are found.
///
/// Each validation runs the validation chips through the Inception network, which takes about 0.1 s per chip on two
/// cores. [`FitOptions::validate_every`](crate::FitOptions::validate_every) makes this less frequent.
///
/// ```no_run
/// use geolearn::metrics::{Inception, InceptionDistances};
/// use geolearn::train::Checkpoint;
/// use geolearn::{CycleGan, DatasetType, Device, FitOptions, prepare_data};
///
/// let data = prepare_data("chips/", DatasetType::CycleGan)?;
/// let mut model = CycleGan::new(&data)?;
/// let metric = InceptionDistances::new(Inception::find(Device::Auto)?);
/// model.fit(FitOptions::new(200).metric(metric).monitor("valid_kid_b").checkpoint(Checkpoint::Best))?;
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct InceptionDistances {
    network: Inception,
    resize: Resize,
    data: Option<DataBunch>,
    /// Features of the real validation chips, which do not change.
    /// The domains that the model translates into, A first.
    targets: Vec<Domain>,
    real: PerDomain<Option<Tensor>>,
    made: PerDomain<FeatureSet>,
    /// Translations into each domain since values were last returned.
    seen: PerDomain<usize>,
}

impl InceptionDistances {
    /// Creates the metric.
    ///
    /// ```no_run
    /// use geolearn::Device;
    /// use geolearn::metrics::{Inception, InceptionDistances};
    ///
    /// let metric = InceptionDistances::new(Inception::find(Device::Auto)?);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn new(network: Inception) -> Self {
        let (resize, real, made) = (Resize::default(), PerDomain::default(), PerDomain::default());
        let targets = Domain::BOTH.to_vec();
        Self { network, resize, targets, data: None, real, made, seen: PerDomain::default() }
    }

    /// Sets how images are resized to the input of the network. Default: [`Resize::Tensorflow`].
    ///
    /// ```no_run
    /// use geolearn::Device;
    /// use geolearn::metrics::{Inception, InceptionDistances, Resize};
    ///
    /// let metric = InceptionDistances::new(Inception::find(Device::Auto)?).resize(Resize::Clean);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn resize(mut self, resize: Resize) -> Self {
        self.resize = resize;
        self
    }

    /// Returns whether this is the name of one of the metric's values.
    pub(crate) fn has(name: &str) -> bool {
        Domain::BOTH.into_iter().any(|to| names(to).contains(&name))
    }

    fn real_features(&self, data: &DataBunch, domain: Domain) -> Result<Option<Tensor>> {
        let mut set = FeatureSet::default();
        for chip in 0..data.valid_len(domain) {
            let picture = data.colors(domain).paint(&data.image(domain, Split::Valid, chip)?);
            set.add(&self.network, self.resize, picture)?;
        }
        set.features(&self.network, self.resize)
    }

    fn distances(&mut self, domain: Domain) -> Result<Option<FeatureDistances>> {
        let mut made = std::mem::take(self.made.get_mut(domain));
        let made = made.features(&self.network, self.resize)?;
        let real = self.real.get(domain).as_ref();
        made.zip(real).map(|(made, real)| FeatureDistances::between(&made, real)).transpose()
    }
}

impl Metric for InceptionDistances {
    fn aim(&mut self, targets: &[Domain]) {
        self.targets = Domain::BOTH.into_iter().filter(|to| targets.contains(to)).collect();
    }

    fn columns(&self) -> Vec<MetricColumn> {
        self.targets.iter().flat_map(|&to| names(to)).map(|name| MetricColumn::new(name, Better::Lower)).collect()
    }

    fn start(&mut self, data: &DataBunch) -> Result<()> {
        let fewest = Domain::BOTH.map(|domain| data.valid_len(domain)).into_iter().min().unwrap_or(0);
        if fewest < 2 {
            return Err(Error::new(ErrorKind::Usage, "KID and FID compare sets of images")
                .at(data.path())
                .expected("two validation chips of each domain or more")
                .found(fewest));
        }
        let compared = |domain| self.targets.contains(&domain).then(|| self.real_features(data, domain)).transpose();
        self.real = PerDomain::try_from_fn(|domain| compared(domain).map(Option::flatten))?;
        self.data = Some(data.clone());
        Ok(())
    }

    fn update(&mut self, to: Domain, _sources: &Tensor, translations: &Tensor) -> Result<()> {
        let data = self.data.as_ref().ok_or_else(|| Error::new(ErrorKind::Usage, "the metric was not started"))?;
        for image in 0..translations.size().first().copied().unwrap_or(0) {
            let array = tensor_to_array(&translations.f_get(image)?)?;
            let (scaling, seen) = (data.normalizer(to), self.seen.get_mut(to));
            // The tensor does not contain which pixels of the chip have no data.
            let source = data.image(to.other(), Split::Valid, *seen)?;
            *seen += 1;
            let made = scaling.to_raster(array.view())?.with_gaps_of(&source, scaling.values().nodata);
            let picture = data.colors(to).paint(&made);
            self.made.get_mut(to).add(&self.network, self.resize, picture)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Option<f64>>> {
        self.seen = PerDomain::default();
        let mut values = Vec::new();
        for domain in self.targets.clone() {
            let distances = self.distances(domain)?;
            values.extend([distances.map(|d| d.fid), distances.map(|d| d.kid.value)]);
        }
        Ok(values)
    }
}
