//! Measures how good a model's translations are.

use super::learner::Learner;
use super::model::Model;
use crate::dataset::Domain;
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::evaluation::{self, Metrics, MetricsOptions, Scores};
use crate::peers::Alone;
use crate::train;

impl<M: Model> Learner<M> {
    /// Measures the model on the validation pairs, which never change: returns each of the [`available_metrics`] that
    /// starts with `valid_`, with its mean over all images, in the default [`Precision`]. Changes nothing; the same
    /// weights always give the same numbers.
    ///
    /// [`available_metrics`]: Self::available_metrics
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
    /// for (name, value) in model.validate()? {
    ///     println!("{name} {value:.3}");
    /// }
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` if the model has no data or the data has no validation pairs; errors of reading the chips.
    pub fn validate(&self) -> Result<Vec<(&'static str, f64)>> {
        let data = self.data("validate")?;
        let measured = train::validate(self, &data.for_device(self.device.torch()), Precision::Auto, &Alone)?;
        let measured = measured.ok_or_else(|| {
            Error::new(ErrorKind::Usage, "there are no validation pairs")
                .at(data.path())
                .help("Prepare the data with val_split_pct above 0, or with folders valid_a and valid_b.")
        })?;
        Ok(M::METRIC_NAMES.iter().copied().zip(measured).collect())
    }

    /// Returns the model's own names for [`FitOptions::monitor`](crate::FitOptions::monitor): metrics on the validation
    /// pairs, if there are any, and training losses; lower is better. [KID and FID](crate::metrics::InceptionDistances)
    /// and metrics that are added to a fit can be monitored, too.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// assert!(model.available_metrics().contains(&"cycle"));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn available_metrics(&self) -> Vec<&'static str> {
        let validated = self.data.as_ref().is_some_and(|data| data.valid_batches() > 0);
        let metrics = if validated { M::METRIC_NAMES } else { &[] };
        metrics.iter().chain(M::LOSS_NAMES).copied().collect()
    }

    /// Measures how good the translations of the validation chips are, in each direction, compared with baselines that
    /// learn nothing: KID and FID of all chips; PSNR, SSIM and errors against the truth, if test or validation chips of
    /// both domains have the same names; and the same for round trips. `Display` prints the result as a table;
    /// [`save`](Self::save) writes it to the model's `.emd` and `model_metrics.html`, and the last epoch of the
    /// [history](Self::history) records it.
    ///
    /// KID and FID need the weights of the Inception network, 87 MB, which `cargo xtask inception` of this repository
    /// downloads once; without them they are left out, and the notes of the result say so.
    ///
    /// ```
    /// use geolearn::evaluation::MetricsOptions;
    /// use geolearn::{CycleGan, DatasetType, Domain, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
    /// // Or, without options, model.compute_metrics()?.
    /// let options = MetricsOptions::new().pairs("assets/bluemarble_test/a", "assets/bluemarble_test/b");
    /// let metrics = model.compute_metrics_with(options.baselines(false).progress(false))?;
    /// println!("{metrics}");
    /// let into_b = metrics.to_domain(Domain::B).unwrap();
    /// assert!(into_b.model.paired.as_ref().unwrap().ssim.unwrap() > 0.0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` if the model has no data, or the data has neither validation chips nor pairs; errors of reading the
    /// chips.
    pub fn compute_metrics(&mut self) -> Result<Metrics> {
        self.compute_metrics_with(MetricsOptions::new())
    }

    /// Measures like [`compute_metrics`](Self::compute_metrics), with options.
    ///
    /// ```no_run
    /// use geolearn::evaluation::MetricsOptions;
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("chips/", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::from_model("models/sat2map", Some(&data))?;
    /// println!("{}", model.compute_metrics_with(MetricsOptions::new().pairs("test_a", "test_b"))?);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`compute_metrics`](Self::compute_metrics), and errors of folders of pairs or a weights file that cannot be
    /// used.
    pub fn compute_metrics_with(&mut self, options: MetricsOptions) -> Result<Metrics> {
        let metrics = evaluation::compute_metrics(self, &self.data("compute_metrics")?, &options)?;
        for (name, to) in [("a", Domain::A), ("b", Domain::B)] {
            let scores = metrics.to_domain(to).map(|direction| &direction.model);
            let of = |score: fn(&Scores) -> Option<f64>| scores.and_then(score);
            for (metric, value) in [("fid", of(|scores| scores.fid)), ("kid", of(|scores| scores.kid))] {
                if value.is_some() {
                    self.history.set_last_metric(&format!("valid_{metric}_{name}"), value);
                }
            }
        }
        self.metrics = Some(metrics.clone());
        Ok(metrics)
    }

    /// Returns the last result of [`compute_metrics`](Self::compute_metrics), also for a model that was loaded; `None`
    /// if there is none since the last training.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// if let Some(metrics) = model.metrics() {
    ///     println!("{metrics}");
    /// }
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn metrics(&self) -> Option<&Metrics> {
        self.metrics.as_ref()
    }
}
