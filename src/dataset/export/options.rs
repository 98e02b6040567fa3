//! Options of an export.

use std::path::{Path, PathBuf};

use super::formats::{ChipFormat, MetadataFormat};
use crate::control::{Control, control_setters};
use crate::dataset::alpha_bands::AlphaBands;
use crate::dataset::domain::{Domain, PerDomain};
use crate::error::{Error, ErrorKind, Result};

/// Exports training chips from scenes like Export Training Data in ArcGIS, but without ArcGIS.
///
/// Scenes are images of any size in any format that [`RasterFile`](crate::raster::RasterFile) reads. Chips contain
/// their pixels, unchanged, with georeference, nodata value, mask, and the names and scales of bands. Next to them are
/// the files from which arcgis.learn's `prepare_data` reads the type and statistics (`esri_model_definition.emd`,
/// `esri_accumulated_stats.json`, `map.txt`, `stats.txt`), and `training_data.json`, which records where each chip
/// comes from and whether it is for training or validation. [`prepare_data`](crate::prepare_data) splits the chips
/// according to that file.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `input_raster` | required | scene of domain A, or a folder of scenes | |
/// | `additional_input_raster` | required | scene of domain B, or a folder of scenes | |
/// | `output_location` | required | folder for the chips, created if missing | without other chips |
/// | `metadata_format` | `CycleGan` | folder layout, and whether domains are paired; see [`MetadataFormat`] | |
/// | `chip_format` | `Tiff` | see [`ChipFormat`] | |
/// | `tile_size` | 256 x 256 | width and height of a chip in pixels | 1 to 16,384 |
/// | `stride_size` | same as `tile_size` | distance in pixels from one chip to the next, across and down | at least 1 |
/// | `rotation_angle` | 0: none | adds rotated chips, one at each multiple of the angle | 0, 90, 180 degrees |
/// | `start_index` | 0 | number in the name of the first chip | |
/// | `input_mask_polygons` | none | GeoJSON; chips are within its polygons | |
/// | `min_valid_share` | 0.9 | smallest share of pixels with data | 0 to 1 |
/// | `min_std` | 0: keeps all | smallest standard deviation of the most varied band, in the units of the samples | 0 and more |
/// | `val_split_pct` | 0.1 | share of the pixels with data that is set aside for validation | 0 to below 1 |
/// | `validation_margin` | 0 | pixels between training and validation | |
/// | `alpha_bands` | `Auto` | whether a last band called alpha is a mask; see [`AlphaBands`] | |
/// | `seed` | 42 | seed for choosing the validation ground | |
/// | `progress` | on | shows the number of chips, their rate, and the time left | |
/// | `on_progress` | none | callback for the share of the work that is done | |
/// | `stop_signal` | none | stops the export from another thread | |
///
/// **Gaps.** With the default `min_valid_share`, isolated dead pixels and the corners of a swath do not exclude a chip,
/// while the borders of scenes do not become a pattern by which a discriminator could distinguish the domains.
///
/// **Training and validation** never share a pixel: blocks of the scenes, several chips on a side, are set aside before
/// windows are chosen. Nor do they share ground if scenes of a domain overlap, as far as the georeferences show.
///
/// **An interrupted export** resumes when it is called again with the same scenes and options: existing chips are not
/// written again, and the result is identical byte for byte.
///
/// Memory is bounded regardless of the size of the scenes: at most 256 MiB of samples at once, plus what one strip of a
/// TIFF takes.
///
/// ```
/// use geolearn::dataset::{ExportTrainingData, MetadataFormat};
/// use geolearn::{DatasetType, Domain, prepare_data};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let chips = folder.path().join("chips");
/// let (satellite, relief) = ("assets/scenes/bluemarble_asia.tif", "assets/scenes/shadedrelief_asia.tif");
/// let report = ExportTrainingData::new(satellite, relief, &chips)
///     .metadata_format(MetadataFormat::ExportTiles)
///     .tile_size(64)
///     .progress(false)
///     .export()?;
/// assert_eq!(report.chips(Domain::A), 8 * 5);
///
/// let data = prepare_data(&chips, DatasetType::Pix2Pix)?;
/// assert_eq!(data.valid_len(Domain::A), report.validation_chips(Domain::A));
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ExportTrainingData {
    pub(super) rasters: PerDomain<PathBuf>,
    pub(super) output: PathBuf,
    pub(super) metadata_format: MetadataFormat,
    pub(super) chip_format: ChipFormat,
    /// Width and height.
    pub(super) tile: (usize, usize),
    pub(super) stride: Option<(usize, usize)>,
    pub(super) rotation_angle: f64,
    pub(super) start_index: usize,
    pub(super) mask_polygons: PerDomain<Option<PathBuf>>,
    pub(super) min_valid_share: f64,
    pub(super) min_std: f64,
    pub(super) val_split_pct: f64,
    pub(super) validation_margin: usize,
    pub(super) alpha_bands: PerDomain<AlphaBands>,
    pub(super) seed: u64,
    pub(super) control: Control,
}

