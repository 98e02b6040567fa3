//! The guides, one page each.
//!
//! Their programs are compiled by the tests, and those that take seconds are run. Their pictures are in the repository,
//! under `docs/images`.
//!
//! | For | Read |
//! |---|---|
//! | the model: its networks, its losses, how it is trained | [`how_cyclegan_works`] |
//! | libtorch, CUDA, a crate of your own | [`setup`] |
//! | folders, bands, scaling, nodata, formats | [`data`] |
//! | training: from an empty folder to a model, and what goes wrong | [`training`] |
//! | images larger than memory | [`scenes`] |
//! | several processes, GPUs, machines | [`distributed`] |
//! | models from and for other tools, in short; what is trusted | [`interop`] |
//! | arcgis.learn and ArcGIS Pro | [`arcgis`] |
//! | weights of the research code and of PyTorch | [`pytorch`] |
//! | TorchScript, ONNX, QGIS | [`export`] |
//! | the model card and the STAC item | [`model_card`] |
//! | how good the translations are | [`quality`] |
//! | how fast, and on how many threads | [`performance`], [`loading`] |
//! | what arcgis.learn has, and where it is here | [`parity`] |

/// A page of `docs`. Where it names another, the first definition of the link counts, and that is a page here.
macro_rules! guide {
    ($name:ident, $file:literal) => {
        /// [`CycleGan`]: crate::CycleGan
        /// [arcgis.md]: crate::guide::arcgis
        /// [data.md]: crate::guide::data
        /// [data.md#5-no-data]: crate::guide::data#5-no-data
        /// [data.md#11-pairs]: crate::guide::data#11-pairs
        /// [data.md#12-chips-from-scenes]: crate::guide::data#12-chips-from-scenes
        /// [data.md#other-formats-by-gdal]: crate::guide::data#other-formats-by-gdal
        /// [distributed.md]: crate::guide::distributed
        /// [export.md]: crate::guide::export
        /// [export.md#qgis-deepness]: crate::guide::export#qgis-deepness
        /// [interop.md]: crate::guide::interop
        /// [interop.md#what-is-trusted]: crate::guide::interop#what-is-trusted
        /// [loading.md]: crate::guide::loading
        /// [model-card.md]: crate::guide::model_card
        /// [parity.md]: crate::guide::parity
        /// [performance.md#threads]: crate::guide::performance#threads
        /// [pytorch.md]: crate::guide::pytorch
        /// [pytorch.md#safetensors]: crate::guide::pytorch#safetensors
        /// [pytorch.md#weights-of-the-same-architecture]: crate::guide::pytorch#weights-of-the-same-architecture
        /// [quality.md#what-was-measured]: crate::guide::quality#what-was-measured
        /// [raster-inference.md]: crate::guide::scenes
        /// [setup.md]: crate::guide::setup
        /// [training.md]: crate::guide::training
        /// [training.md#6-what-the-losses-mean]: crate::guide::training#6-what-the-losses-mean
        /// [training.md#7-when-to-stop]: crate::guide::training#7-when-to-stop
        /// [training.md#13-pairs-pix2pix]: crate::guide::training#13-pairs-pix2pix
        /// [training.md#12-options-beyond-the-paper]: crate::guide::training#12-options-beyond-the-paper
        ///
        #[doc = include_str!($file)]
        #[allow(clippy::needless_doctest_main, reason = "whole programs, to be copied")]
        pub mod $name {}
    };
}

guide!(how_cyclegan_works, "../docs/how-cyclegan-works.md");
guide!(setup, "../docs/setup.md");
guide!(data, "../docs/data.md");
guide!(training, "../docs/training.md");
guide!(scenes, "../docs/raster-inference.md");
guide!(distributed, "../docs/distributed.md");
guide!(interop, "../docs/interop.md");
guide!(arcgis, "../docs/arcgis.md");
guide!(pytorch, "../docs/pytorch.md");
guide!(export, "../docs/export.md");
guide!(model_card, "../docs/model-card.md");
guide!(quality, "../docs/quality.md");
guide!(performance, "../docs/performance.md");
guide!(loading, "../docs/loading.md");
guide!(parity, "../docs/parity.md");
