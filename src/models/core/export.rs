//! Exports a generator for programs that do not use this crate.

use std::path::Path;
use std::time::Instant;

use super::export_options::ExportOptions;
use super::learner::Learner;
use super::model::Model;
use crate::dataset::Domain;
use crate::error::Result;
#[cfg(feature = "onnx")]
use crate::package::export::onnx;
use crate::package::export::{DomainNote, Exported, Metadata, torchscript};
use crate::store;

impl<M: Model> Learner<M> {
    /// Writes the generator that makes images of domain `to` as TorchScript, for `torch.jit.load` in Python and
    /// libtorch anywhere.
    ///
    /// Its parameters have the names that they have in the `.pth`, without the network's prefix: `1.weight`, not
    /// `G_B.1.weight`. They are float32 on the processor; `.to("cuda")` and `.half()` move them. Nothing in the archive
    /// is bound to a device, and the same model gives the same bytes.
    ///
    /// The extra file `geolearn.json` describes how images are scaled for the input and back from the output, their
    /// bands and their type; `docs/export.md` explains it, with a program in Python.
    ///
    /// ```
    /// use geolearn::{CycleGan, Domain, tch};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("sat2relief.pt");
    /// model.export_torchscript(&path, Domain::B)?;
    /// let network = tch::CModule::load(&path)?;
    /// let images = tch::Tensor::zeros([2, 3, 40, 61], (tch::Kind::Float, tch::Device::Cpu));
    /// assert_eq!(network.forward_ts(&[images])?.size(), [2, 3, 40, 61]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Shapes
    /// The network takes (N, C of the other domain, H, W) in [-1, 1] to (N, C of this domain, H, W) in [-1, 1], for any
    /// N, H and W. Sides that it does not accept are extended by mirroring and cropped again, as in
    /// [`predict`](Self::predict).
    ///
    /// # Errors
    /// `Usage` for a path that is a folder, `Io` if the file cannot be written. Missing folders are created; an older
    /// file is replaced only by a complete one.
    pub fn export_torchscript(&self, path: impl AsRef<Path>, to: Domain) -> Result<()> {
        self.export_torchscript_with(path, to, ExportOptions::new())
    }

    /// Writes TorchScript like [`export_torchscript`](Self::export_torchscript), with options: scaling as part of the
    /// program, a fixed size.
    ///
    /// ```
    /// use geolearn::models::{ExportOptions, ExportUnits};
    /// use geolearn::{CycleGan, Domain, tch};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("sat2relief.pt");
    /// model.export_torchscript_with(&path, Domain::B, ExportOptions::new().units(ExportUnits::Files))?;
    /// let chips = tch::Tensor::full([1, 3, 64, 64], 90, (tch::Kind::Uint8, tch::Device::Cpu));
    /// assert_eq!(tch::CModule::load(&path)?.forward_ts(&[chips])?.kind(), tch::Kind::Uint8);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`export_torchscript`](Self::export_torchscript); `Usage` for options that contradict each other and for
    /// [`Deepness`](crate::models::Deepness), which reads only ONNX; `Unsupported` for scaling of 64-bit integers.
    pub fn export_torchscript_with(&self, path: impl AsRef<Path>, to: Domain, options: ExportOptions) -> Result<()> {
        let started = Instant::now();
        let path = store::path_of_file(path.as_ref())?;
        store::remove_abandoned_of([path]);
        let exported = options.check_for_torchscript().and_then(|()| self.exported(to, &options));
        torchscript::write(path, &exported.map_err(|e| e.at(path))?).map_err(|e| e.at(path))?.publish()?;
        tell(path, to, "TorchScript", started);
        Ok(())
    }

    /// Writes the generator that makes images of domain `to` as ONNX (opset 17, float32), for onnxruntime and other
    /// runtimes.
    ///
    /// Initializers have the names that the parameters have in the `.pth`, without the network's prefix. The input is
    /// called `input`, the output `output`, and their dimensions `batch`, `height` and `width`. The entry
    /// `geolearn.json` of `metadata_props` describes how images are scaled, like the extra file of
    /// [`export_torchscript`](Self::export_torchscript).
    ///
    /// ```
    /// use geolearn::{CycleGan, Domain};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("sat2relief.onnx");
    /// model.export_onnx(&path, Domain::B)?;
    /// assert!(path.metadata().unwrap().len() > 100_000);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Shapes
    /// As for [`export_torchscript`](Self::export_torchscript).
    ///
    /// # Errors
    /// Like [`export_torchscript`](Self::export_torchscript), and `Unsupported` for a network of more than 2 GiB, which
    /// no ONNX file can hold.
    #[cfg(feature = "onnx")]
    #[cfg_attr(docsrs, doc(cfg(feature = "onnx")))]
    pub fn export_onnx(&self, path: impl AsRef<Path>, to: Domain) -> Result<()> {
        self.export_onnx_with(path, to, ExportOptions::new())
    }

    /// Writes ONNX like [`export_onnx`](Self::export_onnx), with options: scaling as nodes of the graph, a fixed size,
    /// the metadata of QGIS Deepness.
    ///
    /// ```
    /// use geolearn::models::{ExportOptions, ExportUnits};
    /// use geolearn::{CycleGan, Domain};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("sat2relief.onnx");
    /// // Bytes in, bytes out, as rasterio reads and writes them.
    /// model.export_onnx_with(&path, Domain::B, ExportOptions::new().units(ExportUnits::Files))?;
    /// assert!(path.metadata().unwrap().len() > 100_000);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`export_onnx`](Self::export_onnx); `Usage` for options that contradict each other; `Unsupported` for
    /// scaling of 64-bit integers, and for Deepness if images of the other domain do not have 8 bits.
    #[cfg(feature = "onnx")]
    #[cfg_attr(docsrs, doc(cfg(feature = "onnx")))]
    pub fn export_onnx_with(&self, path: impl AsRef<Path>, to: Domain, options: ExportOptions) -> Result<()> {
        let started = Instant::now();
        let path = store::path_of_file(path.as_ref())?;
        store::remove_abandoned_of([path]);
        onnx::write(path, &self.exported(to, &options).map_err(|e| e.at(path))?)?.publish()?;
        tell(path, to, "ONNX", started);
        Ok(())
    }

    fn exported(&self, to: Domain, options: &ExportOptions) -> Result<Exported> {
        self.check_direction(to)?;
        let generator = self.model.generator(to);
        let prefix = format!("{}.", generator.name());
        let plain = |name: String| name.strip_prefix(&prefix).map(str::to_owned).unwrap_or(name);
        let [input, output] = [to.other(), to].map(|domain| (domain, self.domain(domain)));
        let note = |(domain, spec)| DomainNote::new(domain, spec);
        let mut metadata = Metadata::new(M::KIND.name, generator.name(), note(input), note(output));
        let units = options.scaling(input, output)?;
        if let Some(units) = &units {
            metadata = metadata.with_units(units);
        }
        metadata.side = options.side()?;
        Ok(Exported {
            plan: generator.plan().clone(),
            parameters: generator.parameters().into_iter().map(|(name, tensor)| (plain(name), tensor)).collect(),
            side: metadata.side,
            properties: options.properties(self.domain(to.other()).selection.of),
            metadata,
            units,
        })
    }
}

fn tell(path: &Path, to: Domain, form: &str, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(path = %path.display(), %to, form, seconds, "generator exported");
}