/// Anything with longer sides is a scene, not a chip.
const MOST_PIXELS: usize = 16_384;

impl ExportTrainingData {
    /// Creates an export with scenes of domain A from `input_raster` and of domain B from `additional_input_raster`,
    /// each a file or a folder of files, with the defaults in the table.
    pub fn new(
        input_raster: impl AsRef<Path>,
        additional_input_raster: impl AsRef<Path>,
        output_location: impl AsRef<Path>,
    ) -> Self {
        let path = |path: &Path| path.to_path_buf();
        Self {
            rasters: PerDomain { a: path(input_raster.as_ref()), b: path(additional_input_raster.as_ref()) },
            output: path(output_location.as_ref()),
            metadata_format: MetadataFormat::default(),
            chip_format: ChipFormat::default(),
            tile: (256, 256),
            stride: None,
            rotation_angle: 0.0,
            start_index: 0,
            mask_polygons: PerDomain::default(),
            min_valid_share: 0.9,
            min_std: 0.0,
            val_split_pct: 0.1,
            validation_margin: 0,
            alpha_bands: PerDomain::default(),
            seed: 42,
            control: Control::default(),
        }
    }

    /// Sets the folder layout, and whether the domains are paired. Scenes of pairs must have the same CRS, extent, and
    /// size; in folders, scenes whose names are equal except for the extension are partners.
    pub fn metadata_format(mut self, format: MetadataFormat) -> Self {
        self.metadata_format = format;
        self
    }

    /// Sets the file format of the chips.
    pub fn chip_format(mut self, format: ChipFormat) -> Self {
        self.chip_format = format;
        self
    }

    /// Sets the side of square chips in pixels.
    pub fn tile_size(self, side: usize) -> Self {
        self.tile_size_xy(side, side)
    }

    /// Sets the width and the height of chips in pixels.
    pub fn tile_size_xy(mut self, width: usize, height: usize) -> Self {
        self.tile = (width, height);
        self
    }

    /// Sets the distance in pixels from one chip to the next, across and down. If it is less than the tile size, chips
    /// overlap.
    pub fn stride_size(self, pixels: usize) -> Self {
        self.stride_size_xy(pixels, pixels)
    }

    /// Sets the distance in pixels from one chip to the next, separately across and down.
    pub fn stride_size_xy(mut self, across: usize, down: usize) -> Self {
        self.stride = Some((across, down));
        self
    }

    /// Adds copies of each chip rotated by multiples of this angle: 90 degrees makes four chips out of one, 180 makes
    /// two. Chips are rotated clockwise, along with their georeference.
    pub fn rotation_angle(mut self, degrees: f64) -> Self {
        self.rotation_angle = degrees;
        self
    }

    /// Sets the number of the first chip in each folder.
    pub fn start_index(mut self, index: usize) -> Self {
        self.start_index = index;
        self
    }

    /// Exports chips of a domain only if they are completely within the polygons of a GeoJSON file. For pairs, polygons
    /// of either domain apply to both.
    ///
    /// Coordinates are those of the scenes if the file names their EPSG code (member `crs`, as GDAL writes it).
    /// Otherwise they are WGS 84 longitudes and latitudes, as in RFC 7946, which work for scenes in EPSG:4326.
    pub fn input_mask_polygons(mut self, domain: Domain, geojson: impl AsRef<Path>) -> Self {
        *self.mask_polygons.get_mut(domain) = Some(geojson.as_ref().to_path_buf());
        self
    }

    /// Sets the smallest share of pixels of a chip that have data, meaning that they are within the mask, not nodata,
    /// and not NaN. In a pair, both chips must have it.
    pub fn min_valid_share(mut self, share: f64) -> Self {
        self.min_valid_share = share;
        self
    }

    /// Leaves out flat chips, in which no band has at least this standard deviation over its pixels with data, such as
    /// open water. They teach little, since instance norm subtracts the mean. In a pair, one of the two chips must
    /// reach it.
    pub fn min_std(mut self, std: f64) -> Self {
        self.min_std = std;
        self
    }

