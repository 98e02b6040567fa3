//! Images in memory and on disk: reads GeoTIFF, PNG, JPEG, and BMP, plus GDAL's formats with the feature `gdal`; writes
//! GeoTIFF, PNG, and JPEG.
//!
//! A [`Raster`] is an image in memory with its georeference, mask, nodata value, and band names. [`RasterFile`] reads
//! windows of files larger than memory, and [`RasterWriter`] writes such files as GeoTIFF, row by row.

mod band_nodata;
mod band_scale;
mod beside;
mod bilinear;
mod bmp;
mod bmp_indexed;
mod budget;
mod byte_source;
mod bytes;
mod chip;
mod convert;
mod crs;
mod display;
mod dtype;
mod epsg;
mod geo_keys;
mod georeference;
mod image_format;
mod image_formats;
mod info;
mod jpeg;
// Without the feature, files that GDAL would read are rejected.
#[cfg_attr(not(feature = "gdal"), path = "no_libgdal.rs")]
mod libgdal;
mod libgdal_name;
mod limits;
mod mask_file;
mod nodata_mask;
mod nodata_transfer;
mod number;
mod open;
mod packed;
mod palette;
mod pam;
mod pixel;
mod planar;
mod png;
mod presentation;
mod raster_data;
mod raster_file;
mod resize;
mod rotation;
mod rpc;
mod samples;
mod save;
mod scene_reader;
mod sidecar;
mod stated_statistics;
#[cfg(test)]
mod test_images;
mod tiff;
mod triangle;
mod turn;
mod units;
mod unknown_format;
mod validity;
mod validity_source;
mod whole_file;
mod wkt;
mod world;
mod write;
mod write_format;

pub use band_scale::BandScale;
pub(crate) use band_scale::say_anything;
pub(crate) use beside::files_beside;
pub(crate) use bilinear::Window;
pub(crate) use budget::Turn;
pub(crate) use chip::{chip_info, chip_info_again, has_doubtful_alpha, has_doubtful_alpha_within, read_chip};
pub use crs::Crs;
pub(crate) use display::{Colors, first_bands};
pub use dtype::Dtype;
pub use georeference::Place;
pub use info::RasterInfo;
pub use limits::Limits;
pub(crate) use mask_file::path_of as mask_file_of;
pub(crate) use pam::path_of as metadata_file_of;
pub(crate) use pixel::{Gap, Sample};
pub use raster_data::Raster;
pub use raster_file::RasterFile;
pub(crate) use resize::MAX_SIDE;
pub use samples::Samples;
pub(crate) use samples::{with_array, with_type};
pub(crate) use scene_reader::Source;
pub use stated_statistics::StatedStatistics;
pub(crate) use tiff::BlockWriter;
pub use tiff::{BigTiff, Blocks, Compression, Interleave, OverviewResampling, RasterSpec, RasterWriter};
pub(crate) use units::Conversion;
pub use validity_source::ValiditySource;
pub use write_format::RasterFormat;
