//! Sidecar files for metadata that PNG and JPEG cannot store.

use std::path::Path;

use super::{Raster, RasterFormat, pam, world, write};
use crate::error::{Error, ErrorKind, Result};
use crate::store;

impl Raster {
    /// Writes a PNG or JPEG with a world file for its transform (`.pgw`, `.jgw`), and GDAL's `.aux.xml` for its EPSG
    /// code and nodata value, if it has them; any other format as in [`Raster::save`]. A mask becomes the nodata value.
    /// Anything that cannot be expressed this way (a mask without a nodata value, ground control points, a CRS without
    /// a code) is dropped.
    pub(crate) fn save_with_sidecars(&self, path: &Path) -> Result<()> {
        let format = match RasterFormat::of_name(path) {
            Some(format @ (RasterFormat::Png | RasterFormat::Jpeg)) => format,
            _ => return self.save(path),
        };
        let image = self.with_mask_in_nodata();
        let bytes = write::encoded_picture(&image, format, path)?;
        // The picture is written last, so that whoever finds it also finds the other files.
        if let Some(text) = image.place.transform.map(world::written)
            && let Some(file) = world::names(path).first()
        {
            store::write(file, text.as_bytes())?;
        }
        if let Some(xml) = pam::written(&image.place, image.nodata, image.bands()) {
            store::write(&pam::path_of(path), xml.as_bytes())?;
        }
        store::write(path, &bytes)
    }

    /// Checks that PNG or JPEG can store images of these bands and samples.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if it cannot.
    pub(crate) fn check_format(&self, path: &Path) -> Result<()> {
        match RasterFormat::of_name(path) {
            Some(RasterFormat::GeoTiff) => Ok(()),
            Some(format) => write::color(self, format, path).map(|_| ()),
            None => Err(Error::new(ErrorKind::Usage, "no image format goes by this name").at(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::raster::test_images::numbered;
    use crate::raster::{Place, RasterFile};

    #[test]
    fn what_stands_beside_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new([10.0, 0.0, 500.25, 0.0, -10.0, 4100.5]).with_epsg(32633).unwrap();
        let image = numbered().with_place(place.clone()).with_nodata(7.0);
        for name in ["chip.png", "chip.jpg", "chip.tif"] {
            let path = folder.path().join(name);
            image.save_with_sidecars(&path).unwrap();
            let file = RasterFile::open(&path).unwrap();
            assert_eq!((file.info().place(), file.info().nodata()), (&place, Some(7.0)), "{name}");
        }
    }
}
