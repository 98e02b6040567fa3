//! Nodata values of individual bands, for files without a common value.

use super::{RasterInfo, number};

impl RasterInfo {
    /// Sets the values in GDAL's metadata item `NODATA_VALUES`: a pixel has no data if every band has its own nodata
    /// value. If all bands share one value, it becomes the nodata value, unless the file has another.
    pub(super) fn list_nodata(&mut self, text: &str) {
        let value = |text| number::nodata(text, self.dtype).map(|value| self.dtype.stored(value));
        let Some(values) = text.split_whitespace().map(value).collect::<Option<Vec<f64>>>() else { return };
        match values.first() {
            Some(&first) if values.len() == self.bands && values.iter().all(|value| same(*value, first)) => {
                self.nodata = self.nodata.or(Some(first));
            }
            _ => self.put_band_nodata(values),
        }
    }

    /// Sets a value for each band, if they differ.
    pub(super) fn put_band_nodata(&mut self, values: Vec<f64>) {
        if values.len() == self.bands && values.iter().any(|value| !same(*value, values[0])) {
            self.band_nodata = values;
        }
    }
}

fn same(one: f64, other: f64) -> bool {
    one == other || one.is_nan() && other.is_nan()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Dtype;

    #[test]
    fn values_are_of_all_bands_or_of_none() {
        let listed = |text: &str, nodata| {
            let mut info = RasterInfo { nodata, ..RasterInfo::plain("TIFF", (3, 1, 1), Dtype::U8) };
            info.list_nodata(text);
            (info.nodata, info.band_nodata)
        };
        assert_eq!(listed("0 0 0", None), (Some(0.0), vec![]));
        assert_eq!(listed("0 0 0", Some(5.0)), (Some(5.0), vec![]));
        assert_eq!(listed("7 8 9", None), (None, vec![7.0, 8.0, 9.0]));
        for text in ["", "7 8", "7 8 nine"] {
            assert_eq!(listed(text, None), (None, vec![]), "{text}");
        }
    }
}