    /// Sets the share of the pixels with data, from 0 to below 1, that is set aside for validation, in blocks of a few
    /// chips. With 0, `prepare_data` splits the chips at random.
    pub fn val_split_pct(mut self, share: f64) -> Self {
        self.val_split_pct = share;
        self
    }

    /// Sets the distance in pixels that training chips keep from validation ground; with 0, they merely share no pixel.
    /// Neighboring pixels are similar, but a margin costs the chips within it.
    pub fn validation_margin(mut self, pixels: usize) -> Self {
        self.validation_margin = pixels;
        self
    }

    /// Sets how the last band of a domain's scenes is used if they call it alpha.
    pub fn alpha_bands(mut self, domain: Domain, choice: AlphaBands) -> Self {
        *self.alpha_bands.get_mut(domain) = choice;
        self
    }

    /// Sets the seed for choosing the validation ground.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    control_setters! {
        /// Stops the export soon after `signal` is set, with [`ErrorKind::Stopped`]. The same call resumes it.
        stop_signal,
        /// Sets whether standard error shows progress, if it is a terminal.
        progress,
        /// Calls `tell` with the share of windows that were examined, from 0 to 1, on the exporting thread, which waits
        /// for it.
        on_progress,
    }

    pub(super) fn stride(&self) -> (usize, usize) {
        self.stride.unwrap_or(self.tile)
    }

    /// Returns the quarter turns for the chips of one window.
    pub(super) fn turns(&self) -> impl Iterator<Item = usize> + use<> {
        let step = if self.rotation_angle == 0.0 { 4 } else { (self.rotation_angle / 90.0) as usize };
        (0..4).step_by(step.max(1))
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |name: &str, range: &str, found: &dyn std::fmt::Display| {
            Err(Error::new(ErrorKind::Usage, format!("{name} is out of range")).expected(range).found(found))
        };
        let ((width, height), (across, down)) = (self.tile, self.stride());
        if !(1..=MOST_PIXELS).contains(&width) || !(1..=MOST_PIXELS).contains(&height) {
            return wrong("tile_size", "1 to 16,384 pixels", &format!("{width} x {height}"));
        }
        if across == 0 || down == 0 {
            return wrong("stride_size", "at least 1 pixel", &format!("{across} x {down}"));
        }
        if ![0.0, 90.0, 180.0].contains(&self.rotation_angle) {
            let help = "Other angles would have to invent pixels. Augment turns chips while they are read.";
            return wrong("rotation_angle", "0, 90 or 180 degrees", &self.rotation_angle).map_err(|e| e.help(help));
        }
        if self.rotation_angle == 90.0 && width != height {
            return wrong("rotation_angle", "0 or 180 degrees for chips that are not square", &self.rotation_angle);
        }
        if !(0.0..=1.0).contains(&self.min_valid_share) {
            return wrong("min_valid_share", "0 to 1", &self.min_valid_share);
        }
        if !(self.min_std >= 0.0 && self.min_std.is_finite()) {
            return wrong("min_std", "0 or more", &self.min_std);
        }
        if !(0.0..1.0).contains(&self.val_split_pct) {
            return wrong("val_split_pct", "0 to below 1", &self.val_split_pct);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ExportTrainingData {
        ExportTrainingData::new("a.tif", "b.tif", "chips")
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        for (name, options) in [
            ("tile_size", options().tile_size(0)),
            ("tile_size", options().tile_size_xy(64, 1 << 40)),
            ("stride_size", options().stride_size_xy(3, 0)),
            ("rotation_angle", options().rotation_angle(45.0)),
            ("rotation_angle", options().rotation_angle(f64::NAN)),
            ("rotation_angle", options().rotation_angle(90.0).tile_size_xy(64, 32)),
            ("min_valid_share", options().min_valid_share(1.01)),
            ("min_std", options().min_std(f64::INFINITY)),
            ("val_split_pct", options().val_split_pct(1.0)),
            ("val_split_pct", options().val_split_pct(f64::NAN)),
        ] {
            let error = options.export().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
    }

    #[test]
    fn turns_go_round_once() {
        let turns = |angle| options().rotation_angle(angle).turns().collect::<Vec<_>>();
        assert_eq!([turns(0.0), turns(90.0), turns(180.0)], [vec![0], vec![0, 1, 2, 3], vec![0, 2]]);
    }
}
