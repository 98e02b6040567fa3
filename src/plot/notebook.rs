//! Displays pictures in Jupyter notebooks with the evcxr kernel.

use super::picture::Picture;

impl Picture {
    /// Displays the picture in a Jupyter notebook. The [evcxr](https://github.com/evcxr/evcxr) kernel calls this for a
    /// cell that ends with a picture; it writes to standard output in the format that the kernel expects.
    ///
    /// Requires the feature `evcxr`; in a notebook `:dep geolearn = { version = "0.1", features = ["evcxr"] }`.
    ///
    /// ```
    /// use geolearn::{DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// data.show_batch(2)?.evcxr_display();
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "evcxr")))]
    pub fn evcxr_display(&self) {
        match self.to_png() {
            Ok(png) => evcxr_runtime::mime_type("image/png").bytes(&png),
            // The kernel accepts no error here, so print it for the user of the notebook.
            Err(error) => evcxr_runtime::mime_type("text/plain").text(error.to_string()),
        }
    }
}
