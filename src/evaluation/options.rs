//! The options of an evaluation.

use std::path::PathBuf;

use crate::metrics::{Resize, SsimWindow};

/// How [`CycleGan::compute_metrics_with`](crate::CycleGan::compute_metrics_with) evaluates a model.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `inception` | the file that `cargo xtask inception` stored | weights of the network for FID and KID |
/// | `resize` | [`Resize::Tensorflow`] | how images are resized for this network |
/// | `pairs` | test chips with the same names, or else validation chips | folders of images of the same places |
/// | `ssim_window` | [`SsimWindow::Uniform`] | window of structural similarity |
/// | `baselines` | on | also measures baselines that learn nothing |
/// | `progress` | on | shows images done and time left on the terminal |
///
/// ```
/// use geolearn::evaluation::MetricsOptions;
/// use geolearn::metrics::Resize;
///
/// let options = MetricsOptions::new()
///     .resize(Resize::Clean)
///     .pairs("assets/bluemarble_test/a", "assets/bluemarble_test/b");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct MetricsOptions {
    pub(super) inception: Option<PathBuf>,
    pub(super) resize: Resize,
    pub(super) pairs: Option<(PathBuf, PathBuf)>,
    pub(super) ssim_window: SsimWindow,
    pub(super) baselines: bool,
    pub(super) progress: bool,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self {
            inception: None,
            resize: Resize::default(),
            pairs: None,
            ssim_window: SsimWindow::default(),
            baselines: true,
            progress: true,
        }
    }
}

impl MetricsOptions {
    /// Creates the default options.
    ///
    /// ```
    /// let options = geolearn::evaluation::MetricsOptions::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the file of the Inception network's weights. Default: the one that the environment variable
    /// `GEOLEARN_INCEPTION` names, else the one that `cargo xtask inception` stored; without any, FID and KID are left
    /// out.
    ///
    /// ```
    /// let options = geolearn::evaluation::MetricsOptions::new().inception("inception-2015-12-05.safetensors");
    /// ```
    pub fn inception(mut self, path: impl Into<PathBuf>) -> Self {
        self.inception = Some(path.into());
        self
    }

    /// Sets how images are resized to 299 x 299 pixels. Default: [`Resize::Tensorflow`].
    ///
    /// ```
    /// use geolearn::evaluation::MetricsOptions;
    /// use geolearn::metrics::Resize;
    ///
    /// let options = MetricsOptions::new().resize(Resize::Clean);
    /// ```
    pub fn resize(mut self, resize: Resize) -> Self {
        self.resize = resize;
        self
    }

    /// Sets folders with images of the same places, of domain A and of domain B: files whose names differ only in the
    /// extension are pairs. Default: test chips with the same names, if there are any, or else validation chips.
    ///
    /// ```
    /// let options = geolearn::evaluation::MetricsOptions::new().pairs("test_a", "test_b");
    /// ```
    pub fn pairs(mut self, folder_a: impl Into<PathBuf>, folder_b: impl Into<PathBuf>) -> Self {
        self.pairs = Some((folder_a.into(), folder_b.into()));
        self
    }

    /// Sets the window of structural similarity. Default: [`SsimWindow::Uniform`], as in scikit-image.
    ///
    /// ```
    /// use geolearn::evaluation::MetricsOptions;
    /// use geolearn::metrics::SsimWindow;
    ///
    /// let options = MetricsOptions::new().ssim_window(SsimWindow::Gaussian);
    /// ```
    pub fn ssim_window(mut self, window: SsimWindow) -> Self {
        self.ssim_window = window;
        self
    }

    /// Measures baselines too, or not. Default: on.
    ///
    /// ```
    /// let options = geolearn::evaluation::MetricsOptions::new().baselines(false);
    /// ```
    pub fn baselines(mut self, on: bool) -> Self {
        self.baselines = on;
        self
    }

    /// Shows progress on the terminal, or not. Default: on.
    ///
    /// ```
    /// let options = geolearn::evaluation::MetricsOptions::new().progress(false);
    /// ```
    pub fn progress(mut self, on: bool) -> Self {
        self.progress = on;
        self
    }
}
